import type { Reception } from './capabilities.js';
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

function bits(...states: State[]): number {
  return states.reduce<number>((mask, state) => mask | (1 << state), 0);
}

/** Something under way on a connection, which closing it gives up. */
interface Pending {
  giveUp(reason: unknown): void;
}

/** One connection of a pool, from the beginning of its connect to its end. */
export class PooledConnection<C> {
  /** Changed by {@link Census.move} alone. */
  state: State = State.connecting;
  /** Set once connected. */
  connection!: C;
  /** Why it is to be closed as soon as nobody holds it. */
  doom: CloseReason | undefined;
  /** Whether something tells of its death while nobody uses it. */
  watched = false;
  stopWatching: (() => void) | undefined;
  /** The connect, ping or reset that is under way. */
  pending: Pending | undefined;
  /** Whether it has completed a lease or a ping, or lived for a second: then its loss is no failed connect. */
  proven = false;
  /** The outage in which its connect was begun, if any. */
  begunIn: object | undefined;
  uses = 0;
  connectedAt = 0;
  /** When it was last used or pinged. */
  activeAt = 0;
  /** When its last lease ended. */
  leasedAt = 0;
  expiresAt = Infinity;
  /** The part of the keepalive interval after which it is pinged. */
  keepaliveShare = 1;
  /** Whether it is a stream, which can tell whether it is usable. */
  isStream = false;
  /** Of an idle stream: what it had received when it became idle. */
  reception: Reception | undefined;
  /** What a leak report needs, while leased and if asked for. */
  leak: unknown;
  /** Neighbours in the idle queue. */
  older: PooledConnection<C> | undefined;
  newer: PooledConnection<C> | undefined;
}

/** Closed or being closed: nobody may have it any more. */
export function isGone(entry: PooledConnection<unknown>): boolean {
  return entry.state === State.closing || entry.state === State.closed;
}

/** How many connections are in each state; counted as they change. */
export class Census {
  private readonly counts = [0, 0, 0, 0, 0, 0];

  /** Counts a connection that begins to connect. */
  enter(): void {
    this.counts[State.connecting]!++;
  }

  move(entry: PooledConnection<unknown>, to: State): void {
    const from = entry.state;
    if ((FOLLOWERS[from] & (1 << to)) === 0) {
      throw new Error(`bug: a connection cannot go from ${STATE_NAMES[from]} to ${STATE_NAMES[to]}`);
    }
    this.counts[from]!--;
    this.counts[to]!++;
    entry.state = to;
  }

  get connecting(): number {
    return this.counts[State.connecting]!;
  }

  get idle(): number {
    return this.counts[State.idle]!;
  }

  get leased(): number {
    return this.counts[State.leased]!;
  }

  get checking(): number {
    return this.counts[State.checking]!;
  }

  get closing(): number {
    return this.counts[State.closing]!;
  }

  get open(): number {
    return this.idle + this.leased + this.checking;
  }

  /** Those that will serve: open or about to be. */
  get live(): number {
    return this.open + this.connecting;
  }

  /** All that take a slot. */
  get total(): number {
    return this.live + this.closing;
  }
}
