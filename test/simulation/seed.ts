import * as fc from 'fast-check';
import { programmes, type Programme } from './programme.js';
import { run, type Outcome } from './run.js';

/** A programme that breaks a promise, as short as it was found. */
export interface Counterexample {
  readonly seed: number;
  readonly programme: Programme;
  readonly faults: readonly string[];
}

export interface SeedReport {
  readonly steps: number;
  readonly looks: number;
  readonly counterexample: Counterexample | undefined;
}

/** The most steps of a programme. */
const LENGTH = 120;
const PROGRAMMES = programmes(LENGTH);

/** Runs the programme of this seed; if it breaks a promise, looks for a shorter one that does. */
export async function runSeed(seed: number, shrinks = true): Promise<SeedReport> {
  let first: { programme: Programme; outcome: Outcome } | undefined;
  const property = fc.asyncProperty(PROGRAMMES, async (programme) => {
    const outcome = await run(programme);
    first ??= { programme, outcome };
    if (outcome.faults.length > 0) throw new Error(outcome.faults[0]);
  });
  const details = await fc.check(property, { seed, numRuns: 1, plugins: [fc.unbiased()], endOnFailure: !shrinks });
  const { programme, outcome } = first!;
  const shortest = details.counterexample as [Programme] | null;
  return {
    steps: programme.steps.length,
    looks: outcome.looks,
    counterexample: shortest === null ? undefined : await explain(seed, shortest[0]),
  };
}

async function explain(seed: number, programme: Programme): Promise<Counterexample> {
  const { faults, step } = await run(programme);
  // What comes after the step that showed the fault is of no account.
  return { seed, programme: { ...programme, steps: programme.steps.slice(0, step + 1) }, faults };
}
