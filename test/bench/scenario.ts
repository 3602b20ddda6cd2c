import type { Check } from './check.js';

/** Something that is measured, with all who take part. */
export interface Scenario {
  readonly name: string;
  /** In which unit, and of what one: `'ns'` and `'lease'`. */
  readonly unit: 'ns' | 'bytes';
  readonly per: string;
  /** Whom the others are compared with. */
  readonly reference: string;
  readonly contestants: Readonly<Record<string, Open>>;
  /** What we want to reach. */
  readonly goal?: Goal;
  /** `false`: that an AsyncLocalStorage is active makes no difference here, so it is not measured besides. */
  readonly als?: false;
  /** Left out of a short run: one batch of some contestants takes seconds. */
  readonly isLong?: true | undefined;
  /** What all contestants need and share, in a process of its own or of the operating system's. */
  readonly startService?: () => Promise<Service>;
  /** What the machine lacks for it, in one line; undefined if it lacks nothing. */
  readonly whatIsMissing?: () => Promise<string | undefined>;
}

/** Sets the scenario up for one contestant, in the process that is this contestant's alone. */
export type Open = (check: Check, address: string) => Promise<Run>;

export interface Run {
  /** Some of it: short enough to be repeated until the time for a sample is over. */
  batch(): Promise<Reading>;
  /** What else is to be shown, by its name: of the batches since the last call. */
  readonly also?: () => Figures;
}

/** Figures besides the cost, in the scenario's unit. */
export type Figures = Readonly<Record<string, number>>;

/** What something cost altogether, and how often it was done. */
export interface Reading {
  readonly cost: number;
  readonly count: number;
}

/** At most so many times the reference's, at most so many units, or at most so many units more than the reference's. */
export type Goal = { readonly times: number } | { readonly units: number } | { readonly more: number };

export interface Service {
  /** Handed to each contestant. */
  readonly address: string;
  stop(): Promise<void>;
}

/** Nanoseconds. */
export async function timed(count: number, work: () => Promise<void>): Promise<Reading> {
  const start = process.hrtime.bigint();
  await work();
  return { cost: Number(process.hrtime.bigint() - start), count };
}
