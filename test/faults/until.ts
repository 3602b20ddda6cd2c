import { performance } from 'node:perf_hooks';

/**
 * Waits until the condition holds, looking every few milliseconds.
 * @throws once it has not for so many milliseconds
 */
export async function until(condition: () => boolean, what: string | (() => string), limit = 10_000): Promise<void> {
  const start = performance.now();
  while (!condition()) {
    if (performance.now() - start > limit) {
      throw new Error(`waited in vain until ${typeof what === 'string' ? what : what()}`);
    }
    await pause(3);
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
