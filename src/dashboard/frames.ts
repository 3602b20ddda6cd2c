/*
 * What the page is sent, as JSON. The short forms are what makes ten thousand connections cheap to follow: of those that are
 * as they were a moment ago nothing is sent.
 */

/** The states of a connection, in the order of their codes. `none` is a slot in which there is no connection now. */
export const CELL_STATES = ['none', 'connecting', 'idle', 'leased', 'checking', 'closing'] as const;

/** Of each connection that has changed four numbers: its slot, the code of its state, its leases, when it was opened (ms). */
export type CellChanges = number[];

/** The figures of a pool at one moment. */
export interface Figures {
  /** How many connections it keeps at least, and has at most. */
  readonly min: number;
  readonly max: number;
  readonly open: number;
  readonly idle: number;
  readonly leased: number;
  readonly checking: number;
  readonly connecting: number;
  readonly closing: number;
  readonly waiting: number;
  /** How long the first of them has waited, in milliseconds. */
  readonly longestWait: number;
  /** Since when no connection can be opened, and why; null while they can. */
  readonly down: { readonly since: number; readonly error: string } | null;
  /** Leases given in a second, since the last look. */
  readonly rate: number;
  /** Since the pool was made. */
  readonly acquired: number;
  readonly lost: number;
  readonly replaced: number;
  readonly connectFailures: number;
  readonly acquireTimeouts: number;
}

/** What the lines are drawn of. Waits are in milliseconds; null where nobody asked. */
export interface Point {
  readonly leased: number;
  readonly idle: number;
  readonly waiting: number;
  readonly p50: number | null;
  readonly p99: number | null;
}

/** The points of some time, a list for each line. */
export type History = { readonly [K in keyof Point]: Array<Point[K] | null> };

/** Something that happened. */
export interface Happening {
  /** Counted from 1, so that the page can tell what it has already. */
  readonly id: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly kind: HappeningKind;
  /** The pool, or for retries the method. */
  readonly subject: string;
  readonly text: string;
  /** Where a leaked lease was taken. */
  readonly stack?: string;
}

export type HappeningKind =
  | 'lost'
  | 'replaced'
  | 'renewed'
  | 'closed'
  | 'down'
  | 'back'
  | 'failed connect'
  | 'time-out'
  | 'retry'
  | 'give-up'
  | 'leak';

/** What has changed since the frame before. A pool that is not in it is gone. */
export interface Frame {
  readonly at: number;
  readonly pools: ReadonlyArray<{
    readonly name: string;
    readonly figures: Figures;
    readonly point: Point;
    /** How many slots there are. */
    readonly slots: number;
    readonly changes: CellChanges;
  }>;
  readonly happenings: readonly Happening[];
}

/** All there is to know, for a page that has just been opened. */
export interface Snapshot {
  readonly at: number;
  /** Since when the pools have been looked at. */
  readonly since: number;
  readonly times: readonly number[];
  readonly pools: ReadonlyArray<{
    readonly name: string;
    readonly figures: Figures;
    readonly history: History;
    readonly slots: number;
    readonly changes: CellChanges;
  }>;
  readonly happenings: readonly Happening[];
}
