import { timed, type Run } from '../scenario.js';
import { Latencies } from './latencies.js';

/** One request and its reply, which is checked to be this request's; whatever has to be borrowed for it included. */
export type Ask = (number: number) => Promise<void>;

/** So many callers, each of whom comes again as soon as he has his reply; together they ask so often in a batch. */
export function callersThatComeAgain(callers: readonly Ask[], requests: number): Run {
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
  return { batch: () => timed(requests, batch), also: () => latencies.take() };
}
