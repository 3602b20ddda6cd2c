import { describe, expect, it, jest } from '@jest/globals';
import { ConnectionError } from '../../src/pool/connection-error.js';
import { RetryAttemptTimeoutError } from '../../src/pool/errors.js';
import { RetryTimeoutError } from '../../src/pool/errors.js';
import { retryContext } from '../../src/retry/retry-context.js';
import type { RetryEvent } from '../../src/retry/retry-options.js';
import { failing, recordingLogger, reset, scriptedService, watch } from './scripted-service.js';

const never = () => new Promise<never>(() => {});

describe('R1: giving up', () => {
  it('rethrows the last error itself', async () => {
    const errors = [reset('first'), reset('second')];
    const { service, clock } = scriptedService({ maxRetries: 1 }, (call) => Promise.reject(errors[call - 1]));
    const call = watch(service.fetch());
    await clock.advance(1_000);
    expect(call.value).toBe(errors[1]);
  });

  it('comes without a pause and without a line about retrying', async () => {
    const { service, clock, logger } = scriptedService({ maxRetries: 1 }, failing(Infinity));
    const call = watch(service.fetch());
    await clock.settle();
    expect(call.state).toBe('rejected');
    expect(clock.pending).toBe(0);
    expect(logger.lines).toEqual([
      'warn MailService.fetch: attempt 1 of 2 failed (read ECONNRESET); retrying at once',
      'error MailService.fetch: gave up after 2 attempts, as maxRetries is 1 (read ECONNRESET)',
    ]);
  });

  it('lets an error that is not to be retried out unwrapped and unsaid, also from the last attempt', async () => {
    const onGiveUp = jest.fn();
    const wrong = new Error('no such mailbox');
    const { service, clock, logger } = scriptedService({ maxRetries: 1, onGiveUp }, (call) => {
      throw call === 1 ? reset() : wrong;
    });
    const call = watch(service.fetch());
    await clock.settle();
    expect(call.value).toBe(wrong);
    expect(logger.lines).toHaveLength(1);
    expect(onGiveUp).not.toHaveBeenCalled();
  });

  it('says so also after a single attempt', async () => {
    const { service, clock, logger } = scriptedService({ maxRetries: 0 }, failing(Infinity));
    watch(service.fetch());
    await clock.settle();
    expect(logger.lines).toEqual([
      'error MailService.fetch: gave up after 1 attempt, as maxRetries is 0 (read ECONNRESET)',
    ]);
  });

  it('never changes the options', async () => {
    const frozen = Object.freeze({
      retryOn: Object.freeze([ConnectionError]),
      budget: Object.freeze({ maxTokens: 10, tokenRatio: 1 }),
    });
    const { service, clock, times } = scriptedService(frozen, failing(1));
    const call = watch(service.fetch());
    await clock.settle();
    expect(call.value).toBe(2);
    expect(times).toHaveLength(2);
  });
});

describe('maxRetries', () => {
  it.each([
    [0, 1],
    [1, 2],
    [3, 4],
  ])('of %d makes %d calls', async (maxRetries, calls) => {
    const { service, clock, times } = scriptedService({ maxRetries }, failing(Infinity));
    watch(service.fetch());
    await clock.advance(100_000);
    expect(times).toHaveLength(calls);
  });

  it('is 3 by default', async () => {
    const { service, clock, times } = scriptedService({}, failing(Infinity));
    watch(service.fetch());
    await clock.advance(100_000);
    expect(times).toHaveLength(4);
  });

  it('of Infinity never ends, and says so', async () => {
    const { service, clock, times, logger } = scriptedService(
      { maxRetries: Infinity, delay: 10, multiplier: 1 },
      failing(500),
    );
    const call = watch(service.fetch());
    await clock.advance(10_000);
    expect(call.value).toBe(501);
    expect(times).toHaveLength(501);
    expect(logger.lines[0]).toBe('warn MailService.fetch: attempt 1 failed (read ECONNRESET); retrying in 10 ms');
  });

  it('of Infinity without any delay leaves other timers their turn', async () => {
    const { service, clock, times } = scriptedService({ maxRetries: Infinity, delay: false }, failing(Infinity));
    const controller = new AbortController();
    clock.setTimeout(() => controller.abort(), 0);
    watch(service.fetch());
    await clock.settle();
    expect(times).toHaveLength(1);
    expect(clock.pending).toBe(2);
  });
});

