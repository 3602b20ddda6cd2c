import type { CloseReason } from '../../src/pool/connection-factory.js';
import type { PoolStats, PoolTotals } from '../../src/pool/stats.js';

/*
 * The story that the outcome matrix tells 768 times, of a pool of one connection. Each hook has its outcome once, the
 * first time that it is called, and is well ever after; a close has it the first time for each reason, since what follows
 * from it depends on the reason; and isUsable has it twice, at the first borrow and at one return. So each of the five is
 * called in every run, and does what its column says.
 *
 *         0  start: connect                                  4,000  recycle: a polite close
 *        10  early borrows (the first ask of isUsable)       4,050  fifth borrows
 *        20  second waits behind him; the first reset        5,000  spoiler borrows: unusable when it returns
 *     1,000  third borrows                                   5,010  sixth waits behind him
 *     3,020  the ping                                        6,000  seventh borrows, last waits behind him
 *     3,050  fourth borrows, maybe while it is under way     6,015  close; after it comes belated
 */
export const OUTCOMES = ['ok', 'fails', 'slow', 'hangs'] as const;
/** Of a hook. What a slow one yields comes after its time is up. */
export type Outcome = (typeof OUTCOMES)[number];
export const ANSWERS = ['true', 'false', 'throws'] as const;
/** Of isUsable. */
export type Answer = (typeof ANSWERS)[number];

export const HOOKS = ['connect', 'keepalive', 'reset', 'close'] as const;
export type Hook = (typeof HOOKS)[number];

/** One of the 768. */
export type Cell = Readonly<Record<Hook, Outcome>> & { readonly usable: Answer };

/** The time-out of each hook; no two alike, so that none can stand in for another. */
export const LIMITS: Readonly<Record<Hook, number>> = { connect: 100, keepalive: 110, reset: 120, close: 130 };
/** How long a slow one takes, whichever it is. */
export const SLOW = 150;
/** The first pause between failed connects, and the second; the story has no third. */
export const PAUSES = [200, 400] as const;
/** Longer than a newcomer is on probation, and than anything but the silence that is meant for the ping. */
export const KEEPALIVE = 2_000;
export const WORKS_FOR = 20;

export type Caller =
  'early' | 'second' | 'third' | 'fourth' | 'fifth' | 'spoiler' | 'sixth' | 'seventh' | 'last' | 'belated';

/** When each caller comes, and for how long he would wait; the others for as long as it takes. */
export const CALLERS: Readonly<Record<Caller, { readonly at: number; readonly patience?: number }>> = {
  early: { at: 10, patience: 150 },
  second: { at: 20 },
  third: { at: 1_000 },
  fourth: { at: 3_050 },
  fifth: { at: 4_050 },
  spoiler: { at: 5_000 },
  sixth: { at: 5_010 },
  seventh: { at: 6_000 },
  last: { at: 6_010 },
  belated: { at: 6_016 },
};

export const RECYCLES_AT = 4_000;
export const CLOSES_AT = 6_015;
/** When whatever went wrong is over, so that the pool is full and at rest. */
export const RESTS_AT = [990, 2_990, 3_990, 4_990, 5_990] as const;

/** What became of a caller. */
export type Fate =
  | { readonly by: number; readonly from: number; readonly until?: number }
  | { readonly error: string; readonly cause?: string; readonly at: number };

/** What the pool says of itself between two troubles. */
export type Rest = Readonly<
  Pick<PoolStats, 'idle' | 'open' | 'connecting' | 'closing' | 'waiting' | 'downSince'> & { at: number }
>;

/** What a run came to, and what it has to come to. */
export interface Account {
  /** The outcome of each call of each hook, in order. */
  readonly hooks: Readonly<Record<Hook, readonly Outcome[]>>;
  /** Each answer of isUsable, in order. */
  readonly answers: readonly Answer[];
  readonly connects: ReadonlyArray<{ readonly at: number; readonly attempt: number }>;
  readonly closes: ReadonlyArray<{ readonly connection: number; readonly reason: CloseReason; readonly at: number }>;
  readonly pingedAt: number;
  readonly callers: Readonly<Partial<Record<Caller, Fate>>>;
  /** When the pool, just started, was full; and when it was again, just recycled. */
  readonly fullAt: readonly number[];
  readonly rests: readonly Rest[];
  readonly closedAt: number;
  readonly totals: PoolTotals;
  /** What is left once the pool is closed and all that is late has come. */
  readonly left: Readonly<Pick<PoolStats, 'open' | 'connecting' | 'closing' | 'waiting'>> & {
    readonly timersAtClose: number;
    readonly timers: number;
    /** The events that somebody listens to, of each connection. */
    readonly listeners: ReadonlyArray<readonly string[]>;
  };
  /** What was wrong with the books in the midst of it; they are looked at inside every hook. */
  readonly faults: readonly string[];
}
