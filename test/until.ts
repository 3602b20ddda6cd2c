import { performance } from 'node:perf_hooks';

/**
 * Waits until the condition holds, looking every few milliseconds; what the condition throws comes out.
 *
 * @param what what is awaited, for the error; a function is asked only then
 * @throws once it has not held for so many milliseconds
 */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string | (() => string),
  limit = 10_000,
): Promise<void> {
  const start = performance.now();
  while (!(await condition())) {
    if (performance.now() - start > limit) {
      throw new Error(`waited in vain until ${typeof what === 'string' ? what : what()}`);
    }
    await pause(3);
  }
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