describe('retryOn and abortOn', () => {
  it('retries connection errors and nothing else by default', async () => {
    const { service, clock, times } = scriptedService(
      {},
      failing(1, () => new Error('mine')),
    );
    const call = watch(service.fetch());
    await clock.settle();
    expect(call.value).toEqual(new Error('mine'));
    expect(times).toHaveLength(1);
  });

  it('lets retryOn replace the default', async () => {
    const { service, clock, times } = scriptedService({ retryOn: [TypeError] }, failing(1));
    const call = watch(service.fetch());
    await clock.advance(1_000);
    expect(call.state).toBe('rejected');
    expect(times).toHaveLength(1);
  });

  it('never retries what abortOn names', async () => {
    const { service, clock, times } = scriptedService({ abortOn: ['ECONNRESET'] }, failing(1));
    const call = watch(service.fetch());
    await clock.advance(1_000);
    expect(call.state).toBe('rejected');
    expect(times).toHaveLength(1);
  });
});

describe('the pauses', () => {
  const timesOf = async (options: Parameters<typeof scriptedService>[0], error?: () => unknown) => {
    const { service, clock, times } = scriptedService({ maxRetries: 3, ...options }, failing(Infinity, error));
    watch(service.fetch());
    await clock.advance(1_000_000);
    return times;
  };

  it('are none before the first retry of a connection error, then delay, times multiplier', async () => {
    expect(await timesOf({})).toEqual([0, 0, 100, 300]);
  });

  it('begin with delay where a delay is given', async () => {
    expect(await timesOf({ delay: '1s', multiplier: 3 })).toEqual([0, 1_000, 4_000, 13_000]);
  });

  it('begin with delay for other errors', async () => {
    expect(await timesOf({ retryOn: [RangeError] }, () => new RangeError())).toEqual([0, 100, 300, 700]);
  });

  it('are none before the first retry of any error if so asked', async () => {
    const options = { retryOn: [RangeError], immediateFirstRetry: true, delay: 50 };
    expect(await timesOf(options, () => new RangeError())).toEqual([0, 0, 50, 150]);
  });

  it('begin with delay for connection errors too if so asked', async () => {
    expect(await timesOf({ immediateFirstRetry: false })).toEqual([0, 100, 300, 700]);
  });

  it('are never longer than maxDelay', async () => {
    expect(await timesOf({ delay: 100, multiplier: 10, maxDelay: 400 })).toEqual([0, 100, 500, 900]);
  });

  it('are spread by the random numbers of the clock', async () => {
    expect(await timesOf({ delay: 100, jitter: 'full' })).toEqual([0, 50, 150, 350]);
    expect(await timesOf({ delay: 100, jitter: 'equal' })).toEqual([0, 75, 225, 525]);
    expect(await timesOf({ delay: 100, jitter: 'decorrelated' })).toEqual([0, 200, 550, 1_125]);
  });

  it('are what backoff says, given the attempt and its error', async () => {
    const backoff = jest.fn((attempt: number, _error: any) => `${attempt}s`);
    expect(await timesOf({ backoff })).toEqual([0, 1_000, 3_000, 6_000]);
    expect(backoff.mock.calls[0]).toEqual([1, expect.objectContaining({ code: 'ECONNRESET' })]);
  });

  it('are those of the other settings where backoff throws or says nothing of use, and the logger hears of it', async () => {
    const backoff = (attempt: number): any => {
      if (attempt === 1) throw new Error('oops');
      return attempt === 2 ? undefined : 5;
    };
    const { service, clock, times, logger } = scriptedService({ backoff }, failing(Infinity));
    watch(service.fetch());
    await clock.advance(10_000);
    expect(times).toEqual([0, 100, 300, 305]);
    const broken = logger.lines.filter((line) => line.includes('backoff'));
    expect(broken).toEqual([
      'error MailService.fetch: backoff of its retry options threw oops; the retry goes on without it',
      'error MailService.fetch: backoff of its retry options yielded undefined, which is no Duration; the retry goes on without it',
    ]);
  });

  it.each([[false], [Infinity]] as const)('end in giving up where backoff says %s', async (answer) => {
    const { service, clock, times, logger } = scriptedService({ backoff: () => answer }, failing(Infinity));
    const call = watch(service.fetch());
    await clock.settle();
    expect(call.state).toBe('rejected');
    expect(times).toHaveLength(1);
    expect(logger.lines).toEqual([expect.stringContaining('no pause would be long enough')]);
  });

  it('end in giving up where the settings make an endless one of them, whatever its random part', async () => {
    const endless = { delay: Infinity, maxDelay: Infinity, jitter: 'full' } as const;
    const { service, clock, times } = scriptedService(endless, failing(Infinity));
    clock.random = () => 0;
    const call = watch(service.fetch());
    await clock.settle();
    expect(call.state).toBe('rejected');
    expect(times).toHaveLength(1);
  });

  it('may be longer than a timer of Node can wait', async () => {
    const { service, clock, times } = scriptedService({ backoff: () => '60d' }, failing(1));
    const begun: number[] = [];
    const setTimeout = clock.setTimeout.bind(clock);
    clock.setTimeout = (callback, delay) => {
      begun.push(delay);
      return setTimeout(callback, delay);
    };
    watch(service.fetch());
    await clock.advance(60 * 86_400_000 - 1);
    expect(times).toHaveLength(1);
    await clock.advance(1);
    expect(times).toHaveLength(2);
    expect(Math.max(...begun)).toBeLessThan(2 ** 31);
  });

  it('keep the process alive', async () => {
    const { service, clock } = scriptedService({ delay: 100 }, failing(1));
    watch(service.fetch());
    await clock.settle();
    expect(clock.holding).toBe(1);
  });
});

