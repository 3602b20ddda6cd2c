import type { Duration } from '../../src/pool/duration.js';
import { duration, oneOf, text as anyText, wholeNumber, type Rule } from '../../src/pool/rules.js';
import type { Stage, Way } from './way.js';

/** A number from 0 to less than 1, from a seed. */
export type Random = () => number;

/** An option of a fault: what may be given for it, what it is if nothing is given, and what a random script gives. */
export interface Option<T, Given = T> {
  readonly rule: Rule<T>;
  readonly usual: T;
  readonly draw: (random: Random) => T;
  /** Only for its type. */
  readonly given?: Given;
}

/** What it usually is, and the most that a random script draws. */
export function milliseconds(usual: number, most = 50): Option<number, Duration> {
  return { rule: duration(), usual, draw: (random) => wholeBetween(0, most, random) };
}

export function count(usual: number, least: number, most: number): Option<number> {
  return { rule: wholeNumber(1), usual, draw: (random) => wholeBetween(least, most, random) };
}

export function text(usual: string): Option<string> {
  return { rule: anyText(), usual, draw: () => usual };
}

export function wholeBetween(least: number, most: number, random: Random): number {
  return least + Math.floor(random() * (most - least + 1));
}

export type Options = Readonly<Record<string, Option<unknown, unknown>>>;
export type ValuesOf<O extends Options> = { readonly [K in keyof O]: O[K]['usual'] };
export type GivenOf<O extends Options> = { readonly [K in keyof O]?: O[K]['given'] };

/** What a fault can do to a connection besides what it does to the packets on their way. */
export interface FaultyConnection {
  /** Cuts both sides off with a RST. */
  reset(): void;
  /** Sends a FIN to both sides, and nothing after it. */
  end(): void;
  /** Takes the server away: one that was not dialled yet never is, one that was gets a RST. The client is told nothing. */
  isolate(): void;
  /** Says to the client what the server did not say. */
  say(text: string): void;
  /** Calls back after so many milliseconds, unless the connection is closed by then. */
  later(delay: number, act: () => void): void;
  /** The connection's own seeded numbers. */
  random(): number;
}

/** A way in which a connection can be bad. Without `begin` and `stage` there is nothing wrong with it. */
export interface Fault<O extends Options = Options> {
  /** What it does, in a few words. */
  readonly does: string;
  readonly options: O;
  /** Whether it makes up bytes, which random scripts must not: nothing can be said of what a client makes of them. */
  readonly corrupts?: boolean;
  /** What happens when it begins: at accept, when it is applied, or when its time has come. */
  begin?(connection: FaultyConnection, options: ValuesOf<O>): void;
  /** What becomes of the packets from then on; called once for each way. */
  stage?(way: Way, options: ValuesOf<O>, connection: FaultyConnection): Stage;
}

/** Puts a fault together, so that the types of its options are known where it acts. */
export function fault<O extends Options>(
  does: string,
  options: O,
  acts: Pick<Fault<O>, 'begin' | 'stage' | 'corrupts'> = {},
): Fault<O> {
  return { does, options, ...acts };
}

/** When a fault begins, and which way it acts on; every fault takes these. Not given: at once, and on both ways. */
export interface Timing {
  /** So long after the accept, or after it was applied. */
  readonly after?: Duration;
  /** When so many bytes have gone through, to the byte: the rest of a packet is already subject to it. */
  readonly afterBytes?: number;
  /** When nothing has gone through for so long. */
  readonly afterIdle?: Duration;
  /** `'up'` is from the client to the server. It also says which bytes `afterBytes` counts. */
  readonly way?: 'both' | 'up' | 'down';
}

/** The timing as it was read. Where several are given, what comes true first counts. */
export type ReadTiming = { readonly [K in keyof Timing]: K extends 'way' ? Timing[K] : number | undefined };

export const TIMING_RULES: { readonly [K in keyof Timing]-?: Rule<unknown> } = {
  after: duration(),
  afterBytes: wholeNumber(1),
  afterIdle: duration({ above: 0 }),
  way: oneOf('both', 'up', 'down'),
};
