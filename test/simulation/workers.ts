import { Worker } from 'node:worker_threads';
import type { SeedReport } from './seed.js';
import type { Options } from './options.js';

/** A programme that takes longer than this hangs: in virtual time it takes milliseconds. */
const HANGS_AFTER = 120_000;

export interface Progress {
  seeds: number;
  steps: number;
  looks: number;
}

/** What ended the run early: a promise that was broken, or a seed whose programme never ends. */
export type Finding = Required<SeedReport>['counterexample'] | { readonly seed: number; readonly hangs: true };

/** Runs seeds on several cores until all are run, the time is up, or one breaks a promise. */
export async function runSeeds(options: Options, onProgress: (progress: Progress) => void): Promise<Finding> {
  const until = Date.now() + options.duration;
  const end = options.from + options.seeds;
  const progress: Progress = { seeds: 0, steps: 0, looks: 0 };
  let next = options.from;
  let finding: Finding;
  const workers: Worker[] = [];

  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('worker.js', import.meta.url), { workerData: { shrinks: options.shrinks } });
      workers.push(worker);
      let watchdog: NodeJS.Timeout | undefined;
      const proceed = (): void => {
        clearTimeout(watchdog);
        if (finding !== undefined || next >= end || Date.now() >= until) {
          resolve();
          return;
        }
        const seed = next++;
        watchdog = setTimeout(() => {
          finding ??= { seed, hangs: true };
          resolve();
        }, HANGS_AFTER);
        worker.postMessage(seed);
      };
      worker.on('message', ({ steps, looks, counterexample }: SeedReport) => {
        progress.seeds++;
        progress.steps += steps;
        progress.looks += looks;
        finding ??= counterexample;
        onProgress(progress);
        proceed();
      });
      worker.on('error', reject);
      proceed();
    });

  try {
    await Promise.all(Array.from({ length: options.workers }, work));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return finding;
}
