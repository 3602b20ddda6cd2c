import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { PoolSettingsError, RetryTimeoutError } from '../../src/pool/errors.js';
import { RetryBudget } from '../../src/retry/retry-budget.js';
import { retryContext, type RetryContext } from '../../src/retry/retry-context.js';
import { retry } from '../../src/retry/retry.js';
import { recordingLogger, reset, watch } from './scripted-service.js';

/** Work that always fails. */
const down = (): never => {
  throw reset();
};

const later = (milliseconds: number) => jest.advanceTimersByTimeAsync(milliseconds);

function counting(work: (call: number, context: RetryContext) => unknown) {
  const calls: RetryContext[] = [];
  return Object.assign(
    (context: RetryContext): unknown => {
      calls.push(context);
      return work(calls.length, context);
    },
    { calls },
  );
}

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  const left = jest.getTimerCount();
  jest.useRealTimers();
  if (left > 0) throw new Error(`${left} timers are left`);
});

describe('retry()', () => {
  it('resolves with what the work yields: a promise, a thenable or a plain value', async () => {
    const thenable = {
      // oxlint-disable-next-line unicorn/no-thenable
      then: (resolve: (value: string) => void) => {
        resolve('thenable');
      },
    };
    await expect(retry(() => Promise.resolve('promise'))).resolves.toBe('promise');
    await expect(retry(() => thenable as PromiseLike<string>)).resolves.toBe('thenable');
    await expect(retry(() => 7)).resolves.toBe(7);
  });

  it('calls work again that rejects or throws, and tells it the attempt and the error before', async () => {
    const errors = [reset('one'), reset('two')];
    const work = counting((call) => {
      if (call === 1) throw errors[0]!;
      return call === 2 ? Promise.reject(errors[1]) : 'third';
    });
    const call = watch(retry(work, { jitter: 'none' }));
    await later(100);
    expect(call.value).toBe('third');
    expect(work.calls.map(({ attempt, lastError, signal }) => [attempt, lastError, signal.aborted])).toEqual([
      [1, undefined, false],
      [2, errors[0], false],
      [3, errors[1], false],
    ]);
  });

  it('gives work a signal that attemptTimeout aborts', async () => {
    const work = counting((call, { signal }) => {
      if (call === 2) return 'second';
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    });
    const call = watch(retry(work, { attemptTimeout: '1s', delay: 0 }));
    await later(1_000);
    await later(1);
    expect(call.value).toBe('second');
  });

  it('obeys timeout and signal from the first attempt on', async () => {
    const hanging = () => new Promise<never>(() => {});
    const timed = watch(retry(hanging, { timeout: 100 }));
    await later(100);
    expect(timed.value).toBeInstanceOf(RetryTimeoutError);
    const work = counting(hanging);
    await expect(retry(work, { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before');
    expect(work.calls).toEqual([]);
  });

  it('recovers by a function', async () => {
    const recover = jest.fn((_error: unknown) => 'spare');
    await expect(retry(down, { maxRetries: 0, recover })).resolves.toBe('spare');
    expect(recover.mock.calls).toEqual([[expect.objectContaining({ code: 'ECONNRESET' })]]);
  });

  it('retries results', async () => {
    const work = counting((call) => call);
    await expect(retry(work, { delay: 0, maxRetries: 0, retryOnResult: () => true })).resolves.toBe(1);
    expect(work.calls).toHaveLength(1);
  });

  it('is silent unless it is given a logger, and names the work', async () => {
    const logger = recordingLogger();
    await expect(
      retry(
        function fetchMail() {
          throw reset();
        },
        { maxRetries: 0, logger },
      ),
    ).rejects.toThrow();
    await expect(
      retry(
        () => {
          throw reset();
        },
        { maxRetries: 0, logger },
      ),
    ).rejects.toThrow();
    expect(logger.lines).toEqual([
      'error fetchMail: gave up after 1 attempt, as maxRetries is 0 (read ECONNRESET)',
      'error retry(): gave up after 1 attempt, as maxRetries is 0 (read ECONNRESET)',
    ]);
    expect(logger.contexts).toEqual([]);
    const written = jest.spyOn(process.stdout, 'write');
    await expect(retry(down, { maxRetries: 0 })).rejects.toThrow();
    expect(written).not.toHaveBeenCalled();
    written.mockRestore();
  });

  it('warns the process of a broken callback when there is no logger', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const onGiveUp = () => {
      throw new Error('oops');
    };
    await expect(retry(down, { maxRetries: 0, onGiveUp })).rejects.toThrow('ECONNRESET');
    expect(warn.mock.calls).toEqual([[expect.stringContaining('onGiveUp of its retry options threw'), 'RetryWarning']]);
    warn.mockRestore();
  });

  it('rejects with every fault of the options', async () => {
    const options: any = {
      maxRetries: -1,
      retryOn: 'ECONNRESET',
      delay: 'soon',
      jitter: 'some',
      timeout: 0,
      signal: {},
      recover: 'fallback',
      budget: { maxTokens: 0 },
      logger: {},
      retryLogLevel: 'loud',
      retryLogMessage: 'in {delays}',
      onRetry: 'call me',
      retries: 3,
    };
    const failure = await retry(() => 1, options).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(PoolSettingsError);
    expect(failure).toMatchObject({ subject: 'retry of retry()', code: 'ERR_POOL_SETTINGS' });
    const { faults } = failure as PoolSettingsError;
    expect(faults.map(({ path }) => path).toSorted()).toEqual(
      [
        ...['maxRetries', 'retryOn', 'delay', 'jitter', 'timeout', 'signal', 'recover', 'budget.maxTokens'],
        ...['budget.tokenRatio', 'logger', 'retryLogLevel', 'retryLogMessage', 'onRetry', 'retries'],
      ].toSorted(),
    );
    expect(faults.find(({ path }) => path === 'maxRetries')).toEqual({
      path: 'maxRetries',
      received: '-1',
      allowed: 'a whole number of 0 or more, or Infinity',
    });
  });

  it.each([
    ['signal', null],
    ['recover', 7],
    ['immediateFirstRetry', 'yes'],
    ['attemptTimeout', -1],
    ['multiplier', 0.5],
  ])('rejects %s: %j', async (option, value) => {
    await expect(retry(() => 1, { [option]: value })).rejects.toThrow(`- ${option}: received`);
  });

  it.each([[null], ['mailbox'], [[]], [7]])('rejects options that are %j', async (options: any) => {
    await expect(retry(() => 1, options)).rejects.toThrow(PoolSettingsError);
  });

  it('rejects work that is no function', async () => {
    await expect(retry('work' as any)).rejects.toThrow("work: received 'work'; allowed is a function to call");
  });
});

describe('budget', () => {
  const spend = async (budget: any, calls: number, fails: (call: number) => boolean) => {
    const work = counting((call) => {
      if (fails(call)) throw reset();
      return call;
    });
    for (let call = 0; call < calls; call++) await retry(work, { budget, maxRetries: 1 }).catch(() => {});
    return work.calls.length;
  };

  it('starts full, is charged by failures, and allows retries only above half', async () => {
    const budget = new RetryBudget({ maxTokens: 4, tokenRatio: 0.5 });
    expect(budget.tokens).toBe(4);
    expect(budget.allowsRetry).toBe(true);
    // 4 → 3 retry → 2 no retry left; 2 → 1; 1 → 0; and never below.
    expect(await spend(budget, 4, () => true)).toBe(5);
    expect(budget.tokens).toBe(0);
    expect(budget.allowsRetry).toBe(false);
  });

  it('is filled by successes up to its maximum', async () => {
    const budget = new RetryBudget({ maxTokens: 4, tokenRatio: 0.75 });
    await spend(budget, 2, () => true);
    expect(budget.tokens).toBe(1);
    await spend(budget, 2, () => false);
    expect(budget.tokens).toBe(2.5);
    await spend(budget, 9, () => false);
    expect(budget.tokens).toBe(4);
  });

  it('is filled by a success after a retry', async () => {
    const budget = new RetryBudget({ maxTokens: 4, tokenRatio: 0.5 });
    await spend(budget, 1, (call) => call === 1);
    expect(budget.tokens).toBe(3.5);
  });

  it('is not touched by failures that are not to be retried', async () => {
    const budget = new RetryBudget({ maxTokens: 4, tokenRatio: 0.5 });
    await expect(
      retry(
        () => {
          throw new Error('bug');
        },
        { budget },
      ),
    ).rejects.toThrow('bug');
    expect(budget.tokens).toBe(4);
  });

  it('given as options is one for all calls that are given the same object', async () => {
    const options = { maxTokens: 4, tokenRatio: 0.1 };
    expect(await spend(options, 4, () => true)).toBe(5);
    expect(await spend(options, 1, () => true)).toBe(1);
    expect(await spend({ ...options }, 1, () => true)).toBe(2);
  });

  it('may be none', async () => {
    expect(await spend(false, 4, () => true)).toBe(8);
  });

  it('says why there is no retry', async () => {
    const logger = recordingLogger();
    const budget = { maxTokens: 1, tokenRatio: 1 };
    await expect(retry(down, { budget, logger })).rejects.toThrow('ECONNRESET');
    expect(logger.lines).toEqual([expect.stringContaining('as the retry budget is used up')]);
  });

  it('must have both its options, above 0', () => {
    expect(() => new RetryBudget({ maxTokens: 0 } as any)).toThrow(
      'Invalid settings of a RetryBudget:\n' +
        '  - budget.maxTokens: received 0; allowed is a number above 0\n' +
        '  - budget.tokenRatio: received none; allowed is a number above 0',
    );
    expect(() => new RetryBudget(undefined as any)).toThrow('budget: received undefined; allowed is { maxTokens');
  });
});

describe('R4: retryContext()', () => {
  it('outside of a retry is attempt 1 with a signal that never aborts', () => {
    const context = retryContext();
    expect(context).toMatchObject({ attempt: 1, lastError: undefined });
    expect(context.signal.aborted).toBe(false);
  });

  it('is attempt, signal and lastError, and nothing else', async () => {
    const check = (context: RetryContext) => {
      expect(new Set(Reflect.ownKeys(context))).toEqual(new Set(['attempt', 'signal', 'lastError']));
      expect(Object.getPrototypeOf(context)).toBe(Object.prototype);
      const { signal } = context;
      expect({ ...context }.signal).toBe(signal);
      expect(signal).toBeInstanceOf(AbortSignal);
    };
    check(retryContext());
    await retry((context) => {
      check(context);
      check(retryContext());
      if (context.attempt === 1) throw reset();
    });
    await retry(check, { timeout: 1_000 });
    await retry(() => check(retryContext()), { timeout: 1_000 });
  });

  it('makes no AbortController unless asked for a signal', async () => {
    const Real = globalThis.AbortController;
    let made = 0;
    globalThis.AbortController = class extends Real {
      constructor() {
        super();
        made++;
      }
    };
    try {
      await retry(({ attempt }) => {
        if (attempt + retryContext().attempt < 4) throw reset();
      });
      expect(made).toBe(0);
      await retry((context) => [context.signal, context.signal]);
      expect(made).toBe(1);
    } finally {
      globalThis.AbortController = Real;
    }
  });

  it('tells every attempt its number, its signal and the error before', async () => {
    const seen: unknown[] = [];
    const error = reset();
    const work = async (context: RetryContext) => {
      await Promise.resolve();
      const { attempt, signal, lastError } = retryContext();
      seen.push([attempt, lastError, signal === context.signal]);
      if (attempt === 1) throw error;
    };
    await retry(work);
    // The first attempt has no AsyncLocalStorage, so that its signal is not the one asked for here; neither ever aborts.
    expect(seen).toEqual([
      [1, undefined, false],
      [2, error, true],
    ]);
    seen.length = 0;
    await retry(work, { timeout: 1_000 });
    expect(seen).toEqual([
      [1, undefined, true],
      [2, error, true],
    ]);
  });

  it('in a first attempt inside of the attempt of an outer retry is that of the inner one', async () => {
    const seen: unknown[] = [];
    let outer = 0;
    await retry(async () => {
      if (++outer === 1) throw reset();
      await retry(() => {
        seen.push(retryContext().attempt, retryContext().lastError);
      });
      seen.push(retryContext().attempt);
    });
    expect(seen).toEqual([1, undefined, 2]);
  });
});
