import { Alarm } from './alarm.js';
import type { Clock } from './clock.js';
import { State, type PooledConnection } from './pooled-connection.js';
import type { ResolvedSettings } from './settings.js';

/** Pings are spread over the last fifth of the interval, and those due within a hundredth of it go together. */
const SPREAD = 0.19;
const TOGETHER = 0.01;

/** Lifetimes end within their last quarter, so that connections opened together are not replaced together. */
const LIFETIME_SPREAD = 0.25;

/** What upkeep asks of its pool. */
export interface UpkeepHost<C> {
  ping(entry: PooledConnection<C>): void;
  retire(entry: PooledConnection<C>, reason: 'expired' | 'idle'): void;
  /** Whether the pool follows demand at all. */
  isElastic(): boolean;
  /** Whether there are more connections than the pool must keep. */
  mayShrink(): boolean;
}

/** Keepalive, lifetime and idle time of all connections, on one timer. */
export class Upkeep<C> {
  private readonly alarm: Alarm;
  private stopped = false;

  constructor(
    private readonly settings: ResolvedSettings,
    private readonly clock: Clock,
    private readonly entries: Iterable<PooledConnection<C>>,
    private readonly host: UpkeepHost<C>,
  ) {
    this.alarm = new Alarm(clock, (now) => this.round(now), false);
  }

  /** Takes care of a connection that has just been opened. */
  enter(entry: PooledConnection<C>): void {
    entry.expiresAt = entry.connectedAt + this.settings.maxLifetime * (1 - LIFETIME_SPREAD * this.clock.random());
    this.spread(entry);
    this.lookAt(this.nextLook(entry, entry.connectedAt));
  }

  /** The pool's bounds have changed. */
  review(): void {
    this.lookAt(this.clock.now());
  }

  /** Chooses when, within the last fifth of the interval, the next ping is due. */
  spread(entry: PooledConnection<C>): void {
    entry.keepaliveShare = 1 - SPREAD * this.clock.random();
  }

  /** For good. */
  stop(): void {
    this.stopped = true;
    this.alarm.clear();
  }

  /** The pool may be closing, even since this very round began: a ping may have closed it. */
  private lookAt(time: number): void {
    if (!this.stopped) this.alarm.setFor(time);
  }

  private round(now: number): void {
    let next = Infinity;
    for (const entry of this.entries) {
      if (this.isDue(entry, now)) continue;
      next = Math.min(next, this.nextLook(entry, now));
    }
    this.lookAt(next);
  }

  /** Does what is due. True if it closed the connection, so that there is nothing more to look at. */
  private isDue(entry: PooledConnection<C>, now: number): boolean {
    const { keepalive, idleTimeout } = this.settings;
    if (entry.state === State.connecting || entry.state === State.closing) return true;
    if (entry.expiresAt <= now) return this.expire(entry);
    if (entry.state !== State.idle) return false;
    if (entry.leasedAt + idleTimeout <= now && this.host.mayShrink()) {
      this.host.retire(entry, 'idle');
      return true;
    }
    if (entry.activeAt + keepalive * (entry.keepaliveShare - TOGETHER) <= now) this.host.ping(entry);
    return false;
  }

  private expire(entry: PooledConnection<C>): boolean {
    if (entry.state === State.idle) this.host.retire(entry, 'expired');
    // In use: its return will find it doomed, and needs to look at no clock.
    else entry.doom ??= 'expired';
    return true;
  }

  /** When something may be due for the connection, at the earliest. What is in use now becomes idle now at the earliest. */
  private nextLook(entry: PooledConnection<C>, now: number): number {
    const { keepalive, idleTimeout } = this.settings;
    const idle = entry.state === State.idle;
    const pingAt = (idle ? entry.activeAt : now) + keepalive * entry.keepaliveShare;
    const idleUntil = (idle ? entry.leasedAt : now) + idleTimeout;
    // What could not be closed though its time was up waits for the pool to grow: another idle time is soon enough.
    const shrinkAt = idleUntil > now ? idleUntil : now + idleTimeout;
    return Math.min(entry.expiresAt, pingAt, this.host.isElastic() ? shrinkAt : Infinity);
  }
}
