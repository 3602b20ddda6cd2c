import { PerformanceObserver } from 'node:perf_hooks';
import process from 'node:process';
import { setImmediate as turn } from 'node:timers/promises';

/** Sees that garbage was collected; Node tells of it later, within turns of the event loop. */
class CollectionWatch {
  private seen = 0;

  constructor() {
    const observer = new PerformanceObserver((list) => {
      this.seen += list.getEntries().length;
    });
    observer.observe({ entryTypes: ['gc'] });
  }

  /** Collections since the last call. */
  async take(): Promise<number> {
    // One turn for Node to note it and one to tell it, and one more in case that changes.
    for (let count = 0; count < 3; count++) await turn();
    const { seen } = this;
    this.seen = 0;
    return seen;
  }
}

/** Far more often than chance would have it. */
const TRIES = 20;

/**
 * Bytes that are allocated while something is done, whether or not they become garbage. As that shows only while nothing is
 * collected, it is done again where something was.
 */
export class Allocations {
  private readonly collections = new CollectionWatch();

  async during(work: () => Promise<void>): Promise<number> {
    for (let count = 0; count < TRIES; count++) {
      // The young only: after a collection of everything V8 would have to compile again much of what is measured.
      globalThis.gc?.({ type: 'minor' });
      await this.collections.take();
      const before = process.memoryUsage().heapUsed;
      await work();
      const allocated = process.memoryUsage().heapUsed - before;
      if ((await this.collections.take()) === 0) return allocated;
    }
    throw new Error(`garbage was collected in the middle of it, ${TRIES} times in a row`);
  }
}

/** Bytes that are still needed. */
export async function heapInUse(): Promise<number> {
  // What a turn of the event loop or a weak reference still holds goes with the second collection.
  for (let count = 0; count < 2; count++) {
    await turn();
    globalThis.gc?.();
  }
  return process.memoryUsage().heapUsed;
}
