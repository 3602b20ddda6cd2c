import { LEAK } from './channels.js';
import type { Clock } from './clock.js';
import { Deadlines, type Deadline } from './deadlines.js';
import type { PoolLog } from './pool-log.js';
import { State, type PooledConnection } from './pooled-connection.js';
import type { OwnSettings } from './settings.js';

/** What is known of one lease. It must not refer to the lease itself, or that would never be collected. */
class LeakRecord<C> implements Deadline {
  due = 0;
  sooner: Deadline | undefined;
  later: Deadline | undefined;

  constructor(
    readonly entry: PooledConnection<C>,
    readonly since: number,
    readonly origin: string,
  ) {}
}

/**
 * Reports leases that are held for too long, and finds those that were dropped without having been released. Exists only
 * if asked for: it takes a stack trace a lease. After HikariCP's leakDetectionThreshold.
 */
export class LeakWatch<C> {
  private readonly deadlines: Deadlines<LeakRecord<C>>;
  private readonly collected: FinalizationRegistry<LeakRecord<C>>;

  /** @param lost called with a connection whose lease was garbage-collected */
  constructor(
    private readonly settings: OwnSettings,
    private readonly clock: Clock,
    private readonly log: PoolLog,
    lost: (entry: PooledConnection<C>) => void,
  ) {
    const report = (record: LeakRecord<C>): void => {
      // Else the pool has closed it, and said so.
      if (record.entry.state !== State.leased) return;
      log.leaked(this.age(record), record.origin);
      this.tell(record, false);
    };
    this.deadlines = new Deadlines(clock, settings.leakDetection, report, false);
    this.collected = new FinalizationRegistry((record) => {
      // The pool may have been closed, and the connection with it.
      if (record.entry.state !== State.leased) return;
      this.returned(record.entry);
      this.log.collected(this.age(record), record.origin);
      lost(record.entry);
      this.tell(record, true);
    });
  }

  /** Where the caller of this method stands. */
  static origin(method: (...args: never[]) => unknown): string {
    const here: { stack?: string } = {};
    Error.captureStackTrace(here, method);
    // The first line is the name of an error that there is not.
    return String(here.stack).split('\n').slice(1).join('\n');
  }

  taken(entry: PooledConnection<C>, lease: object, origin: string): void {
    const record = new LeakRecord(entry, this.clock.now(), origin);
    entry.leak = record;
    this.deadlines.add(record);
    this.collected.register(lease, record, record);
  }

  returned(entry: PooledConnection<C>): void {
    const record = entry.leak as LeakRecord<C>;
    entry.leak = undefined;
    this.deadlines.remove(record);
    this.collected.unregister(record);
  }

  stop(): void {
    this.deadlines.clear();
  }

  private tell(record: LeakRecord<C>, collected: boolean): void {
    if (!LEAK.hasSubscribers) return;
    const { name, id } = this.settings;
    LEAK.publish({ pool: name, poolId: id, heldFor: this.age(record), origin: record.origin, collected });
  }

  private age(record: LeakRecord<C>): number {
    return this.clock.now() - record.since;
  }
}
