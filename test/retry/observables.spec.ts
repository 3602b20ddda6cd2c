import { describe, expect, it, jest } from '@jest/globals';
import { BehaviorSubject, concat, defer, firstValueFrom, NEVER, Observable, of, Subject, take, throwError } from 'rxjs';
import { RetryAttemptTimeoutError, RetryTimeoutError } from '../../src/pool/errors.js';
import { retryContext } from '../../src/retry/retry-context.js';
import { adopt } from '../../src/retry/retry-instances.js';
import type { RetryOptions } from '../../src/retry/retry-options.js';
import { Retryable } from '../../src/retry/retryable.decorator.js';
import { application, reset } from './scripted-service.js';

function streaming(options: RetryOptions, work: (call: number, ...args: any[]) => unknown) {
  const app = application();
  const times: number[] = [];
  class Feed {
    @Retryable({ jitter: 'none', ...options })
    watch(...args: any[]): Observable<any> {
      times.push(app.clock.now());
      return work(times.length, ...args) as Observable<any>;
    }
  }
  const feed = new Feed();
  adopt(feed, app.runtime);
  return { ...app, feed, times };
}

/** What an Observable told whoever subscribed. */
function listen(observable: Observable<unknown>) {
  const heard: unknown[] = [];
  const subscription = observable.subscribe({
    next: (value) => heard.push(value),
    error: (error: unknown) => heard.push(['error', error]),
    complete: () => heard.push('complete'),
  });
  return { heard, subscription };
}

const fail = (error: unknown = reset()) => throwError(() => error);

describe('R2: a method that returns an Observable', () => {
  it('runs again on an error, with its arguments and this, and its new Observable is subscribed to', async () => {
    const { feed, clock, times } = streaming({}, (call, ...args) =>
      call < 3 ? concat(of(call), fail()) : of(...args),
    );
    const { heard } = listen(feed.watch('a', 'b'));
    await clock.advance(1_000);
    expect(heard).toEqual([1, 2, 'a', 'b', 'complete']);
    expect(times).toEqual([0, 0, 100]);
  });

  it('fails with the last error itself', async () => {
    const error = reset();
    const { feed, clock } = streaming({ maxRetries: 1 }, () => fail(error));
    const { heard } = listen(feed.watch());
    await clock.settle();
    expect(heard).toEqual([['error', error]]);
  });

  it('yields an Observable of the library that the method used, also where that is a Subject', () => {
    const subject = new BehaviorSubject(1);
    const { feed } = streaming({}, () => subject);
    const observable = feed.watch();
    expect(observable).toBeInstanceOf(Observable);
    expect(observable).not.toBeInstanceOf(Subject);
    expect(listen(observable).heard).toEqual([1]);
  });

  it('is not run more often than without a retry: a second subscriber gets the first Observable', () => {
    const { feed, times } = streaming({}, () => of(1));
    const observable = feed.watch();
    expect(listen(observable).heard).toEqual([1, 'complete']);
    expect(listen(observable).heard).toEqual([1, 'complete']);
    expect(times).toHaveLength(1);
  });

  it('is not run again for one who no longer listens, in an attempt or in a pause', async () => {
    const unsubscribed = jest.fn();
    const { feed, clock, times } = streaming({ delay: 50 }, (call) =>
      call === 1 ? fail() : new Observable(() => unsubscribed),
    );
    const inPause = listen(feed.watch());
    inPause.subscription.unsubscribe();
    expect(clock.pending).toBe(0);
    times.length = 1;
    const inAttempt = listen(feed.watch());
    inAttempt.subscription.unsubscribe();
    expect(unsubscribed).toHaveBeenCalledTimes(1);
    await clock.advance(1_000);
    expect(times).toHaveLength(2);
  });

  it('ends for one who takes what he needs while it is still being subscribed to', () => {
    const unsubscribed = jest.fn();
    const source = new Observable<number>((subscriber) => {
      subscriber.next(1);
      subscriber.next(2);
      return unsubscribed;
    });
    const { feed } = streaming({}, () => source);
    expect(listen(feed.watch().pipe(take(1))).heard).toEqual([1, 'complete']);
    expect(unsubscribed).toHaveBeenCalledTimes(1);
  });

  it('may yield a promise or a value when it runs again', async () => {
    const { feed, clock } = streaming({}, (call) => (call === 1 ? fail() : Promise.resolve('promised')));
    const { heard } = listen(feed.watch());
    await clock.settle();
    expect(heard).toEqual(['promised', 'complete']);
    const other = streaming({}, (call) => (call === 1 ? fail() : 'plain'));
    expect(listen(other.feed.watch()).heard).toEqual(['plain', 'complete']);
    const rejecting = streaming({}, (call) => (call === 1 ? fail() : Promise.reject(new Error('bug'))));
    const rejected = listen(rejecting.feed.watch());
    await clock.settle();
    expect(rejected.heard).toEqual([['error', new Error('bug')]]);
  });

  it('may throw when it runs again', () => {
    const { feed } = streaming({}, (call) => {
      if (call === 1) return fail();
      throw new Error('bug');
    });
    expect(listen(feed.watch()).heard).toEqual([['error', new Error('bug')]]);
  });

  it('that throws instead of returning one yields an Observable, once it is known to be of that kind', async () => {
    const { feed, clock } = streaming({}, (call) => {
      if (call === 2) throw reset();
      return of(call);
    });
    await firstValueFrom(feed.watch());
    const { heard } = listen(feed.watch());
    await clock.settle();
    expect(heard).toEqual([3, 'complete']);
  });
});

