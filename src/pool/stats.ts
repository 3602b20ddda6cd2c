import type { CloseReason } from './connection-factory.js';

/** What a pool is doing, and has done. */
export interface PoolStats {
  /** How many connections it is to have: its maximum, if elastic. */
  readonly size: number;
  /** idle + leased + checking. */
  readonly open: number;
  readonly idle: number;
  readonly leased: number;
  /** Being pinged or reset. */
  readonly checking: number;
  readonly connecting: number;
  /** Parting politely, their slots still taken. */
  readonly closing: number;
  /** Callers in the queue. */
  readonly waiting: number;
  /** How long the first of them has waited, in milliseconds; 0 if nobody waits. */
  readonly longestWait: number;
  /** What the last connect that failed, failed with. */
  readonly lastConnectError: unknown;
  /**
   * Since when connects have been failing, in milliseconds since the epoch. Undefined while they do not, and while none is
   * wanted and the connections that there are serve.
   */
  readonly downSince: number | undefined;
  readonly totals: PoolTotals;
}

/** One connection of a pool. */
export interface ConnectionInfo {
  /** Which of its pool it is, counted from 1 in the order in which they were begun; never given twice. */
  readonly number: number;
  /** What it does; checking is being pinged or reset. */
  readonly state: 'connecting' | 'idle' | 'leased' | 'checking' | 'closing';
  /** How long ago it was opened, in milliseconds; 0 while it connects. */
  readonly age: number;
  /** Leases given. */
  readonly uses: number;
  /** Why it is to be closed as soon as nobody holds it, if it is. */
  readonly doom: CloseReason | undefined;
}

/** Counts since the pool was made. */
export interface PoolTotals {
  /** Leases given. */
  readonly acquired: number;
  /** Connections opened, those that came too late included. Once all is closed, the sum of `closed`. */
  readonly connected: number;
  /** Failed connects; a connection lost at once, before it had served, is one. */
  readonly connectFailures: number;
  readonly acquireTimeouts: number;
  readonly pings: number;
  readonly closed: Readonly<Record<CloseReason, number>>;
}

/** The totals while they are counted. */
export class Totals {
  acquired = 0;
  connected = 0;
  connectFailures = 0;
  acquireTimeouts = 0;
  pings = 0;
  readonly closed: Record<CloseReason, number> = {
    broken: 0,
    expired: 0,
    idle: 0,
    recycled: 0,
    surplus: 0,
    shutdown: 0,
  };

  snapshot(): PoolTotals {
    const { acquired, connected, connectFailures, acquireTimeouts, pings } = this;
    return { acquired, connected, connectFailures, acquireTimeouts, pings, closed: { ...this.closed } };
  }
}
