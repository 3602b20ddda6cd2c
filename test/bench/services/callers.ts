import { timed, type Run } from '../scenario.js';
import { Latencies } from './latencies.js';

/** One request and its reply, which is checked to be this request's; whatever has to be borrowed for it included. */
export type Ask = (number: number) => Promise<void>;

/** Batches before the first sample: in all of its warm-up there are too few requests for V8 to compile a pool's code. */
const WARM_UP = 20;

/** So many callers, each of whom comes again as soon as he has his reply; together they ask so often in a batch. */
export async function callersThatComeAgain(callers: readonly Ask[], requests: number): Promise<Run> {
  const latencies = new Latencies();
  /** No two requests have the same. */
  let number = 0;
  const batch = async (): Promise<void> => {
    let left = requests;
    const come = async (ask: Ask): Promise<void> => {
      while (left-- > 0) {
        const start = performance.now();
        await ask(number++);
        latencies.note((performance.now() - start) * 1e6);
      }
    };
    await Promise.all(callers.map(come));
  };
  for (let count = 0; count < WARM_UP; count++) await batch();
  latencies.take();
  return { batch: () => timed(requests, batch), also: () => latencies.take() };
}