describe('an Observable and the options', () => {
  it('retryOnResult: a value that counts as a failure ends its attempt, and is the last one when giving up', async () => {
    const unsubscribed = jest.fn();
    const options = { maxRetries: 1, retryOnResult: (value: string) => value === 'poor' };
    const { feed, clock } = streaming(
      options,
      (call) =>
        new Observable((subscriber) => {
          subscriber.next(`good ${call}`);
          subscriber.next('poor');
          subscriber.next('unheard');
          return unsubscribed;
        }),
    );
    const { heard } = listen(feed.watch());
    await clock.advance(1_000);
    expect(heard).toEqual(['good 1', 'good 2', 'poor', 'complete']);
    expect(unsubscribed).toHaveBeenCalledTimes(2);
  });

  it('retryOnResult: what comes after such a value, though at once, is not heard, not even the end', async () => {
    const { feed, clock } = streaming({ retryOnResult: (value: number) => value < 3 }, (call) => of(call));
    const { heard } = listen(feed.watch());
    await clock.advance(1_000);
    expect(heard).toEqual([3, 'complete']);
  });

  it('attemptTimeout lasts until completion: the attempt is unsubscribed from, aborted and retried', async () => {
    const unsubscribed = jest.fn();
    const signals: AbortSignal[] = [];
    const { feed, clock } = streaming({ attemptTimeout: 50, delay: 10 }, (call) => {
      signals.push(retryContext().signal);
      if (call === 2) return of('done');
      return concat(of('begun'), new Observable(() => unsubscribed));
    });
    const { heard } = listen(feed.watch());
    await clock.advance(60);
    expect(heard).toEqual(['begun', 'done', 'complete']);
    expect(unsubscribed).toHaveBeenCalledTimes(1);
    expect(signals.map(({ reason }) => reason)).toEqual([expect.any(RetryAttemptTimeoutError), undefined]);
    expect(clock.pending).toBe(0);
  });

  it('timeout begins with the subscription and lasts until completion', async () => {
    const { feed, clock } = streaming({ timeout: 100 }, () => NEVER);
    const observable = feed.watch();
    await clock.advance(500);
    const { heard } = listen(observable);
    await clock.advance(99);
    expect(heard).toEqual([]);
    await clock.advance(1);
    expect(heard).toEqual([['error', expect.any(RetryTimeoutError)]]);
  });

  it('signal ends it at once, and one aborted before keeps the method from being begun', async () => {
    const controller = new AbortController();
    const { feed, times } = streaming({ signal: controller.signal }, () => NEVER);
    const { heard } = listen(feed.watch());
    controller.abort(new Error('enough'));
    expect(heard).toEqual([['error', new Error('enough')]]);
    expect(listen(feed.watch()).heard).toEqual([['error', new Error('enough')]]);
    expect(times).toHaveLength(1);
  });

  it('unsubscribing aborts the signal of the attempt', () => {
    let signal: AbortSignal | undefined;
    const { feed } = streaming({ timeout: 100 }, () =>
      defer(() => {
        ({ signal } = retryContext());
        return NEVER;
      }),
    );
    listen(feed.watch()).subscription.unsubscribe();
    expect(signal?.aborted).toBe(true);
  });

  it('a second subscription has an attempt of its own', () => {
    const signals = new Set<AbortSignal>();
    const { feed } = streaming({ timeout: 100 }, () =>
      defer(() => {
        signals.add(retryContext().signal);
        return NEVER;
      }),
    );
    const observable = feed.watch();
    listen(observable).subscription.unsubscribe();
    listen(observable).subscription.unsubscribe();
    expect(signals.size).toBe(2);
  });

  it('recover may yield an Observable, a promise or a value', async () => {
    const results = [of('a', 'b'), Promise.resolve('c'), 'd', fail(new Error('no spare'))];
    const heard: unknown[] = [];
    for (const result of results) {
      const { feed, clock } = streaming(
        { maxRetries: 0, recover: (_error, ...args) => (args.length > 0 ? result : 0) },
        () => fail(),
      );
      const listener = listen(feed.watch('argument'));
      await clock.settle();
      heard.push(listener.heard);
    }
    expect(heard).toEqual([
      ['a', 'b', 'complete'],
      ['c', 'complete'],
      ['d', 'complete'],
      [['error', new Error('no spare')]],
    ]);
  });

  it('what recovers is left too when nobody listens any more', async () => {
    const unsubscribed = jest.fn();
    const spares = [new Observable(() => unsubscribed), concat(of('spare'), new Observable(() => unsubscribed))];
    for (const spare of spares) {
      const { feed } = streaming({ maxRetries: 0, recover: () => spare }, () => fail());
      listen(feed.watch().pipe(take(1))).subscription.unsubscribe();
    }
    const source = new Subject();
    const late = streaming({ maxRetries: 0, recover: () => spares[1] }, () => source);
    const { heard } = listen(late.feed.watch().pipe(take(1)));
    source.error(reset());
    expect(heard).toEqual(['spare', 'complete']);
    expect(unsubscribed).toHaveBeenCalledTimes(3);
    const { feed, clock } = streaming({ maxRetries: 0, recover: () => Promise.resolve('late') }, () => fail());
    const resolved = listen(feed.watch());
    resolved.subscription.unsubscribe();
    const rejecting = streaming({ maxRetries: 0, recover: () => Promise.reject(new Error('late')) }, () => fail());
    const rejected = listen(rejecting.feed.watch());
    rejected.subscription.unsubscribe();
    await clock.settle();
    expect([resolved.heard, rejected.heard]).toEqual([[], []]);
  });

  it('budget is given back to on completion', () => {
    const { feed, logger } = streaming({ maxRetries: 1, budget: { maxTokens: 2, tokenRatio: 1 } }, (call) =>
      call % 2 === 1 ? fail() : of(call),
    );
    // Half of 2 is not above half: no retry. A success later there is one again.
    expect(listen(feed.watch()).heard).toEqual([['error', expect.any(Error)]]);
    expect(listen(feed.watch()).heard).toEqual([2, 'complete']);
    expect(logger.lines).toHaveLength(1);
    expect(logger.lines[0]).toContain('the retry budget is used up');
  });

  it('shutdown ends a pause with the last error', async () => {
    const error = reset();
    const { feed, clock, runtime } = streaming({ delay: 100 }, () => fail(error));
    const { heard } = listen(feed.watch());
    runtime.shutdown();
    await clock.settle();
    expect(heard).toEqual([['error', error]]);
  });
});

