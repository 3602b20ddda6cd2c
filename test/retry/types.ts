/**
 * What the compiler accepts and refuses. Nothing here is run: `tsc` checks it, where an unused \@ts-expect-error is an error.
 */
import { of, type Observable } from 'rxjs';
import { retry } from '../../src/retry/retry.js';
import { Retryable } from '../../src/retry/retryable.decorator.js';

interface Query extends PromiseLike<number> {
  limit(count: number): Query;
}

export class Accepted {
  @Retryable()
  async promise(id: number, folder?: string): Promise<string> {
    return `${id} ${folder ?? ''}`;
  }

  @Retryable('mailbox', {
    maxRetries: 5,
    delay: '2s',
    retryOn: [RangeError, 'EPIPE', (error: RangeError) => error.message === ''],
  })
  observable(): Observable<number> {
    return of(1);
  }

  @Retryable({
    recover: (error: Error, id: number) => `${error.message} ${id}`,
    retryOnResult: (rows: string[]) => rows.length === 0,
  })
  async generic<T>(id: T): Promise<T> {
    return id;
  }

  @Retryable('mailbox')
  thenable(): Query {
    throw new Error('unused');
  }

  @Retryable()
  static async fixed(): Promise<void> {}

  @Retryable()
  protected async hidden(): Promise<void> {}
}

@Retryable({ maxRetries: 1 })
export class AcceptedClass {
  sync(): number {
    return 1;
  }
}

@Retryable('mailbox')
export abstract class AcceptedAbstract {
  abstract fetch(): Promise<void>;
}

export class Refused {
  // @ts-expect-error it yields its result at once
  @Retryable()
  sync(): number {
    return 1;
  }

  // @ts-expect-error it may yield its result at once
  @Retryable()
  perhaps(): number | Promise<number> {
    return 1;
  }

  // @ts-expect-error a property is no method
  @Retryable()
  field = async (): Promise<void> => {};

  // @ts-expect-error a getter is no method
  @Retryable()
  get getter(): Promise<number> {
    return Promise.resolve(1);
  }

  // @ts-expect-error no such option
  @Retryable({ retries: 3 })
  async unknown(): Promise<void> {}

  // @ts-expect-error no such jitter
  @Retryable({ jitter: 'some' })
  async wrong(): Promise<void> {}
}

export async function results(): Promise<[string, number, boolean | string]> {
  const options = { maxRetries: 1 } as const;
  const inferred = await retry(({ attempt }) => Promise.resolve(attempt), options);
  // @ts-expect-error it is a number
  const wrong: string = inferred;
  // @ts-expect-error there is no class whose method it could name
  await retry(() => 1, { recover: 'fallback' });
  const recovered = await retry<boolean | string>(() => true, { recover: () => 'spare' });
  return [wrong, inferred, recovered];
}