describe('retryOnResult', () => {
  it('retries a result that counts as a failure, and returns the last one', async () => {
    const { service, clock, times } = scriptedService(
      { maxRetries: 2, retryOnResult: (result) => result < 10 },
      (call) => call,
    );
    const call = watch(service.fetch());
    await clock.advance(10_000);
    expect(call.value).toBe(3);
    expect(times).toEqual([0, 100, 300]);
  });

  it('returns the first that does not', async () => {
    const retryOnResult = (result: number) => result < 2;
    const { service, clock, logger } = scriptedService({ retryOnResult }, (call) => call);
    const call = watch(service.fetch());
    await clock.advance(10_000);
    expect(call.value).toBe(2);
    expect(logger.lines).toEqual([
      'warn MailService.fetch: attempt 1 of 4 failed (its result counts as a failure); retrying in 100 ms',
    ]);
  });

  it('is told apart from undefined that is thrown', async () => {
    const options = { maxRetries: 1, delay: 1, retryOn: [() => true], failureLogMessage: 'over: {error}' };
    const { service, clock, logger } = scriptedService(options, () => Promise.reject(undefined));
    const call = watch(service.fetch());
    await clock.advance(1);
    expect(call).toMatchObject({ state: 'rejected', value: undefined });
    expect(logger.lines).toEqual([
      'warn MailService.fetch: attempt 1 of 2 failed (undefined); retrying in 1 ms',
      'error over: undefined',
    ]);
  });

  it('counts as having nothing against a result if it throws', async () => {
    const retryOnResult = (): boolean => {
      throw new Error('oops');
    };
    const { service, clock, logger } = scriptedService({ retryOnResult }, (call) => call);
    const call = watch(service.fetch());
    await clock.settle();
    expect(call.value).toBe(1);
    expect(logger.lines).toEqual([expect.stringContaining('retryOnResult of its retry options threw oops')]);
  });
});

describe('timeout', () => {
  it('rejects with RetryTimeoutError when the first attempt outlasts it, and aborts its signal', async () => {
    let signal: AbortSignal | undefined;
    const { service, clock, logger } = scriptedService({ timeout: '1s' }, () => {
      ({ signal } = retryContext());
      return never();
    });
    const call = watch(service.fetch());
    await clock.advance(999);
    expect(call.state).toBe('pending');
    await clock.advance(1);
    expect(call.value).toBeInstanceOf(RetryTimeoutError);
    expect(call.value).toMatchObject({ method: 'MailService.fetch', timeout: 1_000, attempt: 1 });
    expect(signal?.reason).toBe(call.value);
    expect(clock.pending).toBe(0);
    expect(logger.lines).toEqual([
      expect.stringContaining(
        'gave up after 1 attempt, as its timeout of 1 s is over (MailService.fetch did not finish',
      ),
    ]);
  });

  it('rejects with the last error when a later attempt outlasts it', async () => {
    const error = reset();
    const work = (call: number) => (call === 1 ? Promise.reject(error) : never());
    const { service, clock } = scriptedService({ timeout: 500 }, work);
    const call = watch(service.fetch());
    await clock.advance(500);
    expect(call.value).toBe(error);
  });

  it('rejects with RetryTimeoutError when only results have failed before', async () => {
    const work = (call: number) => (call === 1 ? 'poor' : never());
    const { service, clock } = scriptedService({ timeout: 500, retryOnResult: (result) => result === 'poor' }, work);
    const call = watch(service.fetch());
    await clock.advance(500);
    expect(call.value).toBeInstanceOf(RetryTimeoutError);
  });

  it('lets no pause begin that would overrun it', async () => {
    const { service, clock, times, logger } = scriptedService({ timeout: 300, delay: 200 }, failing(Infinity));
    const call = watch(service.fetch());
    await clock.advance(200);
    expect(call.state).toBe('rejected');
    expect(times).toEqual([0, 200]);
    expect(clock.pending).toBe(0);
    expect(logger.lines.at(-1)).toContain('as another attempt would overrun its timeout of 300 ms (read');
  });

  it('is of no consequence to a call that succeeds in time', async () => {
    const { service, clock } = scriptedService({ timeout: 300 }, failing(1));
    const call = watch(service.fetch());
    await clock.settle();
    expect(call.value).toBe(2);
    expect(clock.pending).toBe(0);
  });
});

