import type { Reception } from './capabilities.js';
import type { UseEvent } from './channels.js';
import type { CloseReason } from './connection-factory.js';

/**
 * The states of a connection.
 *
 *     connecting ──▶ idle ◀──▶ leased       checking: being pinged or reset
 *         │           ▲ ▲        │          closing: parting politely, its slot still taken
 *         │           │ └──▶ checking       connecting may also lead straight to leased, or to closing
 *         ▼           ▼          ▼
 *       closed ◀──────────── closing
 */
export const State = { connecting: 0, idle: 1, leased: 2, checking: 3, closing: 4, closed: 5 } as const;
export type State = (typeof State)[keyof typeof State];

// Asked at each lease: V8 looks up less of what is constant in this file than of what an object holds.
const { idle: IDLE, leased: LEASED } = State;

const STATE_NAMES = Object.keys(State) as Array<keyof typeof State>;

/** The states that may follow each state, one bit a state. */
const FOLLOWERS = [
  bits(State.idle, State.leased, State.closing, State.closed),
  bits(State.leased, State.checking, State.closing),
  bits(State.idle, State.checking, State.closing),
  bits(State.idle, State.leased, State.closing),
  bits(State.closed),
  bits(),
] as const;

const OPEN = bits(State.idle, State.leased, State.checking);

function bits(...states: State[]): number {
  return states.reduce<number>((mask, state) => mask | (1 << state), 0);
}

/** Something under way on a connection, which closing it gives up. */
interface Pending {
  giveUp(reason: unknown): void;
}

/** One connection of a pool, from the beginning of its connect to its end. */
export class PooledConnection<C> {
  // What every lease looks at comes first, so that it lies together in memory.
  /** Changed by the {@link Census} alone. */
  state: State = State.connecting;
  /** Set once connected. */
  connection!: C;
  /** Whether nothing but whose turn it is matters when it comes back: it has held, is not doomed, and is not observed. */
  isPlain = false;
  /** Where in the idle queue, while it is idle. */
  place = 0;
  private fate: CloseReason | undefined;
  private hasHeld = false;
  private observedUse: UseEvent | undefined;
  /** Leases given. */
  uses = 0;
  /** Whether it is a stream, which can tell whether it is usable. */
  isStream = false;
  /** What a leak report needs, while leased and if asked for. */
  leak: unknown;
  /** When it was last used or pinged. */
  activeAt = 0;
  /** When its last lease ended. */
  leasedAt = 0;
  /** Of an idle stream: what it had received when it became idle. */
  reception: Reception | undefined;
  /** Whether something tells of its death while nobody uses it. */
  watched = false;
  stopWatching: (() => void) | undefined;
  /** What it was lost by, as far as anybody said. */
  cause: unknown;
  /** The connect, ping or reset that is under way. */
  pending: Pending | undefined;
  /** The outage in which its connect was begun, if any. */
  begunIn: object | undefined;
  connectedAt = 0;
  expiresAt = Infinity;
  /** The part of the keepalive interval after which it is pinged. */
  keepaliveShare = 1;

  /** @param number which connection of its pool it is, counted from 1 in the order in which they were begun */
  constructor(readonly number = 0) {}

  /** Why it is to be closed as soon as nobody holds it. */
  get doom(): CloseReason | undefined {
    return this.fate;
  }

  set doom(reason: CloseReason | undefined) {
    this.fate = reason;
    this.review();
  }

  /** Whether it has completed a lease or a ping, or lived for a second: then its loss is no failed connect. */
  get proven(): boolean {
    return this.hasHeld;
  }

  set proven(hasHeld: boolean) {
    this.hasHeld = hasHeld;
    this.review();
  }

  /** What observers are told of its lease, until that is over. */
  get use(): UseEvent | undefined {
    return this.observedUse;
  }

  set use(event: UseEvent | undefined) {
    this.observedUse = event;
    this.review();
  }

  private review(): void {
    this.isPlain = this.hasHeld && this.fate === undefined && this.observedUse === undefined;
  }
}

export function nameOf(state: State): keyof typeof State {
  return STATE_NAMES[state]!;
}

export function isLeased(entry: PooledConnection<unknown>): boolean {
  return entry.state === LEASED;
}

/** Closed or being closed: nobody may have it any more. */
export function isGone(entry: PooledConnection<unknown>): boolean {
  return entry.state === State.closing || entry.state === State.closed;
}

/** How many connections are in each state; counted as they change, but for what is known elsewhere or follows from the rest. */
export class Census {
  connecting = 0;
  /** Idle, leased, or checking. */
  open = 0;
  /** Being pinged or reset. */
  checking = 0;
  closing = 0;

  /** @param queue of those that are idle */
  constructor(private readonly queue: { readonly length: number }) {}

  /** Counts a connection that begins to connect. */
  enter(): void {
    this.connecting++;
  }

  /** From idle to leased. Every lease makes this move and the one back, so they do not look up what may follow what. */
  lend(entry: PooledConnection<unknown>): void {
    if (entry.state !== IDLE) throw illegal(entry.state, LEASED);
    entry.state = LEASED;
  }

  /** From leased to idle. */
  rest(entry: PooledConnection<unknown>): void {
    if (entry.state !== LEASED) throw illegal(entry.state, IDLE);
    entry.state = IDLE;
  }

  /** From any state to any that may follow it. */
  move(entry: PooledConnection<unknown>, to: State): void {
    const from = entry.state;
    if ((FOLLOWERS[from] & (1 << to)) === 0) throw illegal(from, to);
    this.count(from, -1);
    this.count(to, 1);
    entry.state = to;
  }

  get idle(): number {
    return this.queue.length;
  }

  get leased(): number {
    return this.open - this.idle - this.checking;
  }

  /** Those that will serve: open or about to be. */
  get live(): number {
    return this.open + this.connecting;
  }

  /** All that take a slot. */
  get total(): number {
    return this.live + this.closing;
  }

  private count(state: State, by: number): void {
    if ((OPEN & (1 << state)) !== 0) this.open += by;
    if (state === State.connecting) this.connecting += by;
    else if (state === State.checking) this.checking += by;
    else if (state === State.closing) this.closing += by;
  }
}

function illegal(from: State, to: State): Error {
  return new Error(`bug: a connection cannot go from ${nameOf(from)} to ${nameOf(to)}`);
}
