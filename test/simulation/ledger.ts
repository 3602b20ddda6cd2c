import type { ConnectionPool } from '../../src/pool/connection-pool.js';
import type { CloseReason, ConnectContext } from '../../src/pool/connection-factory.js';
import type { PoolStats } from '../../src/pool/stats.js';
import type { SizeBounds } from '../../src/pool/settings.js';
import { Account, Dial, type Check, type SimulatedConnection } from './account.js';
import { Caller } from './caller.js';
import { Pace } from './pace.js';
import type { Limits } from './limits.js';

/** Rounding, where times are sums of fractions of milliseconds. */
const ROUNDING = 1e-9;

/** More connects than this within a millisecond: a busy loop. */
const BUSY = 500;

/**
 * What the world saw: each connection and caller, noted as things happen, without trust in the pool's own books. What
 * must hold at every instant is checked here, in every hook and after every step; what must hold once everything has
 * settled is in audit.ts.
 */
export class Ledger {
  /** What was wrong; the first is what matters. */
  readonly faults: string[] = [];
  readonly accounts: Account[] = [];
  readonly dials: Dial[] = [];
  readonly callers: Caller[] = [];
  /** When, in this turn, callers were told that their time was up. */
  readonly timedOutAt: number[] = [];
  /** Of the callers those who have got no answer yet, in the order in which they came. */
  readonly waiting = new Set<Caller>();
  pool!: ConnectionPool<SimulatedConnection>;
  /** Counts the times at which every promise job was done. */
  turn = 0;
  looks = 0;
  /** Something from outside is arriving just now. */
  isArriving = false;
  /** A hook, or a listener of its signal, is calling the pool. */
  isInHook = false;
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
  brokeAt = -1;
  /** Open, and closed politely but not gone yet. */
  readonly live = new Set<Account>();
  readonly parting = new Set<Account>();
  readonly dialling = new Set<Dial>();
  private readonly byConnection = new Map<SimulatedConnection, Account>();
  private readonly pace: Pace;
  /** The most connections that there may be now: more than the bounds allow only after a resize to less. */
  private ceiling: number;
  /** Connects within a millisecond, and when the first of them was begun. */
  private dialsNow = 0;
  private busySince = -Infinity;

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
    this.ceiling = Math.max(bounds.max, idle + leased + checking + connecting + closing);
    this.bounds = bounds;
    this.resizedAt = this.now;
  }

  /** Of those that the pool has not given up. */
  dialsInFlight(): number {
    let count = 0;
    for (const { context, at } of this.dialling) {
      if (!context.signal.aborted && !this.isOver(at, this.limits.connectTimeout)) count++;
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
      if (!isLate && !this.isOver(closedAt, this.limits.closeTimeout)) count++;
    }
    return count;
  }

  /** How many hold a connection for work that has no end. */
  get hogs(): number {
    return this.callers.filter(({ state, how, returned }) => state === 'served' && how === 'use' && !returned).length;
  }

  // What the factory saw -------------------------------------------------------------------------------------------

  /** connect() was called. Undefined if the pool asks so often that it must be stopped. */
  dialled(context: ConnectContext): Dial | undefined {
    const stats = this.look('in connect()');
    const { idle, checking, open, waiting, downSince } = stats;
    const connecting = stats.connecting - 1;
    const sum = open + stats.connecting + stats.closing;
    if (sum > this.bounds.max) {
      this.fault(`a connect was begun though ${sum - 1} of ${this.bounds.max} slots were taken`);
    }
    const missing = !this.closing && open + connecting < this.bounds.min;
    if (!missing && waiting <= idle + checking + connecting) {
      this.fault(`a connect was begun that nobody needs: ${show(stats)}`);
    }
    const early = this.pace.begin(this.now, downSince, stats.totals.connectFailures);
    if (early !== undefined) this.fault(early);
    this.dialsNow = this.now < this.busySince + 1 ? this.dialsNow + 1 : 1;
    if (this.dialsNow === 1) this.busySince = this.now;
    if (this.dialsNow > BUSY) {
      if (this.dialsNow === BUSY + 1) this.fault(`connect() was called ${BUSY} times within a millisecond`);
      return undefined;
    }
    const dial = new Dial(this.now, this.turn, context);
    this.dials.push(dial);
    this.dialling.add(dial);
    return dial;
  }

  dialEnded(dial: Dial): void {
    dial.settled = true;
    this.dialling.delete(dial);
  }

  opened(account: Account): void {
    this.dialEnded(account.dial);
    this.accounts.push(account);
    this.live.add(account);
    this.byConnection.set(account.connection, account);
    this.noteArrival(account);
  }

  private noteArrival(account: Account): void {
    if (this.isArriving && !this.isInHook) account.arrivedAt = this.now;
  }

  accountOf(connection: SimulatedConnection): Account {
    return this.byConnection.get(connection)!;
  }

  checkBegan(account: Account, check: Check): void {
    this.look(`in ${check.hook}()`);
    const { id, holder } = account;
    if (check.hook === 'keepalive') this.pings++;
    if (!account.isOpen) this.fault(`connection ${id} was closed, then ${check.hook} was called`);
    if (holder !== undefined) this.fault(`${check.hook} was called on connection ${id}, which ${String(holder)} holds`);
    if (account.check !== undefined && this.isUnderWay(account.check)) {
      this.fault(`${check.hook} was called on connection ${id} during its ${account.check.hook}`);
    }
    account.check = check;
  }

  checkEnded(account: Account, check: Check, failure: string | undefined): void {
    if (account.check !== check) return;
    account.check = undefined;
    account.movedIn = this.turn;
    this.noteArrival(account);
    if (check.signal.aborted) return;
    account.activeAt = this.now;
    if (failure !== undefined) {
      this.condemn(account, failure);
      if (check.hook === 'keepalive') this.broke(account);
    } else if (check.hook === 'reset') {
      account.dirty = false;
    } else {
      account.suspectSince = undefined;
      this.pace.proved();
    }
  }

  isUnderWay(check: Check): boolean {
    return !check.signal.aborted && !this.isOver(check.at, this.limitOf(check));
  }

  private isOver(since: number, limit: number): boolean {
    return this.now - since >= limit - ROUNDING;
  }

  private limitOf({ hook }: Check): number {
    return hook === 'keepalive' ? this.limits.keepaliveTimeout : this.limits.resetTimeout;
  }

  /** The connection is closed; again, if it was cut off after a close that failed or took too long. */
  closeBegan(account: Account, reason: CloseReason | 'polite'): void {
    this.look(`in close(${reason})`);
    const { id, holder, check } = account;
    if (!account.isOpen) {
      this.fault(`connection ${id} was closed twice, for ${account.closedFor} and for ${reason}`);
      return;
    }
    const forced = this.closing && this.now >= this.closeDeadline;
    if (holder !== undefined && !forced) {
      this.fault(`connection ${id} was closed (${reason}) while ${String(holder)} holds it`);
    }
    if (check !== undefined && this.isUnderWay(check)) {
      this.fault(`connection ${id} was closed (${reason}) during its ${check.hook}, whose signal was not aborted`);
    }
    const wrong = this.whyNotFor(account, reason);
    if (wrong !== undefined) this.fault(`connection ${id} was closed as ${reason}, but ${wrong}`);
    if (check?.hook === 'keepalive' && reason === 'broken' && this.isOver(check.at, this.limitOf(check))) {
      this.broke(account);
    }
    account.closedFor = reason;
    account.closedAt = this.now;
    this.lastCloseAt = this.now;
    account.closedIn = this.turn;
    this.live.delete(account);
    if (reason !== 'broken') this.parting.add(account);
  }

  closeEnded(account: Account): void {
    account.closeSettled = true;
    this.parting.delete(account);
  }

  /** What the reason for a close is not true of. */
  private whyNotFor(account: Account, reason: CloseReason | 'polite'): string | undefined {
    const { maxUses, maxLifetime, idleTimeout, siblingsOnBreak } = this.limits;
    const { now } = this;
    switch (reason) {
      case 'broken': {
        const { check } = account;
        const overdue = check !== undefined && this.isOver(check.at, this.limitOf(check));
        return account.wounds.size === 0 && !overdue ? 'nothing is wrong with it' : undefined;
      }
      case 'expired':
        if (account.uses >= maxUses || now - account.openedAt >= maxLifetime * 0.75 - 1) return undefined;
        return `it was used ${account.uses} times and is ${now - account.openedAt} ms old`;
      case 'idle': {
        const { connecting, open } = this.pool.stats();
        if (open + connecting < this.bounds.min) return 'now there are fewer than the minimum';
        return now - account.leasedAt >= idleTimeout - 1 ? undefined : `it was used ${now - account.leasedAt} ms ago`;
      }
      case 'recycled': {
        const since = account.dial.at;
        const asked = this.recycledAt >= since || (siblingsOnBreak !== 'keep' && this.brokeAt >= since);
        return asked ? undefined : 'nobody asked for that';
      }
      case 'surplus':
        return account.isLate || this.resizedAt >= account.dial.at ? undefined : 'there was room for it';
      case 'shutdown':
        return this.closing ? undefined : 'the pool is not closing';
      case 'polite': {
        // The pool may have decided before it learned of it.
        const { condemned } = account;
        return condemned !== undefined && condemned.turn < this.turn ? `it is broken: ${condemned.why}` : undefined;
      }
    }
  }

  /** What isUsable() was told to say. */
  asked(account: Account): void {
    this.look('in isUsable()');
    if (account.answer !== 'yes') account.wounds.add('isUsable() said so');
  }

  died(account: Account, isTold: boolean): void {
    account.isDead = true;
    if (!isTold) return;
    account.wounds.add('it died');
    account.diedIn = this.turn;
    this.broke(account);
  }

  /** Nobody may have it any more. */
  condemn(account: Account, why: string): void {
    account.wounds.add(why);
    account.condemned ??= { why, turn: this.turn };
  }

  /** What broke one may have broken its idle siblings. */
  private broke(broken: Account): void {
    this.brokeAt = this.now;
    const { siblingsOnBreak, hasKeepalive, areWatched } = this.limits;
    if (siblingsOnBreak === 'keep' || this.closing) return;
    if (siblingsOnBreak === 'check' && !hasKeepalive && areWatched) return;
    for (const account of this.live) {
      const isIdle = account.isFree && !account.isLate && account.movedIn < this.turn;
      if (account !== broken && isIdle) account.suspectSince ??= this.turn;
    }
  }

  // What the callers saw -------------------------------------------------------------------------------------------

  /** @param waitingBefore how many waited when the caller came, if he was served before he could wait */
  served(caller: Caller, account: Account, waitingBefore: number | undefined): void {
    const { id } = account;
    const { now, turn, limits } = this;
    const fault = (what: string): void => this.fault(`${String(caller)} was given connection ${id}, ${what}`);
    this.grants++;
    if (caller.state !== 'waiting') fault(`but had been ${caller.state}`);
    if (account.holder !== undefined) fault(`which ${String(account.holder)} holds`);
    if (!account.isOpen && account.closedIn < turn) fault(`which was closed (${account.closedFor})`);
    if (account.check !== undefined && this.isUnderWay(account.check)) fault(`during its ${account.check.hook}`);
    if (account.condemned !== undefined && account.condemned.turn < turn) fault(`though ${account.condemned.why}`);
    if (account.diedIn !== undefined && account.diedIn < turn) fault('which was dead');
    if (account.suspectSince !== undefined && account.suspectSince < turn) {
      fault('which nobody looked at after a sibling broke');
    }
    if (limits.hasReset && account.dirty) fault('which nobody had reset');
    if (account.uses >= limits.maxUses) fault(`which had been used ${account.uses} times`);
    const idleFor = now - account.activeAt;
    if (idleFor > 0 && idleFor >= limits.checkAfterIdle) fault(`which nobody had looked at for ${idleFor} ms`);
    this.checkOrder(caller, waitingBefore);
    // Lent before the sibling broke; the caller has only just learned of it.
    account.suspectSince = undefined;
    account.movedIn = turn;
    this.answered(caller, 'served');
    caller.account = account;
    account.holder = caller;
    account.uses++;
    account.dirty = true;
  }

  /** Somebody comes. @param besides who was just coming when a hook that this set off brought him */
  came(
    how: Caller['how'],
    timeout: number | undefined,
    signal: AbortSignal | undefined,
    besides: Caller | undefined,
  ): Caller {
    const deadline = this.now + (timeout ?? this.limits.acquireTimeout);
    const caller = new Caller(this.callers.length + 1, how, this.now, deadline, signal, besides);
    this.callers.push(caller);
    this.waiting.add(caller);
    if (!this.closing) this.started = true;
    return caller;
  }

  answered(caller: Caller, answer: 'served' | 'refused'): void {
    caller.state = answer;
    this.waiting.delete(caller);
  }

  private checkOrder(caller: Caller, waitingBefore: number | undefined): void {
    if (waitingBefore !== undefined) {
      if (waitingBefore > 0) this.fault(`${String(caller)} was served at once though ${waitingBefore} waited`);
      return;
    }
    for (const other of this.waiting) {
      if (other.number >= caller.number) break;
      if (other !== caller.besides && other.isAhead(this.now)) {
        this.fault(`${String(caller)} was served before ${String(other)}`);
      }
    }
  }

  /**
   * The caller's lease is over. To be told before the pool is, which may give the connection away at once.
   *
   * @param verdict what the pool must make of it; `'unsure'`: a reply may still be on its way
   */
  returned(caller: Caller, verdict: 'intact' | 'broken' | 'unsure', why: string): void {
    const account = caller.account!;
    if (caller.returned) return;
    caller.returned = true;
    account.holder = undefined;
    account.movedIn = this.turn;
    this.noteArrival(account);
    account.activeAt = this.now;
    account.leasedAt = this.now;
    if (verdict === 'intact') {
      this.pace.proved();
      return;
    }
    if (!account.isOpen) return;
    this.condemn(account, why);
    // A death that was told has been a break already.
    if (verdict === 'broken' && account.diedIn === undefined) this.broke(account);
  }
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

export function show({ idle, leased, checking, connecting, closing, waiting, size }: PoolStats): string {
  return `${idle} idle, ${leased} leased, ${checking} checking, ${connecting} connecting, ${closing} closing of ${size}; ${waiting} waiting`;
}
