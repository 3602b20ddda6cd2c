import { setTimeout as pause } from 'node:timers/promises';

/**
 * Resolves as soon as the condition holds, which is looked at every few milliseconds; what the condition throws comes out.
 *
 * @param what what is awaited, for the error when it has not come; a function is asked only then
 * @param limit the longest wait, in milliseconds
 */
export async function until(
  what: string | (() => string),
  condition: () => boolean | Promise<boolean>,
  limit = 10_000,
): Promise<void> {
  const deadline = performance.now() + limit;
  while (!(await condition())) {
    if (performance.now() > deadline) {
      throw new Error(`Waited for ${limit / 1000} s in vain: ${typeof what === 'string' ? what : what()}`);
    }
    await pause(5);
  }
}
