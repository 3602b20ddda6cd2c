import { describe, expect, it, jest } from '@jest/globals';
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { RetryAttemptTimeoutError } from '../../src/pool/errors.js';
import { adopt } from '../../src/retry/retry-instances.js';
import type { RetryOptions } from '../../src/retry/retry-options.js';
import { Retryable } from '../../src/retry/retryable.decorator.js';
import { application, failing, reset, scriptedService, watch } from './scripted-service.js';

const quick = { delay: 10, jitter: 'none', logger: false } as const;

/** A method that retries around a method that retries. */
function nested(outer: RetryOptions, inner: RetryOptions, work: (call: number) => unknown) {
  const app = application();
  const onGiveUp = jest.fn();
  let calls = 0;
  class Service {
    outerCalls = 0;

    @Retryable({ ...quick, onGiveUp, ...outer })
    async outer(): Promise<unknown> {
      this.outerCalls++;
      await Promise.resolve();
      return await this.inner();
    }

    @Retryable({ ...quick, ...inner })
    async inner(): Promise<unknown> {
      return work(++calls);
    }
  }
  const service = new Service();
  adopt(service, app.runtime);
  return { ...app, service, onGiveUp, calls: () => calls };
}

describe('R5: an error on which an inner retry gave up', () => {
  it('is not retried by an outer one', async () => {
    const { service, clock, calls, onGiveUp } = nested({}, { maxRetries: 2 }, failing(Infinity));
    const call = watch(service.outer());
    await clock.advance(1_000);
    expect(call.state).toBe('rejected');
    expect(calls()).toBe(3);
    expect(service.outerCalls).toBe(1);
    expect(onGiveUp).toHaveBeenCalledTimes(1);
  });

  it('is not retried by an outer one that is in a later attempt, or has a context from the first', async () => {
    const later = nested({}, { maxRetries: 1, retryOn: ['EPIPE'] }, (call) => {
      throw call === 1 ? reset() : Object.assign(new Error(), { code: 'EPIPE' });
    });
    const first = watch(later.service.outer());
    await later.clock.advance(1_000);
    expect(first.state).toBe('rejected');
    // The first attempt failed with what the inner one does not retry, so the outer one did; then the inner one gave up.
    expect(later.service.outerCalls).toBe(2);
    expect(later.calls()).toBe(3);

    const { service, clock, calls } = nested({ timeout: 10_000 }, { maxRetries: 2 }, failing(Infinity));
    watch(service.outer());
    await clock.advance(1_000);
    expect(calls()).toBe(3);
  });

  it('is recovered from by the outer one', async () => {
    const { service, clock } = nested({ recover: () => 'spare' }, { maxRetries: 2 }, failing(Infinity));
    const call = watch(service.outer());
    await clock.advance(1_000);
    expect(call.value).toBe('spare');
  });

  it('is not retried if the inner one makes no retries at all', async () => {
    const { service, clock, calls, onGiveUp } = nested({ maxRetries: 2 }, { maxRetries: 0 }, failing(2));
    const call = watch(service.outer());
    await clock.advance(1_000);
    expect(call.value).toMatchObject({ code: 'ECONNRESET' });
    expect(calls()).toBe(1);
    expect(onGiveUp).toHaveBeenCalledTimes(1);
  });

  it('is not retried if the inner one was told never to retry it', async () => {
    const { service, clock, calls } = nested({}, { abortOn: ['ECONNRESET'] }, failing(Infinity));
    watch(service.outer());
    await clock.advance(1_000);
    expect(calls()).toBe(1);
  });

  it('passes through those in between that would not retry it anyway', async () => {
    const { service: inner, clock, runtime } = nested({ retryOn: [] }, { maxRetries: 1 }, failing(Infinity));
    class Outermost {
      calls = 0;

      @Retryable({ ...quick, timeout: '1h' })
      async run(): Promise<void> {
        this.calls++;
        await inner.outer();
      }
    }
    const outermost = new Outermost();
    adopt(outermost, runtime);
    watch(outermost.run());
    await clock.advance(1_000);
    expect(outermost.calls).toBe(1);
  });

  it('may be one object thrown again and again: later calls retry it as the first did', async () => {
    const shared = reset();
    const { service, clock, calls } = nested(
      {},
      { maxRetries: 1 },
      failing(Infinity, () => shared),
    );
    for (let round = 1; round <= 3; round++) {
      watch(service.outer());
      await clock.advance(1_000);
      expect(calls()).toBe(2 * round);
    }
    watch(service.inner());
    await clock.advance(1_000);
    expect(calls()).toBe(8);
  });

  it('may be one object that fails several calls at once: the others retry it', async () => {
    const shared = reset();
    let end!: (error: Error) => void;
    const ended = new Promise<never>((_, reject) => {
      end = reject;
    });
    const work = (call: number) => (call === 1 ? ended : 'fine');
    const patient = scriptedService({ maxRetries: 3 }, work);
    const other = scriptedService({ delay: 10, maxRetries: 1 }, (call) =>
      call === 1 ? Promise.reject(reset()) : ended,
    );
    const theOther = watch(other.service.fetch());
    await other.clock.advance(10);
    const call = watch(patient.service.fetch());
    end(shared);
    await other.clock.settle();
    await patient.clock.settle();
    expect(theOther.value).toBe(shared);
    expect(call.value).toBe('fine');
  });

  it('may be one object that fails a call which began later and gave up sooner: the earlier one retries it', async () => {
    const shared = reset();
    class Service {
      slowCalls = 0;

      @Retryable({ ...quick, delay: 1 })
      async slow(): Promise<string> {
        if (++this.slowCalls > 1) return 'fine';
        await sleep(60);
        throw shared;
      }

      @Retryable({ ...quick, delay: 1, maxRetries: 1 })
      async fast(): Promise<never> {
        await sleep(5);
        throw shared;
      }
    }
    const service = new Service();
    const slow = watch(service.slow());
    await expect(service.fast()).rejects.toBe(shared);
    expect(slow.state).toBe('pending');
    await expect(slow.promise).resolves.toBe('fine');
    expect(service.slowCalls).toBe(2);
  });

  it('is retried once more by an outer one that lets time pass before it fails with it', async () => {
    class Service {
      outerCalls = 0;
      innerCalls = 0;

      @Retryable({ ...quick, delay: 1 })
      async outer(): Promise<void> {
        this.outerCalls++;
        try {
          await this.inner();
        } finally {
          await sleep(5);
        }
      }

      @Retryable({ ...quick, delay: 1, maxRetries: 1 })
      async inner(): Promise<never> {
        this.innerCalls++;
        throw reset();
      }
    }
    const service = new Service();
    await expect(service.outer()).rejects.toThrow('ECONNRESET');
    // In its second attempt it has a context, and knows.
    expect(service.outerCalls).toBe(2);
    expect(service.innerCalls).toBe(4);
  });

  it('may be anything that is thrown', async () => {
    const options = { retryOn: [(error: unknown) => error === 'down'] };
    const { service, clock, calls } = nested({ ...options, timeout: 5_000 }, { ...options, maxRetries: 1 }, () =>
      Promise.reject('down'),
    );
    watch(service.outer());
    await clock.advance(1_000);
    expect(calls()).toBe(2);
  });

  it('of type text is not remembered outside of a context, so that the outer one does its own retries', async () => {
    const options = { retryOn: [(error: unknown) => error === 'down'], maxRetries: 1 };
    const { service, clock, calls } = nested(options, options, () => Promise.reject('down'));
    watch(service.outer());
    await clock.advance(1_000);
    // In its second attempt it has a context, and knows.
    expect(calls()).toBe(4);
  });
});

