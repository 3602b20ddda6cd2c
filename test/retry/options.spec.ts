import { describe, expect, it } from '@jest/globals';
import type { Fault } from '../../src/pool/rules.js';
import { layRetryOptions, RETRY_PRESETS_RULE, RETRY_RULES } from '../../src/retry/retry-options.js';

describe('options from an environment', () => {
  const read = (value: unknown) => {
    const faults: Fault[] = [];
    return { read: RETRY_PRESETS_RULE.read(value, 'retry', { faults, fromText: true }), faults };
  };

  it('may be text', () => {
    const mailbox = {
      maxRetries: '5',
      retryOn: 'ECONNRESET, EPIPE',
      delay: 'false',
      maxDelay: '2s',
      immediateFirstRetry: 'false',
      timeout: 'Infinity',
      recover: 'fallback',
      budget: '{"maxTokens":10,"tokenRatio":"0.1"}',
      logger: 'false',
      retryLogLevel: 'debug',
    };
    const presets = {
      mailbox: {
        maxRetries: 5,
        retryOn: ['ECONNRESET', 'EPIPE'],
        delay: 0,
        maxDelay: 2_000,
        immediateFirstRetry: false,
        timeout: Infinity,
        recover: 'fallback',
        budget: { maxTokens: 10, tokenRatio: 0.1 },
        logger: false,
        retryLogLevel: 'debug',
      },
    };
    expect(read({ mailbox })).toEqual({ read: presets, faults: [] });
    expect(read(JSON.stringify({ mailbox }))).toEqual({ read: presets, faults: [] });
    expect(read({ mailbox: { maxRetries: 'Infinity', delay: '10', budget: 'false' } }).read).toEqual({
      mailbox: { maxRetries: Infinity, delay: 10, budget: false },
    });
  });

  it('have their faults told with their paths', () => {
    const { faults } = read({
      mailbox: { maxRetries: 'many', budget: '{"maxTokens":""}', logger: 'console' },
      other: 'x',
    });
    expect(faults.map(({ path }) => path)).toEqual([
      'retry.mailbox.maxRetries',
      'retry.mailbox.budget.maxTokens',
      'retry.mailbox.budget.tokenRatio',
      'retry.mailbox.logger',
      'retry.other',
    ]);
  });

  it('count an empty part of a budget as missing, and a blank one as wrong', () => {
    const faultsOf = (budget: string) =>
      read({ mailbox: { budget } }).faults.map(({ path, received }) => [path, received]);
    expect(faultsOf('{"maxTokens":"","tokenRatio":"1"}')).toEqual([['retry.mailbox.budget.maxTokens', 'none']]);
    expect(faultsOf('{"maxTokens":" ","tokenRatio":"1"}')).toEqual([['retry.mailbox.budget.maxTokens', "' '"]]);
  });

  it('in their normal form may be read again', () => {
    const once = RETRY_PRESETS_RULE.read({ a: { delay: false, maxDelay: false, budget: false } }, 'retry', {
      faults: [],
      fromText: false,
    });
    const faults: Fault[] = [];
    expect(RETRY_PRESETS_RULE.read(once, 'retry', { faults, fromText: false })).toEqual(once);
    expect(once).toEqual({ a: { delay: 0, maxDelay: Infinity, budget: false } });
    expect(faults).toEqual([]);
  });
});

describe('layers of options', () => {
  it('lie over each other, option by option', () => {
    expect(layRetryOptions([{ maxRetries: 1, timeout: 5 }, { maxRetries: 2 }])).toMatchObject({
      maxRetries: 2,
      timeout: 5,
      delay: 100,
    });
  });

  it('leave the first retry to the error unless a delay or a backoff is given in any of them', () => {
    const given = (...layers: Array<Parameters<typeof layRetryOptions>[0][number]>) =>
      layRetryOptions(layers).immediateFirstRetry;
    expect(given()).toBeUndefined();
    expect(given({ multiplier: 3 })).toBeUndefined();
    expect(given({ delay: 1 }, {})).toBe(false);
    expect(given({ backoff: () => 1 }, {})).toBe(false);
    expect(given({ immediateFirstRetry: true }, { delay: 1 })).toBe(true);
  });

  it('let a backoff and the settings of the pauses replace each other', () => {
    const backoff = () => 1;
    expect(layRetryOptions([{ backoff }, { multiplier: 3 }]).backoff).toBeUndefined();
    expect(layRetryOptions([{ multiplier: 3 }, { backoff }]).backoff).toBe(backoff);
    expect(layRetryOptions([{ backoff }, { maxRetries: 3 }]).backoff).toBe(backoff);
  });

  it('have a rule for each option, and each rule says what is allowed', () => {
    for (const rule of Object.values(RETRY_RULES)) expect(rule.allowed).toMatch(/\w{2}/);
  });
});
