/**
 * Measures one scenario with one contestant, in a process of its own, so that no other spoils the code that V8 makes of it:
 * node worker.js <scenario> <contestant> <address> [als]. The parent sends a message for each sample.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import process from 'node:process';
import { Check } from './check.js';
import type { Figures, Run } from './scenario.js';
import { scenarioNamed } from './every-scenario.js';

/** How long the sample is to take, in milliseconds. */
export type SampleRequest = number;

export type Reply =
  | { readonly ready: true }
  /** What one cost, what else there is to be shown, and what the row is void for, if it is. */
  | { readonly cost: number; readonly also: Figures | undefined; readonly void: string | undefined }
  | { readonly failure: string };

function reply(what: Reply): void {
  // That nobody listens any more is told by 'disconnect'.
  process.send?.(what, undefined, undefined, () => {});
}

function fail(error: unknown): void {
  reply({ failure: error instanceof Error ? error.message : String(error) });
}

async function sample(run: Run, check: Check, milliseconds: number): Promise<void> {
  // The young ones only: after a collection of everything V8 would have to compile again much of what is measured.
  globalThis.gc?.({ type: 'minor' });
  const end = performance.now() + milliseconds;
  let cost = 0;
  let count = 0;
  do {
    const reading = await run.batch();
    cost += reading.cost;
    count += reading.count;
  } while (performance.now() < end);
  reply({ cost: cost / count, also: run.also?.(), void: check.verdict });
}

async function main(): Promise<void> {
  const [scenario, contestant, address] = process.argv.slice(2) as [string, string, string];
  const check = new Check();
  const open = scenarioNamed(scenario).contestants[contestant]!;
  const run = await open(check, address);
  process.on('message', (milliseconds: SampleRequest) => void sample(run, check, milliseconds).catch(fail));
  reply({ ready: true });
}

// Whoever was stopped in the middle of it leaves no process behind, also where open sockets would keep one alive.
process.on('disconnect', () => process.exit());
// Most applications of Nest have one: from the first run() on, every promise of the process costs more.
if (process.argv[5] === 'als') new AsyncLocalStorage<object>().run({}, () => void main().catch(fail));
else void main().catch(fail);