describe('attemptTimeout', () => {
  it('aborts the attempt and retries it, although retryOn does not name its error', async () => {
    const signals: AbortSignal[] = [];
    const { service, clock, times } = scriptedService({ attemptTimeout: 50, retryOn: [] }, (call) => {
      signals.push(retryContext().signal);
      return call === 1 ? never() : 'late but there';
    });
    const call = watch(service.fetch());
    await clock.advance(50);
    expect(signals[0]!.reason).toBeInstanceOf(RetryAttemptTimeoutError);
    expect(signals[0]!.reason).toMatchObject({ method: 'MailService.fetch', timeout: 50, attempt: 1 });
    await clock.advance(100);
    expect(call.value).toBe('late but there');
    expect(times).toEqual([0, 150]);
    expect(signals[1]!.aborted).toBe(false);
    expect(clock.pending).toBe(0);
  });

  it('is not retried if abortOn names its error', async () => {
    const options = { attemptTimeout: 50, abortOn: [RetryAttemptTimeoutError] };
    const { service, clock, times } = scriptedService(options, never);
    const call = watch(service.fetch());
    await clock.advance(1_000);
    expect(call.value).toBeInstanceOf(RetryAttemptTimeoutError);
    expect(times).toHaveLength(1);
  });

  it('leaves whatever an abandoned attempt still comes to unheard', async () => {
    const unhandled = jest.fn();
    process.on('unhandledRejection', unhandled);
    const late: Array<PromiseWithResolvers<unknown>> = [];
    const { service, clock } = scriptedService({ attemptTimeout: 50, maxRetries: 2 }, (call) => {
      if (call === 3) return 'third';
      late.push(withResolvers());
      return late.at(-1)!.promise;
    });
    const call = watch(service.fetch());
    await clock.advance(1_000);
    late[0]!.resolve('first');
    late[1]!.reject(new Error('second'));
    await clock.settle();
    process.off('unhandledRejection', unhandled);
    expect(call.value).toBe('third');
    expect(unhandled).not.toHaveBeenCalled();
  });
});

interface PromiseWithResolvers<T> {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
}

