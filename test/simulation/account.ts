import type { CloseReason, ConnectContext } from '../../src/pool/connection-factory.js';
import type { Behaviour, Call } from './behaviour.js';
import type { Caller } from './caller.js';
import type { SimulatedConnection } from './connections.js';

/** One call of connect(). */
export class Dial {
  settled = false;
  endedAt = Infinity;
  /** It failed, or yielded what can be no connection. */
  failed = false;
  /** The pool has given it up, which has been looked at. */
  isGivenUp = false;

  constructor(
    readonly at: number,
    /** The turn in which it was begun. */
    readonly begunIn: number,
    readonly context: ConnectContext,
  ) {}
}

/** A ping or a reset that is under way. */
export interface Check {
  readonly hook: 'keepalive' | 'reset';
  readonly at: number;
  readonly signal: AbortSignal;
  ended: boolean;
}

/** What the world knows of one connection, without having asked the pool. */
export class Account {
  holder: Caller | undefined;
  check: Check | undefined;
  /** The signal of its last check, which was over in time. */
  lastSignal: AbortSignal | undefined;
  lastCheckIn = -1;
  /** What isUsable() says, since which turn, and what it does to the pool when it is asked next. */
  answer: 'yes' | 'no' | 'throws' | 'rejects' = 'yes';
  answerIn = -1;
  answerCalls: Call | undefined;
  /** The last turn in which it was asked. */
  askedIn = -1;
  /** Tells the pool of its death. */
  broken: ((error?: unknown) => void) | undefined;
  /** How it is watched. */
  watch: Behaviour['watch'];
  /** How often its watch was begun and stopped. */
  watches = 0;
  watchesStopped = 0;
  isDead = false;
  /** The turn in which the pool was told of its death: not before it watches, and never if nothing tells. */
  diedIn: number | undefined;
  /** Why nobody may have it any more, and since which turn. */
  condemned: { readonly why: string; readonly turn: number } | undefined;
  /** Whatever entitles the pool to close it as broken. */
  readonly wounds = new Set<string>();
  /** The last turn in which it was opened, lent, returned or checked: the pool may learn of that a few jobs later. */
  movedIn: number;
  /** When a reply from outside last made it free: its connect, its check or the work on it was over. */
  arrivedAt = -1;
  /** The turn in which a sibling broke; until it is pinged it is not to be lent. */
  suspectSince: number | undefined;
  /** The turn in which it first completed a lease or a ping: its loss is no failed connect any more. */
  provenIn = Infinity;
  /** Its loss is known, and counted. */
  isMourned = false;
  /** Its work was given up, which is no news of the connection. */
  isUnsure = false;
  /** Borrowed and not yet reset. */
  dirty = false;
  uses = 0;
  activeAt: number;
  leasedAt: number;
  /** Undefined while it is open. `'polite'`: closed by a method of its own, which is told no reason. */
  closedFor: CloseReason | 'polite' | undefined;
  closedAt = Infinity;
  closedIn = Infinity;
  closeSettledIn = Infinity;

  constructor(
    readonly id: number,
    readonly connection: SimulatedConnection,
    readonly dial: Dial,
    readonly openedAt: number,
    /** The turn in which it was opened. */
    readonly openedIn: number,
  ) {
    this.movedIn = openedIn;
    this.activeAt = openedAt;
    this.leasedAt = openedAt;
  }

  /** A promise that it returns by mistake says yes, like anything but false. */
  get isUnusable(): boolean {
    return this.answer === 'no' || this.answer === 'throws';
  }

  /** Its connect had been given up before it was open. */
  get isLate(): boolean {
    return this.dial.context.signal.aborted;
  }

  get isOpen(): boolean {
    return this.closedFor === undefined;
  }

  /** Neither held nor being checked, as far as anybody outside can tell. */
  get isFree(): boolean {
    return this.isOpen && this.holder === undefined && this.check === undefined;
  }
}
