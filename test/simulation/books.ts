import type { CloseReason } from '../../src/pool/connection-factory.js';
import type { ConnectionPool } from '../../src/pool/connection-pool.js';
import type { SizeBounds } from '../../src/pool/settings.js';
import type { PoolStats } from '../../src/pool/stats.js';
import type { Account, Check, Dial } from './account.js';
import type { Caller } from './caller.js';
import type { SimulatedConnection } from './connections.js';
import { Count, Failures } from './failures.js';
import type { Limits } from './limits.js';
import { Pace } from './pace.js';
import { Report } from './report.js';

/** Rounding, where times are sums of fractions of milliseconds. */
const ROUNDING = 1e-9;

/**
 * What is known at a moment, without trust in the pool's own counts; and what must hold of these at every instant, looked
 * at in every hook and after every step. What must hold once everything has settled is in audit.ts.
 */
export class Books {
  /** What was wrong; the first is what matters. */
  readonly faults: string[] = [];
  readonly accounts: Account[] = [];
  readonly dials: Dial[] = [];
  readonly callers: Caller[] = [];
  /** When, in this turn, callers were told that their time was up; and those of them who were next to be served. */
  readonly timedOutAt: number[] = [];
  readonly missedAt: number[] = [];
  /** Of the callers those who have got no answer yet, in the order in which they came. */
  readonly waiting = new Set<Caller>();
  pool!: ConnectionPool<SimulatedConnection>;
  /** Counts the times at which every promise job was done. */
  turn = 0;
  looks = 0;
  /** When the event loop last went on after it had stood still. */
  stalledUntil = -1;
  /** Something from outside is arriving just now. */
  isArriving = false;
  /** A hook, or a listener of its signal, is calling the pool. */
  isInHook = false;
  /** What the pool writes. */
  readonly report = new Report((what) => this.fault(what));
  readonly failures = new Failures(this);
  /** By the reasons that the hook close() was told. */
  readonly closedFor: Record<CloseReason | 'polite', number> = {
    broken: 0,
    expired: 0,
    idle: 0,
    recycled: 0,
    surplus: 0,
    shutdown: 0,
    polite: 0,
  };
  /** Checks that were under way when their connection was closed, in this turn. */
  readonly cutOff: Check[] = [];
  /** Connections that were closed while somebody held them. */
  readonly forced = new Count();
  pings = 0;
  grants = 0;
  timeouts = 0;
  bounds: SizeBounds;
  started = false;
  /** When the pool began to close, and when it closes what is still leased. */
  closing = false;
  closeDeadline = Infinity;
  /** When a close was last begun. */
  lastCloseAt = 0;
  /** When all connections were last to be replaced, the bounds changed, and a connection broke. */
  recycledAt = -1;
  recycledIn = -1;
  resizedAt = -1;
  resizedIn = -1;
  /** How many connects may be given up in this turn, since a resize to less leaves no room for them. */
  mayGiveUp = 0;
  brokeAt = -1;
  /** Open, and closed politely but not gone yet. */
  readonly live = new Set<Account>();
  readonly parting = new Set<Account>();
  /** All closes that are under way, in the order in which they were begun; and those that took too long. */
  readonly closings = new Set<Account>();
  readonly slowCloses = new Count();
  readonly dialling = new Set<Dial>();
  protected readonly pace: Pace;
  /** The most connections that there may be now: more than the bounds allow only after a resize to less. */
  private ceiling: number;

  constructor(
    readonly limits: Limits,
    private readonly clock: { now(): number },
  ) {
    this.bounds = limits.size;
    this.ceiling = limits.size.max;
    this.pace = new Pace(limits.reconnect);
  }

  get now(): number {
    return this.clock.now();
  }

  fault(what: string): void {
    this.faults.push(`at ${Math.round(this.now * 1_000) / 1_000} ms: ${what}`);
  }

  /** Looks at the pool's counts, which must hold at every instant. */
  look(where: string): PoolStats {
    this.looks++;
    const stats = this.pool.stats();
    const { idle, leased, checking, connecting, closing, open, totals } = stats;
    const sum = idle + leased + checking + connecting + closing;
    const closed = sumOf(totals.closed);
    if (Math.min(idle, leased, checking, connecting, closing, stats.waiting) < 0) {
      this.fault(`${where}: less than none: ${show(stats)}`);
    }
    if (open !== idle + leased + checking) this.fault(`${where}: open is ${open}: ${show(stats)}`);
    if (closed > totals.connected) this.fault(`${where}: ${closed} closed of ${totals.connected} connected`);
    if (connecting > this.limits.maxConnecting) this.fault(`${where}: ${connecting} connects in flight`);
    if (stats.waiting > this.limits.maxWaiting) this.fault(`${where}: ${stats.waiting} callers wait`);
    this.bound(where, sum, stats);
    return stats;
  }