describe('R5: Observables inside of each other', () => {
  it('are retried by the inner one only', async () => {
    const app = application();
    let calls = 0;
    class Feed {
      @Retryable({ delay: 10, jitter: 'none' })
      outer(): Observable<unknown> {
        return defer(() => this.inner());
      }

      @Retryable({ delay: 10, jitter: 'none', maxRetries: 2 })
      inner(): Observable<unknown> {
        calls++;
        return fail();
      }
    }
    const feed = new Feed();
    adopt(feed, app.runtime);
    const { heard } = listen(feed.outer());
    await app.clock.advance(1_000);
    expect(heard).toEqual([['error', expect.any(Error)]]);
    expect(calls).toBe(3);
  });

  it('inside of an attempt of a promise are attempts of their own', async () => {
    const app = application();
    const seen: number[] = [];
    class Feed {
      calls = 0;

      @Retryable()
      async load(): Promise<unknown> {
        if (++this.calls === 1) throw reset();
        return await firstValueFrom(this.inner());
      }

      @Retryable()
      inner(): Observable<number> {
        seen.push(retryContext().attempt);
        return defer(() => of(seen.push(retryContext().attempt)));
      }
    }
    const feed = new Feed();
    adopt(feed, app.runtime);
    await feed.load();
    expect(seen).toEqual([1, 1]);
  });
});

describe('what is no Observable', () => {
  it.each<[string, () => unknown]>([
    ['a client with a method subscribe', () => ({ subscribe: () => 'subscribed' })],
    ['an object that only says it is one', () => ({ subscribe: () => {}, '@@observable': () => {} })],
    [
      'an object whose class is unknown',
      () => Object.create(Object.create(null, { subscribe: { value: () => {} }, '@@observable': { value: () => {} } })),
    ],
    ['null', () => null],
  ])('passes through: %s', (_, make) => {
    const result = make();
    const { feed } = streaming({}, () => result);
    expect(feed.watch()).toBe(result);
  });

  it('is told by Symbol.observable too, where there is one', () => {
    class Stream {
      constructor(readonly start: (observer: any) => unknown) {}

      subscribe(observer: any): { unsubscribe(): void } {
        this.start(observer);
        return { unsubscribe() {} };
      }
    }
    const observable = Symbol('observable');
    Object.defineProperty(Symbol, 'observable', { value: observable, configurable: true });
    try {
      Object.defineProperty(Stream.prototype, observable, { value: () => {} });
      const { feed } = streaming({}, () => new Stream((observer) => observer.next('theirs')));
      const stream: any = feed.watch();
      expect(stream).toBeInstanceOf(Stream);
      const heard: unknown[] = [];
      stream.subscribe({ next: (value: unknown) => heard.push(value) });
      expect(heard).toEqual(['theirs']);
    } finally {
      delete (Symbol as any).observable;
    }
  });
});
