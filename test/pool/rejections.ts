import { setImmediate as nextTurn } from 'node:timers';

/**
 * The process itself. What a spec calls `process` is a copy that jest makes, on which 'unhandledRejection' is never
 * emitted, so that a listener there could never fail a test. Functions of Node's own modules know the real one.
 */
const REAL = (nextTurn as unknown as { constructor: (body: string) => () => NodeJS.Process }).constructor(
  'return process',
)();

type Listener = (reason: unknown) => void;

/** Runs the work and returns what reached `unhandledRejection` or `uncaughtException` meanwhile and right after. */
export async function unhandledDuring(work: () => Promise<void> | void): Promise<unknown[]> {
  const seen: unknown[] = [];
  const note: Listener = (reason) => seen.push(reason);
  const events = ['unhandledRejection', 'uncaughtException'] as const;
  // Jest's own listeners would fail the test for what it is about to count.
  const others = events.map((event) => REAL.listeners(event as 'exit') as unknown as Listener[]);
  for (const event of events) REAL.removeAllListeners(event).on(event as 'uncaughtException', note);
  try {
    await work();
    for (let turns = 0; turns < 3; turns++) await new Promise<void>((resolve) => nextTurn(resolve));
  } finally {
    for (const [i, event] of events.entries()) {
      REAL.removeAllListeners(event);
      for (const listener of others[i]!) REAL.on(event as 'uncaughtException', listener);
    }
  }
  return seen;
}
