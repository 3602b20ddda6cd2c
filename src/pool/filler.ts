import { Alarm } from './alarm.js';
import type { Clock } from './clock.js';
import type { ConnectionFactory } from './connection-factory.js';
import { Deadlines } from './deadlines.js';
import { ConnectTimeoutError } from './errors.js';
import { HookCall } from './hook-call.js';
import { Outage } from './outage.js';
import type { PoolLog } from './pool-log.js';
import { PooledConnection, State, type Census } from './pooled-connection.js';
import type { ResolvedSettings } from './settings.js';
import type { Totals } from './stats.js';

/** A connection has held once it has lived for this long, if it was neither leased nor pinged before. */
const PROBATION = 1_000;

/** What the filler asks of its pool. */
export interface FillerHost<C> {
  /** How many more connections the pool wants, beyond those that are being opened. */
  wanted(): number;
  /** A connect has yielded this. Its entry is still connecting. */
  arrived(entry: PooledConnection<C>, connection: C): void;
  /** So has a connect that had timed out or been given up; it has no entry any more. */
  arrivedLate(connection: C): void;
  /** An entry has gone without ever having been open. */
  vanished(): void;
}

/** Opens connections: as many as the pool wants, `maxConnecting` at once, and while connects fail one per pause. */
export class Filler<C> {
  lastError: unknown;
  private outage: Outage | undefined;
  /** Connections opened in this outage that have yet to hold, oldest first. */
  private onProbation: Array<PooledConnection<C>> = [];
  private readonly alarm: Alarm;
  private readonly deadlines: Deadlines<HookCall<never>>;

  constructor(
    private readonly factory: ConnectionFactory<C>,
    private readonly settings: ResolvedSettings,
    private readonly clock: Clock,
    private readonly entries: Set<PooledConnection<C>>,
    private readonly census: Census,
    private readonly totals: Totals,
    private readonly log: PoolLog,
    private readonly host: FillerHost<C>,
  ) {
    this.alarm = new Alarm(clock, (now) => this.work(now), false);
    this.deadlines = new Deadlines(clock, settings.connectTimeout, (call) => call.timeOut(), false);
  }

  get downSince(): number | undefined {
    return this.outage?.since;
  }

  get failures(): number {
    return this.outage?.failures ?? 0;
  }

  /** Begins what may be begun now. */
  fill(): void {
    if (this.outage !== undefined) this.work(this.clock.now());
    while (this.outage === undefined && this.mayBegin()) this.begin();
  }

  /** The connect of this entry has failed. */
  reject(entry: PooledConnection<C>, error: unknown): void {
    this.remove(entry);
    this.failed(error);
    this.host.vanished();
  }

  /** A connect failed, or what it opened was lost at once. */
  failed(error: unknown): void {
    this.lastError = error;
    this.totals.connectFailures++;
    if (this.outage !== undefined) {
      this.outage.failed();
      return;
    }
    this.outage = new Outage(this.clock.now(), this.settings.reconnect, () => this.clock.random());
    this.log.down(error);
  }

  /** The connection is open; if connects were failing, it has to hold before they are trusted again. */
  opened(entry: PooledConnection<C>): void {
    if (this.outage === undefined) return;
    this.onProbation.push(entry);
    this.alarm.setFor(entry.connectedAt + PROBATION);
  }

  /** The connection has completed a lease or a ping. */
  proved(entry: PooledConnection<C>): void {
    entry.proven = true;
    if (this.onProbation.includes(entry)) this.recover();
  }

  /** Whether its loss is to count as a failed connect. */
  isUnproven(entry: PooledConnection<C>): boolean {
    return !entry.proven && this.clock.now() - entry.connectedAt < PROBATION;
  }

  /** Gives up this many connects, the newest first. What they yield all the same arrives late. */
  abandon(count: number, reason: unknown): void {
    // Called whenever something changes in a pool that is closing: mostly there is nothing to do.
    if (count <= 0) return;
    const connecting = [...this.entries].filter((entry) => entry.state === State.connecting);
    for (const entry of connecting.slice(-count)) {
      this.remove(entry);
      entry.pending?.giveUp(reason);
    }
  }

  setVital(vital: boolean): void {
    this.alarm.keepAlive(vital);
    this.deadlines.setVital(vital);
  }

  stop(): void {
    this.alarm.clear();
    this.deadlines.clear();
  }

  private mayBegin(): boolean {
    return this.census.connecting < this.settings.maxConnecting && this.host.wanted() > 0;
  }

  /** While connects fail: look who has held, begin the connect that is due, and set the alarm for what comes next. */
  private work(now: number): void {
    const { outage } = this;
    if (outage === undefined) return;
    this.onProbation = this.onProbation.filter((entry) => isOpen(entry));
    const [oldest] = this.onProbation;
    if (oldest !== undefined && now - oldest.connectedAt >= PROBATION) {
      this.recover();
      return;
    }
    if (oldest !== undefined) this.alarm.setFor(oldest.connectedAt + PROBATION);
    if (!this.mayBegin()) return;
    if (now >= outage.nextAt) {
      outage.beginPause(now);
      this.begin();
    }
    if (this.outage === outage) this.alarm.setFor(outage.nextAt);
  }

  private recover(): void {
    const { outage } = this;
    if (outage === undefined) return;
    this.outage = undefined;
    this.onProbation = [];
    this.alarm.clear();
    this.log.back(this.clock.now() - outage.since, outage.failures);
    this.fill();
  }

  private begin(): void {
    const entry = new PooledConnection<C>();
    this.entries.add(entry);
    this.census.enter();
    const { name, connectTimeout } = this.settings;
    const call = new HookCall<C>(this.deadlines, () => new ConnectTimeoutError(name, connectTimeout), {
      done: (connection) => this.host.arrived(entry, connection),
      failed: (error) => this.reject(entry, error),
      late: (connection) => this.host.arrivedLate(connection),
    });
    entry.pending = call;
    const attempt = this.failures + 1;
    call.run((signal) => this.factory.connect({ pool: name, attempt, signal }));
  }

  private remove(entry: PooledConnection<C>): void {
    this.census.move(entry, State.closed);
    this.entries.delete(entry);
  }
}

function isOpen(entry: PooledConnection<unknown>): boolean {
  return entry.state === State.idle || entry.state === State.leased || entry.state === State.checking;
}