function withResolvers(): PromiseWithResolvers<unknown> {
  const made = {} as PromiseWithResolvers<unknown>;
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

describe('signal', () => {
  it('ends an attempt at once with its reason, and aborts the signal of the attempt', async () => {
    const controller = new AbortController();
    let signal: AbortSignal | undefined;
    const { service, clock, logger } = scriptedService({ signal: controller.signal, recover: () => 'no' }, () => {
      ({ signal } = retryContext());
      return never();
    });
    const call = watch(service.fetch());
    await clock.settle();
    controller.abort(new Error('enough'));
    await clock.settle();
    expect(call.value).toEqual(new Error('enough'));
    expect(signal?.reason).toBe(call.value);
    expect(logger.lines).toEqual([]);
  });

  it('ends a pause at once with its reason, and leaves neither timer nor listener', async () => {
    const controller = new AbortController();
    const add = jest.spyOn(controller.signal, 'addEventListener');
    const remove = jest.spyOn(controller.signal, 'removeEventListener');
    const { service, clock, times } = scriptedService({ signal: controller.signal, delay: 100 }, failing(1));
    const call = watch(service.fetch());
    await clock.settle();
    controller.abort();
    await clock.settle();
    expect(call.value).toMatchObject({ name: 'AbortError' });
    expect(clock.pending).toBe(0);
    await clock.advance(1_000);
    expect(times).toHaveLength(1);
    expect(remove.mock.calls.map(([, listener]) => listener)).toContain(add.mock.calls[0]![1]);
  });

  it('keeps the method from being begun if it is aborted already', async () => {
    const { service, times } = scriptedService({ signal: AbortSignal.abort(new Error('before')) }, () => 1);
    await expect(service.fetch()).rejects.toThrow('before');
    expect(times).toEqual([]);
  });

  it('may be aborted by a callback of the retry itself', async () => {
    const controller = new AbortController();
    const onRetry = () => controller.abort(new Error('from onRetry'));
    const { service, clock } = scriptedService({ signal: controller.signal, onRetry }, failing(1));
    const call = watch(service.fetch());
    await clock.settle();
    expect(call.value).toEqual(new Error('from onRetry'));
    expect(clock.pending).toBe(0);
  });

  it('leaves no listener after a success', async () => {
    const controller = new AbortController();
    const remove = jest.spyOn(controller.signal, 'removeEventListener');
    const { service, clock } = scriptedService({ signal: controller.signal }, () => 'fine');
    const call = watch(service.fetch());
    await clock.settle();
    expect(call.value).toBe('fine');
    expect(remove).toHaveBeenCalledTimes(1);
  });
});

describe('recover', () => {
  it('calls the method of that name with the error and the arguments, on the instance', async () => {
    const error = reset();
    const { service, clock } = scriptedService({ maxRetries: 0, recover: 'fallback' }, () => Promise.reject(error));
    const call = watch(service.fetch('INBOX', 7));
    await clock.settle();
    expect(call.value).toEqual({ fallback: service, error, args: ['INBOX', 7] });
  });

  it('calls a function likewise', async () => {
    const recover = jest.fn(function (this: unknown, ..._args: unknown[]) {
      return this;
    });
    const { service, clock } = scriptedService({ maxRetries: 0, recover }, failing(1));
    const call = watch(service.fetch('INBOX'));
    await clock.settle();
    expect(call.value).toBe(service);
    expect(recover.mock.calls).toEqual([[expect.any(Error), 'INBOX']]);
  });

  it('fails with what it fails with', async () => {
    const recover = () => {
      throw new Error('no spare either');
    };
    const { service } = scriptedService({ maxRetries: 0, recover }, failing(1));
    await expect(service.fetch()).rejects.toThrow('no spare either');
  });

  it('is not asked about errors that are not to be retried', async () => {
    const { service } = scriptedService({ recover: () => 'spare' }, () => Promise.reject(new Error('bug')));
    await expect(service.fetch()).rejects.toThrow('bug');
  });

  it('is asked when the time is over', async () => {
    const { service, clock } = scriptedService({ timeout: 100, recover: () => 'spare' }, never);
    const call = watch(service.fetch());
    await clock.advance(100);
    expect(call.value).toBe('spare');
  });

  it('that a preset names, and the instance lacks, is reported, and the error comes out', async () => {
    const presets = { default: { recover: 'elsewhere', maxRetries: 0 } };
    const { service, clock, logger } = scriptedService({}, failing(1), presets);
    const call = watch(service.fetch());
    await clock.settle();
    expect(call.value).toMatchObject({ code: 'ECONNRESET' });
    expect(logger.lines.at(-1)).toContain('recover of its retry options names "elsewhere", which is no method');
  });

  it('that a preset names does not recover itself for ever', async () => {
    const { service, times } = scriptedService({}, failing(9), { default: { recover: 'fetch', maxRetries: 0 } });
    await expect(service.fetch()).rejects.toThrow('ECONNRESET');
    expect(times).toHaveLength(1);
  });
});

describe('lines and callbacks', () => {
  it('fills in the placeholders, taking nothing in an error for one', async () => {
    const options = {
      maxRetries: 1,
      delay: 1_500,
      retryLogLevel: 'log',
      retryLogMessage: '{method}|{error}|{attempt}|{maxRetries}|{delay}|{ "json": 1 }',
      failureLogLevel: 'fatal',
      failureLogMessage: (event: RetryEvent) => `gone: ${event.method} ${event.attempt} ${event.delay}`,
    } as const;
    const { service, clock, logger } = scriptedService(
      options,
      failing(2, () => reset('$& {attempt} ECONNRESET')),
    );
    watch(service.fetch());
    await clock.advance(2_000);
    expect(logger.lines).toEqual([
      'log MailService.fetch|$& {attempt} ECONNRESET|1|1|1.5 s|{ "json": 1 }',
      'error gone: MailService.fetch 2 0',
    ]);
    expect(logger.contexts).toEqual(['MailService', 'MailService']);
  });

  it('leaves the context of a Nest Logger that has one alone', async () => {
    const logger = Object.assign(recordingLogger(), { context: 'Mine' });
    const { service, clock } = scriptedService({ logger }, failing(1));
    watch(service.fetch());
    await clock.settle();
    expect(logger.lines).toHaveLength(1);
    expect(logger.contexts).toEqual([]);
  });

  it('uses a level only if the logger has it', async () => {
    const fatal = jest.fn();
    const logger = { ...recordingLogger(), fatal };
    const options = { logger, maxRetries: 1, retryLogLevel: 'verbose', failureLogLevel: 'fatal' } as const;
    const { service, clock } = scriptedService(options, failing(2));
    watch(service.fetch());
    await clock.settle();
    expect(logger.lines).toEqual([]);
    expect(fatal).toHaveBeenCalledTimes(1);
  });

  it('is silent with logger: false, even about broken callbacks', async () => {
    const onRetry = () => {
      throw new Error('oops');
    };
    const { service, clock, logger } = scriptedService({ logger: false, maxRetries: 1, onRetry }, failing(2));
    const call = watch(service.fetch());
    await clock.settle();
    expect(call.state).toBe('rejected');
    expect(logger.lines).toEqual([]);
  });

  it('survives a logger, a message and callbacks that throw', async () => {
    const rejecting = () => Promise.reject(new Error('later'));
    const throwing = (): never => {
      throw new Error('at once');
    };
    const options = { delay: 1, retryLogMessage: throwing, onRetry: throwing, onGiveUp: rejecting, maxRetries: 1 };
    const { service, clock, logger } = scriptedService(options, failing(2));
    const call = watch(service.fetch());
    await clock.advance(1);
    expect(call.value).toMatchObject({ code: 'ECONNRESET' });
    expect(logger.lines.map((line) => line.replace(/^(\w+) MailService.fetch: /, '$1 '))).toEqual([
      'error retryLogMessage of its retry options threw at once; the retry goes on without it',
      'warn attempt 1 of 2 failed (read ECONNRESET); retrying in 1 ms',
      'error onRetry of its retry options threw at once; the retry goes on without it',
      'error gave up after 2 attempts, as maxRetries is 1 (read ECONNRESET)',
      'error onGiveUp of its retry options threw later; the retry goes on without it',
    ]);
    const deaf = { log: throwing, warn: throwing, error: throwing };
    const other = scriptedService({ logger: deaf }, failing(1));
    const second = watch(other.service.fetch());
    await other.clock.settle();
    expect(second.value).toBe(2);
  });

  it('tells onRetry and onGiveUp which call failed, with what, and how long the pause is', async () => {
    const events: unknown[] = [];
    const onRetry = (event: RetryEvent) => events.push(['retry', event]);
    const onGiveUp = (event: RetryEvent) => events.push(['giveUp', event]);
    const error = reset();
    const { service, clock } = scriptedService({ maxRetries: 2, onRetry, onGiveUp }, () => Promise.reject(error));
    watch(service.fetch());
    await clock.advance(1_000);
    const method = 'MailService.fetch';
    expect(events).toEqual([
      ['retry', { method, attempt: 1, error, delay: 0 }],
      ['retry', { method, attempt: 2, error, delay: 100 }],
      ['giveUp', { method, attempt: 3, error, delay: 0 }],
    ]);
  });

  it.each<[string, unknown, string]>([
    ['a code that the message lacks', Object.assign(new Error('gone'), { code: 'EPIPE' }), 'gone (EPIPE)'],
    [
      'an empty message',
      Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }),
      'AggregateError (ECONNREFUSED)',
    ],
    ['several lines', new Error('one\n  two'), 'one two'],
    ['a text', 'plain', 'plain'],
    ['no error at all', null, 'null'],
    ['an object without message', { reply: 421 }, '{ reply: 421 }'],
    [
      'a trap',
      Object.defineProperty({}, 'message', {
        get: () => {
          throw new Error('trap');
        },
      }),
      'an error that cannot be shown',
    ],
  ])('describes %s', async (_, error, description) => {
    const { service, clock, logger } = scriptedService({ maxRetries: 0, retryOn: [() => true] }, () =>
      Promise.reject(error),
    );
    watch(service.fetch());
    await clock.settle();
    expect(logger.lines).toEqual([
      `error MailService.fetch: gave up after 1 attempt, as maxRetries is 0 (${description})`,
    ]);
  });
});