  /** P2, by the pool's count and by the world's. */
  private bound(where: string, sum: number, stats: PoolStats): void {
    this.ceiling = Math.max(this.bounds.max, Math.min(this.ceiling, sum));
    if (sum > this.ceiling) this.fault(`${where}: ${sum} connections, and ${this.ceiling} may be: ${show(stats)}`);
    // Of several signals that are aborted, the listener of the first may call the pool before the others know.
    if (this.isInHook) return;
    const seen = this.dialsInFlight() + this.openConnections() + this.partingConnections();
    if (seen > this.ceiling) {
      this.fault(`${where}: ${seen} connections are there, and ${this.ceiling} may be: ${show(stats)}`);
    }
  }

  resized(bounds: SizeBounds): void {
    const becomesElastic = bounds.min < bounds.max && this.bounds.min === this.bounds.max;
    // What it was used for before need not have been noted: its idle time begins now.
    if (becomesElastic) for (const account of this.live) account.leasedAt = this.now;
    const { idle, leased, checking, connecting, closing } = this.pool.stats();
    this.mayGiveUp += Math.max(0, idle + leased + checking + connecting - bounds.max);
    this.ceiling = Math.max(bounds.max, idle + leased + checking + connecting + closing);
    this.bounds = bounds;
    this.resizedAt = this.now;
    this.resizedIn = this.turn;
  }

  /** How many more connects may be begun, and somebody has use for. */
  wanted({ open, connecting, closing, waiting, idle, checking }: PoolStats): number {
    const missing = this.started && !this.closing ? this.bounds.min - open - connecting : 0;
    const unserved = waiting - idle - checking - connecting;
    return Math.min(this.bounds.max - open - connecting - closing, Math.max(missing, unserved));
  }

  /** By when the next connect must have been begun, in the outage that began then. */
  nextDialBy(downSince: number): number {
    return this.pace.limit(downSince);
  }

  /** Of those that the pool has not given up. */
  dialsInFlight(): number {
    let count = 0;
    for (const { context, at } of this.dialling) {
      if (!context.signal.aborted && !this.isPast(at, this.limits.connectTimeout)) count++;
    }
    return count;
  }

  openConnections(): number {
    let count = 0;
    for (const account of this.live) if (!account.isLate) count++;
    return count;
  }

  /** Those of late connections take no slot, and those of broken ones neither. */
  partingConnections(): number {
    let count = 0;
    for (const { closedAt, isLate } of this.parting) {
      if (!isLate && !this.isPast(closedAt, this.limits.closeTimeout)) count++;
    }
    return count;
  }

  /** How many hold a connection for work that has no end. */
  get hogs(): number {
    return this.callers.filter(({ state, how, returned }) => state === 'served' && how === 'use' && !returned).length;
  }

  isUnderWay(check: Check): boolean {
    return !check.signal.aborted && !this.isOverdue(check);
  }

  isOverdue(check: Check): boolean {
    return this.isPast(check.at, this.limitOf(check));
  }

  /** So much time has passed since then. */
  isPast(since: number, limit: number): boolean {
    return this.now - since >= limit - ROUNDING;
  }

  /** Whether what is idle when a sibling breaks is replaced: so it is ruled, or nothing can tell whether it is well. */
  get replacesSuspects(): boolean {
    const { siblingsOnBreak, hasKeepalive, areWatched } = this.limits;
    return siblingsOnBreak === 'recycle' || (siblingsOnBreak === 'check' && !hasKeepalive && !areWatched);
  }

  private limitOf({ hook }: Check): number {
    return hook === 'keepalive' ? this.limits.keepaliveTimeout : this.limits.resetTimeout;
  }
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

export function show({ idle, leased, checking, connecting, closing, waiting, size }: PoolStats): string {
  return `${idle} idle, ${leased} leased, ${checking} checking, ${connecting} connecting, ${closing} closing of ${size}; ${waiting} waiting`;
}