describe('@Retryable twice on one method', () => {
  it('does not multiply the attempts: the inner one decides, as far as it retries', async () => {
    const app = application();
    let calls = 0;
    class Service {
      @Retryable({ ...quick, maxRetries: 5, retryOn: [RetryAttemptTimeoutError, TypeError] })
      @Retryable({ ...quick, maxRetries: 1 })
      async fetch(): Promise<never> {
        calls++;
        throw calls === 1 ? new TypeError('only the outer one retries it') : reset();
      }
    }
    const service = new Service();
    adopt(service, app.runtime);
    watch(service.fetch());
    await app.clock.advance(1_000);
    expect(calls).toBe(3);
  });
});

describe("the caller's AsyncLocalStorage", () => {
  const storage = new AsyncLocalStorage<string>();
  const outside = <T>(work: () => T): T => storage.run('elsewhere', work);

  it('is there in every attempt, whatever set it off', async () => {
    const { service, clock } = scriptedService({ attemptTimeout: 100, delay: 10 }, (call) => {
      if (call < 3) return call === 1 ? Promise.reject(reset()) : new Promise(() => {});
      return storage.getStore();
    });
    const call = storage.run('request 7', () => watch(service.fetch()));
    await outside(() => clock.advance(1_000));
    expect(call.value).toBe('request 7');
  });

  it('is there when shutdown ends a pause and recover is called', async () => {
    const recover = () => storage.getStore();
    const { service, clock, runtime } = scriptedService({ delay: 100, recover }, failing(Infinity));
    const call = storage.run('request 7', () => watch(service.fetch()));
    await clock.settle();
    outside(() => runtime.shutdown());
    await clock.settle();
    expect(call.value).toBe('request 7');
  });
});

describe('R5: shutdown', () => {
  it('ends pauses at once, with the last error, and leaves no timer', async () => {
    const { service, clock, runtime, logger, times } = scriptedService(
      { delay: '1h', maxDelay: '1h' },
      failing(Infinity),
    );
    const call = watch(service.fetch());
    await clock.settle();
    runtime.shutdown();
    await clock.settle();
    expect(call.value).toMatchObject({ code: 'ECONNRESET' });
    expect(clock.pending).toBe(0);
    expect(times).toHaveLength(1);
    expect(logger.lines.at(-1)).toContain('gave up after 1 attempt, as the application is shutting down');
  });

  it('lets no pause begin afterwards, but a retry without any pause', async () => {
    const { service, clock, runtime, times } = scriptedService({}, failing(Infinity));
    runtime.shutdown();
    const call = watch(service.fetch());
    await clock.settle();
    expect(call.state).toBe('rejected');
    expect(times).toHaveLength(2);
    expect(clock.pending).toBe(0);
  });

  it('leaves attempts that are under way alone', async () => {
    let finish!: (value: string) => void;
    const reply = new Promise<string>((resolve) => {
      finish = resolve;
    });
    const { service, clock, runtime } = scriptedService({}, () => reply);
    const call = watch(service.fetch());
    runtime.shutdown();
    finish('done');
    await clock.settle();
    expect(call.value).toBe('done');
  });
});
