import type { ConnectContext } from '../../src/pool/connection-factory.js';
import type { VirtualClock } from '../../src/testing/index.js';

/** What the scripts of the specs fail with. */
export const FAILURE = new Error('scripted');

/** What a pool would tell a connect. */
export function contextOf(controller = new AbortController()): ConnectContext {
  return { pool: 'p', attempt: 1, signal: controller.signal };
}

/** How a promise stands after everything has happened that needs no time. */
export async function stateOf(promise: Promise<unknown>, clock: VirtualClock): Promise<unknown> {
  let state: unknown = 'pending';
  promise.then(
    (value) => (state = { value }),
    (error: unknown) => (state = { error }),
  );
  await clock.settle();
  return state;
}
