import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { resources } from '../faults/resources.js';
import { pause } from '../until.js';

/** What a process holds when it is at rest. */
export interface Footprint {
  /** Bytes in use on the heap, after garbage was collected. */
  readonly heap: number;
  /** Sockets, timers, listeners and the like that hold the process up, by kind. */
  readonly handles: ReadonlyMap<string, number>;
  /** Listeners on the process itself. */
  readonly processListeners: number;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** @param settle waits until the process is at rest, where it is not, as when a ping took too long while garbage was collected */
export async function footprint(settle: () => Promise<void>): Promise<Footprint> {
  // What finalizers let go of is garbage of the next round only.
  for (let round = 0; round < 5; round++) {
    collectGarbage();
    await pause(20);
  }
  await settle();
  const events = process.eventNames();
  return {
    heap: process.memoryUsage().heapUsed,
    handles: resources(),
    processListeners: events.reduce((sum, event) => sum + process.listenerCount(event as 'exit'), 0),
  };
}

/** What is more than it was, in words; the heap may grow by so many bytes. */
export function growth(before: Footprint, after: Footprint, heapLimit: number): string[] {
  const faults: string[] = [];
  const grown = after.heap - before.heap;
  if (grown > heapLimit) faults.push(`the heap has grown by ${grown} bytes, and ${heapLimit} are allowed`);
  for (const [kind, count] of after.handles) {
    const was = before.handles.get(kind) ?? 0;
    if (count > was) faults.push(`${count} handles of the kind ${kind}, and there were ${was}`);
  }
  if (after.processListeners > before.processListeners) {
    faults.push(`${after.processListeners} listeners on the process, and there were ${before.processListeners}`);
  }
  return faults;
}
