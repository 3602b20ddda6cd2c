import type { CloseReason, ConnectContext } from '../../src/pool/connection-factory.js';
import { Account, Dial, type Check } from './account.js';
import { Books, show } from './books.js';
import { Caller } from './caller.js';
import type { SimulatedConnection } from './connections.js';
import { auditLending, couldServe } from './lending.js';
import { whyNotClosed, whyNotPinged } from './reasons.js';

/** More connects than this within a millisecond: a busy loop. */
const BUSY = 500;

/**
 * What the world saw: each connection and caller, noted as things happen. What is wrong with a single call of a hook, or
 * with what a single caller got, is found here.
 */
export class Ledger extends Books {
  private readonly byConnection = new Map<SimulatedConnection, Account>();
  /** Connects within a millisecond, and when the first of them was begun. */
  private dialsNow = 0;
  private busySince = -Infinity;

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
    const wrong = this.pace.begin(this.now, downSince, stats.totals.connectFailures, context.attempt);
    if (wrong !== undefined) this.fault(wrong);
    this.dialsNow = this.now < this.busySince + 1 ? this.dialsNow + 1 : 1;
    if (this.dialsNow === 1) this.busySince = this.now;
    if (this.dialsNow > BUSY) {
      if (this.dialsNow === BUSY + 1) this.fault(`connect() was called ${BUSY} times within a millisecond`);
      return undefined;
    }
    const dial = new Dial(this.now, this.turn, context);
    this.dials.push(dial);
    this.dialling.add(dial);
    this.failures.begun(dial);
    return dial;
  }

  dialEnded(dial: Dial, failed: boolean): void {
    dial.settled = true;
    dial.endedAt = this.now;
    dial.failed = failed;
    this.dialling.delete(dial);
  }

  opened(account: Account): void {
    this.dialEnded(account.dial, false);
    this.accounts.push(account);
    this.live.add(account);
    this.byConnection.set(account.connection, account);
    this.noteArrival(account);
    this.auditMissed(account);
  }

  private noteArrival(account: Account): void {
    account.arrivedAt = this.isArriving && !this.isInHook ? this.now : -1;
  }

  /** P13: what has arrived during a stall comes first; then it is told whose time is up. */
  private auditMissed(account: Account): void {
    if (account.arrivedAt !== this.now || !this.missedAt.includes(this.now) || !couldServe(this, account)) return;
    this.fault(`connection ${account.id} came just after a caller was told that his time was up`);
  }

  /** A caller was told that his time is up. */
  timedOut(caller: Caller): void {
    if (caller.deadline <= caller.cameAt) return;
    this.timedOutAt.push(this.now);
    for (const other of this.waiting) if (other.number < caller.number) return;
    this.missedAt.push(this.now);
  }

  accountOf(connection: SimulatedConnection): Account {
    return this.byConnection.get(connection)!;
  }

  checkBegan(account: Account, check: Check): void {
    this.look(`in ${check.hook}()`);
    const { id, holder } = account;
    if (check.hook === 'keepalive') {
      this.pings++;
      const needless = whyNotPinged(this, account);
      if (needless !== undefined) this.fault(`connection ${id} was pinged for nothing: ${needless}`);
    }
    if (!account.isOpen) this.fault(`connection ${id} was closed, then ${check.hook} was called`);
    if (holder !== undefined) this.fault(`${check.hook} was called on connection ${id}, which ${String(holder)} holds`);
    if (account.check !== undefined && this.isUnderWay(account.check)) {
      this.fault(`${check.hook} was called on connection ${id} during its ${account.check.hook}`);
    }
    account.check = check;
  }

  checkEnded(account: Account, check: Check, failure: string | undefined): void {
    check.ended = true;
    if (account.check !== check) return;
    account.check = undefined;
    account.movedIn = this.turn;
    this.noteArrival(account);
    if (check.signal.aborted) return;
    account.lastSignal = check.signal;
    account.lastCheckIn = this.turn;
    account.activeAt = this.now;
    if (failure !== undefined) {
      this.condemn(account, failure);
      if (check.hook === 'keepalive') this.broke(account);
    } else if (check.hook === 'reset') {
      account.dirty = false;
    } else {
      account.suspectSince = undefined;
      this.pace.proved(this.now);
      this.failures.served(account);
    }
    if (failure === undefined) this.auditMissed(account);
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
    const wrong = whyNotClosed(this, account, reason);
    if (wrong !== undefined) this.fault(`connection ${id} was closed as ${reason}, but ${wrong}`);
    if (reason === 'broken' && !account.isUnsure) this.failures.mourned(account);
    if (check?.hook === 'keepalive' && reason === 'broken' && this.isOverdue(check)) this.broke(account);
    // Of one that has only just ended the pool may not know.
    if (account.lastSignal?.aborted === true && account.lastCheckIn < this.turn) {
      this.fault(`connection ${id} is closed, and a check that was over long ago is given up`);
    }
    if (check !== undefined) this.cutOff.push(check);
    // That the work on it is over the pool may learn only later; and what it was about to lend it counts as lent.
    const isDoubtful = forced && (account.movedIn === this.turn || this.isInHook);
    if (holder !== undefined || isDoubtful) this.forced.add(holder !== undefined);
    // One that has lived out its time has held; one that is closed by a method of its own may have.
    if (reason === 'idle' || reason === 'expired' || reason === 'polite') this.failures.held(account);
    this.closedFor[reason]++;
    this.closings.add(account);
    account.closedFor = reason;
    account.closedAt = this.now;
    this.lastCloseAt = this.now;
    account.closedIn = this.turn;
    this.live.delete(account);
    if (reason !== 'broken') this.parting.add(account);
  }

  /** It was cut off after a close that failed or took too long. */
  destroyed(account: Account): void {
    const isSlow = this.isPast(account.closedAt, this.limits.closeTimeout);
    if (this.closings.delete(account) && isSlow) this.slowCloses.add(true);
  }

  closeEnded(account: Account): void {
    if (this.closings.delete(account) && this.isPast(account.closedAt, this.limits.closeTimeout)) {
      this.slowCloses.add(false);
    }
    account.closeSettledIn = Math.min(account.closeSettledIn, this.turn);
    this.parting.delete(account);
  }

  /** What isUsable() was told to say. */
  asked(account: Account): void {
    this.look('in isUsable()');
    account.askedIn = this.turn;
    if (account.answer === 'no' || account.answer === 'throws') account.wounds.add('isUsable() said so');
  }

  died(account: Account, isTold: boolean): void {
    account.isDead = true;
    if (!isTold) return;
    account.wounds.add('it died');
    account.diedIn = this.turn;
    this.failures.mourned(account);
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
    this.grants++;
    auditLending(this, caller, account, waitingBefore);
    // Lent, and closed before the caller could learn of it.
    if (!account.isOpen) this.forced.add(true);
    // Lent before the sibling broke; the caller has only just learned of it.
    account.suspectSince = undefined;
    account.movedIn = this.turn;
    this.answered(caller, 'served');
    caller.account = account;
    caller.servedAt = this.now;
    account.holder = caller;
    account.uses++;
    // Bytes that came to a stream after it had been lent are its borrower's.
    if (!this.limits.hasIsUsable && account.answer === 'throws') account.answer = 'yes';
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
    if (!this.closing && !caller.isGone) this.started = true;
    return caller;
  }

  answered(caller: Caller, answer: 'served' | 'refused'): void {
    caller.state = answer;
    this.waiting.delete(caller);
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
    caller.returnedAt = this.now;
    account.holder = undefined;
    account.movedIn = this.turn;
    this.noteArrival(account);
    account.activeAt = this.now;
    account.leasedAt = this.now;
    if (verdict === 'intact') {
      this.gaveBack(account);
      return;
    }
    if (!account.isOpen) return;
    this.condemn(account, why);
    if (verdict === 'unsure') account.isUnsure = account.diedIn === undefined;
    // A death that was told has been a break already.
    else if (account.diedIn === undefined) this.broke(account);
  }

  /** The work was well, and so is the connection unless it says otherwise. */
  private gaveBack(account: Account): void {
    this.pace.proved(this.now);
    if (!account.isOpen || account.diedIn !== undefined) return;
    const isUnusable = this.limits.canTell && account.isUnusable && account.answerIn < this.turn;
    if (isUnusable) this.condemn(account, 'it said on its return that it is unusable');
    else this.failures.served(account);
    if (!this.limits.hasReset) this.auditMissed(account);
  }
}
