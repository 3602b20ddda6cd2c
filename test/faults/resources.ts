import process from 'node:process';
import { until } from '../until.js';

/** How many sockets, listeners, timers and the like hold the process up, by kind. */
export function resources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  // What the event loop does next anyway, and files, which jest reads at any time.
  for (const kind of ['Immediate', 'FSReqCallback', 'FSReqPromise']) counts.delete(kind);
  return counts;
}

/** What is more than before, also after a while: sockets take a moment to close. */
export async function leftovers(before: ReadonlyMap<string, number>): Promise<string[]> {
  const extra = (): Array<[string, number]> => [...resources()].filter(([kind, n]) => n > (before.get(kind) ?? 0));
  await until(() => extra().length === 0, 'nothing is left', 5_000).catch(() => {});
  return extra().map(([kind, count]) => `${count} ${kind}, and ${before.get(kind) ?? 0} before`);
}

/** @throws with all that is wrong, if anything is */
export function complain(faults: readonly string[]): void {
  if (faults.length > 0) throw new Error(`this is wrong at the end:\n  - ${faults.join('\n  - ')}`);
}
