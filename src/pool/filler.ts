import { Alarm } from './alarm.js';
import { CONNECT, type ConnectEvent } from './channels.js';
import type { Clock } from './clock.js';
import type { ConnectionFactory } from './connection-factory.js';
import { Deadlines } from './deadlines.js';
import { ConnectTimeoutError } from './errors.js';
import { HookCall } from './hook-call.js';
import { withSignal } from './hook-context.js';
import { Outage } from './outage.js';
import type { PoolLog } from './pool-log.js';
import { isGone, PooledConnection, State, type Census } from './pooled-connection.js';
import type { OwnSettings } from './settings.js';
import { Span } from './span.js';
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
  /** Connects have begun to fail, or to hold again. */
  outageChanged(): void;
}

/** Opens connections: as many as the pool wants, `maxConnecting` at once, and while connects fail one per pause. */
export class Filler<C> {
  lastError: unknown;
  private outage: Outage | undefined;
  /** Connections opened in this outage that have yet to hold, oldest first. */
  private onProbation: Array<PooledConnection<C>> = [];
  private readonly alarm: Alarm;
  private readonly deadlines: Deadlines<HookCall<never>>;
  private begun = 0;

  constructor(
    private readonly factory: ConnectionFactory<C>,
    private readonly settings: OwnSettings,
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

  /** Since when no connect has held. */
  get failingSince(): number | undefined {
    return this.outage?.since;
  }

  /** The same; but undefined while no connect is wanted and what there is serves, for then nothing is amiss. */
  get downSince(): number | undefined {
    return this.isContent ? undefined : this.failingSince;
  }

  get failures(): number {
    return this.outage?.failures ?? 0;
  }

  /** Begins what may be begun now. */
  fill(): void {
    while (this.outage === undefined && this.mayBegin()) this.begin();
    this.work();
  }

  /** The connect of this entry has failed. */
  reject(entry: PooledConnection<C>, error: unknown): void {
    this.remove(entry);
    if (this.noteFailure(error)) this.log.down(error);
    this.host.vanished();
  }

  /** What a connect opened was lost at once, which counts as a failed connect. */
  kicked(error: unknown): void {
    if (this.noteFailure(error)) this.log.kicked(error);
  }

  /** The connection is open; if connects were failing, it has to hold before they are trusted again. */
  opened(entry: PooledConnection<C>): void {
    if (this.outage === undefined) this.log.opened();
    // One that was begun before the outage says nothing of how it is now; and did its success end the outage, a backend
    // that kicks some and keeps others would be asked again and again without a pause.
    if (this.outage === undefined || entry.begunIn !== this.outage) return;
    this.onProbation.push(entry);
    this.alarm.setFor(endOfProbation(entry));
  }

  /** The connection has held. */
  proved(entry: PooledConnection<C>): void {
    entry.proven = true;
    const { outage } = this;
    if (outage !== undefined && this.isOnProbation(entry)) this.recover(outage);
  }

  /** A connection has completed a lease or a ping. */
  served(): void {
    if (this.outage !== undefined) this.outage.hasServed = true;
  }

  /** Whether the outage ends if it holds. */
  isOnProbation(entry: PooledConnection<C>): boolean {
    return this.onProbation.includes(entry);
  }

  /** Whether its loss is to count as a failed connect. */
  isUnproven(entry: PooledConnection<C>): boolean {
    return !entry.proven && this.clock.now() < endOfProbation(entry);
  }

  /** Gives up this many connects, the newest first. What they yield all the same arrives late. */
  abandon(count: number, reason: () => unknown): void {
    // Called whenever something changes in a pool that is closing: mostly there is nothing to do.
    if (count <= 0) return;
    // One whose connect is over is being taken in, and calls a hook just now; after that it is told that it must go.
    const connecting = [...this.entries].filter((entry) => isConnecting(entry) && entry.pending !== undefined);
    const givenUp = connecting.slice(-count);
    for (const entry of givenUp) this.remove(entry);
    const error = reason();
    for (const entry of givenUp) entry.pending?.giveUp(error);
  }

  setVital(vital: boolean): void {
    this.alarm.keepAlive(vital);
    this.deadlines.setVital(vital);
  }

  stop(): void {
    this.alarm.clear();
    this.deadlines.clear();
  }

  /** True if an outage begins with it. */
  private noteFailure(error: unknown): boolean {
    this.lastError = error;
    this.totals.connectFailures++;
    this.outage?.failed();
    if (this.outage !== undefined) return false;
    this.outage = new Outage(this.clock.now(), this.settings.reconnect, () => this.clock.random());
    this.host.outageChanged();
    return true;
  }

  /**
   * Connects failed, but none is wanted now, and what there is has served since. Whether one would succeed is not known, so
   * the backoff stays as it is; but a pool that has all it needs is not down.
   */
  private get isContent(): boolean {
    const isTrying = this.census.connecting > 0 || this.onProbation.length > 0;
    return this.outage?.hasServed === true && !isTrying && this.host.wanted() <= 0;
  }

  private mayBegin(): boolean {
    return this.census.connecting < this.settings.maxConnecting && this.host.wanted() > 0;
  }

  /** While connects fail: look who has held, begin the connect that is due, and set the alarm for what comes next. */
  private work(time?: number): void {
    const { outage } = this;
    if (outage === undefined) return;
    const now = time ?? this.clock.now();
    this.onProbation = this.onProbation.filter((entry) => !isGone(entry));
    const [oldest] = this.onProbation;
    if (oldest !== undefined && now >= endOfProbation(oldest)) {
      this.recover(outage);
      return;
    }
    if (oldest !== undefined) this.alarm.setFor(endOfProbation(oldest));
    if (!this.mayBegin()) return;
    const isDue = now >= outage.nextAt;
    if (isDue) outage.beginPause(now);
    // Before the connect is begun, which may close the pool: no timer may be set after that.
    this.alarm.setFor(outage.nextAt);
    if (isDue) this.begin();
  }

  private recover(outage: Outage): void {
    this.outage = undefined;
    this.host.outageChanged();
    this.onProbation = [];
    this.alarm.clear();
    this.log.back(this.clock.now() - outage.since, outage.failures);
    this.fill();
  }

  private begin(): void {
    const entry = new PooledConnection<C>(++this.begun);
    this.entries.add(entry);
    this.census.enter();
    const { name, id, connectTimeout } = this.settings;
    const attempt = this.failures + 1;
    const span = Span.isHeard(CONNECT)
      ? new Span<ConnectEvent>(CONNECT, { pool: name, poolId: id, attempt })
      : undefined;
    const fail = (error: unknown): void => {
      span?.fail(error);
      span?.asyncEnd();
    };
    const call = new HookCall<C>(this.deadlines, () => new ConnectTimeoutError(name, connectTimeout), {
      done: (connection) => {
        this.host.arrived(entry, connection);
        span?.asyncEnd();
      },
      failed: (error) => {
        this.reject(entry, error);
        fail(error);
      },
      givenUp: fail,
      late: (connection) => this.host.arrivedLate(connection),
    });
    entry.pending = call;
    entry.begunIn = this.outage;
    const context = withSignal({ pool: name, attempt }, call);
    call.run(() => {
      span?.start();
      return this.factory.connect(context);
    });
    span?.end();
  }

  private remove(entry: PooledConnection<C>): void {
    this.census.move(entry, State.closed);
    this.entries.delete(entry);
  }
}

/** Always reckoned like this: the alarm is set for it, and `now - connectedAt` may fall short of a second by a rounding. */
function endOfProbation(entry: PooledConnection<unknown>): number {
  return entry.connectedAt + PROBATION;
}

function isConnecting(entry: PooledConnection<unknown>): boolean {
  return entry.state === State.connecting;
}
