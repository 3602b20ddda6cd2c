import { describe, expect, test } from '@jest/globals';
import { systemClock } from '../../src/pool/clock.js';
import { ConnectionFactory } from '../../src/pool/connection-factory.js';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import { PoolSettingsError } from '../../src/pool/errors.js';
import type { Fault } from '../../src/pool/rules.js';
import { readSettings, readSize, readTimeout, resolveSettings, SETTING_RULES } from '../../src/pool/settings.js';
import type { PoolSettings, ResolvedSettings } from '../../src/pool/settings.js';
import { VirtualClock } from '../../src/testing/index.js';

class MailConnectionFactory extends ConnectionFactory<object> {
  override connect(): object {
    return {};
  }
}

class PingedFactory extends MailConnectionFactory {
  override keepalive(): void {}
}

const resolve = (settings: Record<string, unknown>, factory: unknown = new PingedFactory()): ResolvedSettings =>
  resolveSettings(factory, settings);

function errorOf(work: () => unknown): PoolSettingsError {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(PoolSettingsError);
    return error as PoolSettingsError;
  }
  throw new Error('nothing was thrown');
}

const faultsOf = (settings: Record<string, unknown>, factory?: unknown): readonly Fault[] =>
  errorOf(() => resolve(settings, factory)).faults;

const LOGGER = { log: () => {}, error: () => {}, warn: () => {} };
const CLOCK = new VirtualClock();
const MATCHERS = [Error, 'ECONNRESET', () => true];

describe('settings: defaults', () => {
  test('are those of the contract', () => {
    expect(resolve({}, new MailConnectionFactory())).toEqual({
      name: 'mail',
      size: { min: 10, max: 10 },
      maxConnecting: 5,
      connectTimeout: 10_000,
      reconnect: { delay: 100, multiplier: 2, maxDelay: 30_000, jitter: 'full' },
      acquireTimeout: 30_000,
      maxWaiting: Infinity,
      keepalive: Infinity,
      keepaliveTimeout: 5_000,
      checkAfterIdle: Infinity,
      resetTimeout: 5_000,
      connectionErrors: [],
      siblingsOnBreak: 'check',
      maxLifetime: Infinity,
      maxUses: Infinity,
      idleTimeout: 600_000,
      order: undefined,
      closeTimeout: 5_000,
      shutdownTimeout: 10_000,
      leakDetection: Infinity,
      waitFor: 'none',
      startupTimeout: 30_000,
      logger: undefined,
      clock: systemClock,
    });
  });

  test('stand also for settings that are given as undefined', () => {
    const undefinedOnes = Object.fromEntries(Object.keys(SETTING_RULES).map((key) => [key, undefined]));
    expect(resolve(undefinedOnes)).toEqual(resolve({}));
    expect(resolve({ reconnect: { delay: undefined, jitter: 'none' } }).reconnect).toEqual({
      delay: 100,
      multiplier: 2,
      maxDelay: 30_000,
      jitter: 'none',
    });
  });

  test('reconnect is laid over its defaults key by key', () => {
    expect(resolve({ reconnect: { delay: '1s' } }).reconnect).toEqual({
      delay: 1_000,
      multiplier: 2,
      maxDelay: 30_000,
      jitter: 'full',
    });
    expect(resolve({ reconnect: {} }).reconnect).toEqual(resolve({}).reconnect);
  });

  test('the settings given are not changed, and may be frozen', () => {
    const given = Object.freeze({ size: Object.freeze({ min: 1, max: 2 }), reconnect: Object.freeze({ delay: '1s' }) });
    resolve(given);
    expect(given).toEqual({ size: { min: 1, max: 2 }, reconnect: { delay: '1s' } });
  });
});

const DURATION_0 = 'a duration of 0 or more: milliseconds, or text such as "30s", Infinity, or false for "off"';
const DURATION_ABOVE_0 = 'a duration of more than 0: milliseconds, or text such as "30s", Infinity, or false for "off"';
const NO_DURATION = [-1, NaN, 'soon', '', true, null, {}, [5], '-5s'];

interface Case {
  readonly allowed: string;
  readonly accepted: Array<[unknown, unknown]>;
  readonly refused: unknown[];
  /** Exact strings as an environment gives them. */
  readonly fromText: Array<[string, unknown]>;
  readonly refusedText: string[];
}

const ENV_DURATIONS: Array<[string, unknown]> = [
  ['30s', 30_000],
  ['1500', 1_500],
  ['false', Infinity],
  ['Infinity', Infinity],
  ['10 min', 600_000],
];

const duration0: Case = {
  allowed: DURATION_0,
  accepted: [
    [0, 0],
    [250, 250],
    ['30s', 30_000],
    [false, Infinity],
    [Infinity, Infinity],
    ['Infinity', Infinity],
  ],
  refused: [...NO_DURATION, 'false'],
  fromText: [['0', 0], ...ENV_DURATIONS],
  refusedText: ['true', 'soon', '-1'],
};
const durationAbove0: Case = {
  allowed: DURATION_ABOVE_0,
  accepted: [
    [1, 1],
    ['30s', 30_000],
    [false, Infinity],
    [Infinity, Infinity],
  ],
  refused: [...NO_DURATION, 0, '0s'],
  fromText: ENV_DURATIONS,
  refusedText: ['0', 'true', 'soon'],
};
const counted = (least: number): Case => ({
  allowed: `a whole number of ${least} or more, or Infinity`,
  accepted: [
    [least, least],
    [7, 7],
    [Infinity, Infinity],
  ],
  refused: [least - 1, 1.5, NaN, '7', '', null, true, -Infinity, 2 ** 53],
  fromText: [
    ['7', 7],
    [' 7 ', 7],
    ['Infinity', Infinity],
  ],
  refusedText: [' ', 'many', '1.5', String(least - 1), 'true'],
});
const choice = (...choices: string[]): Case => ({
  allowed: `one of ${choices.map((each) => `'${each}'`).join(', ')}`,
  accepted: choices.map((each) => [each, each]),
  refused: ['', 'other', choices[0]!.toUpperCase(), true, null, 0],
  fromText: choices.map((each) => [each, each]),
  refusedText: ['other', 'true'],
});

const CASES: Record<keyof PoolSettings, Case> = {
  name: {
    allowed: 'a text that is not empty',
    accepted: [
      ['mail', 'mail'],
      ['a b', 'a b'],
    ],
    refused: ['', '  ', 5, null, {}, true],
    fromText: [
      ['mail', 'mail'],
      ['true', 'true'],
      ['5', '5'],
    ],
    refusedText: [' '],
  },
  size: {
    allowed: 'a whole number of 1 or more, or { min, max } with 0 <= min <= max and max of 1 or more',
    accepted: [
      [1, { min: 1, max: 1 }],
      [
        { min: 0, max: 1 },
        { min: 0, max: 1 },
      ],
      [
        { min: 3, max: 3 },
        { min: 3, max: 3 },
      ],
    ],
    refused: [
      0,
      -1,
      1.5,
      NaN,
      Infinity,
      '5',
      null,
      true,
      [],
      {},
      { min: 1 },
      { max: 1 },
      { min: 2, max: 1 },
      { min: 0, max: 0 },
      { min: -1, max: 1 },
      { min: '1', max: 2 },
      { min: 1, max: 2, step: 1 },
      { min: 0.5, max: 2 },
      { min: 1, max: Infinity },
    ],
    fromText: [
      ['20', { min: 20, max: 20 }],
      ['{"min":2,"max":20}', { min: 2, max: 20 }],
      ['{"min":"2","max":"20"}', { min: 2, max: 20 }],
    ],
    refusedText: ['0', 'ten', 'true', 'null', '{"min":2}', '{"min":"two","max":3}', '[1,2]', '2-20'],
  },
  maxConnecting: counted(1),
  connectTimeout: durationAbove0,
  reconnect: {
    allowed: 'an object of: delay, multiplier, maxDelay, jitter',
    accepted: [
      [
        { delay: '1s', multiplier: 1.5, maxDelay: false, jitter: 'decorrelated' },
        { delay: 1_000, multiplier: 1.5, maxDelay: Infinity, jitter: 'decorrelated' },
      ],
      [{ delay: 0 }, { delay: 0, multiplier: 2, maxDelay: 30_000, jitter: 'full' }],
      [{ delay: false }, { delay: 0, multiplier: 2, maxDelay: 30_000, jitter: 'full' }],
      [{ delay: 'Infinity' }, { delay: Infinity, multiplier: 2, maxDelay: 30_000, jitter: 'full' }],
    ],
    refused: [5, '5s', null, [], true, false],
    fromText: [
      [
        '{"delay":"1s","multiplier":"3","maxDelay":"false","jitter":"none"}',
        { delay: 1_000, multiplier: 3, maxDelay: Infinity, jitter: 'none' },
      ],
      ['{"delay":"false"}', { delay: 0, multiplier: 2, maxDelay: 30_000, jitter: 'full' }],
    ],
    refusedText: ['100ms', 'true', '[]', '5'],
  },
  acquireTimeout: duration0,
  maxWaiting: counted(0),
  keepalive: durationAbove0,
  keepaliveTimeout: durationAbove0,
  checkAfterIdle: duration0,
  resetTimeout: durationAbove0,
  connectionErrors: {
    allowed: 'a list of error classes, error codes and predicates',
    accepted: [
      [MATCHERS, MATCHERS],
      [[], []],
    ],
    refused: ['ECONNRESET', Error, [5], [''], [null], [undefined], null, {}, true],
    fromText: [
      ['EBYE', ['EBYE']],
      ['EBYE, ENO ,X', ['EBYE', 'ENO', 'X']],
    ],
    refusedText: ['EBYE,', ' '],
  },
  siblingsOnBreak: choice('check', 'recycle', 'keep'),
  maxLifetime: durationAbove0,
  maxUses: counted(1),
  idleTimeout: durationAbove0,
  order: choice('fifo', 'lifo'),
  closeTimeout: duration0,
  shutdownTimeout: duration0,
  leakDetection: durationAbove0,
  waitFor: choice('none', 'one', 'all'),
  startupTimeout: durationAbove0,
  logger: {
    allowed: 'a LoggerService: an object with log(), error(), warn()',
    accepted: [
      [LOGGER, LOGGER],
      [console, console],
    ],
    refused: [null, true, false, 'console', { log: () => {} }, () => {}, { ...LOGGER, warn: 'no method' }],
    fromText: [],
    refusedText: ['console'],
  },
  clock: {
    allowed: 'a Clock: an object with now(), setTimeout(), clearTimeout(), setImmediate(), random()',
    accepted: [
      [CLOCK, CLOCK],
      [systemClock, systemClock],
    ],
    refused: [null, Date, { now: () => 0 }, 'system'],
    fromText: [],
    refusedText: ['system'],
  },
};

describe.each(Object.entries(CASES) as Array<[keyof ResolvedSettings, Case]>)('settings: %s', (key, rule) => {
  test.each(rule.accepted)('%p is accepted', (given, expected) => {
    expect(resolve({ [key]: given })[key]).toEqual(expected);
  });

  test.each(rule.refused.map((given) => [given]))('%p is refused, with path, value and what is allowed', (given) => {
    const [fault, ...others] = faultsOf({ [key]: given });
    expect(others).toEqual([]);
    expect(fault).toMatchObject({ path: key, allowed: rule.allowed });
    expect(fault!.received.length).toBeGreaterThan(0);
  });

  // A logger and a clock have no text, and it.each wants a row.
  test.each([...rule.fromText, ...rule.accepted])('%p is accepted from an environment', (given, expected) => {
    const faults: Fault[] = [];
    const read = readSettings({ [key]: given }, { faults, fromText: true });
    expect(faults).toEqual([]);
    const merged = key === 'reconnect' ? { ...resolve({}).reconnect, ...read.reconnect } : read[key];
    expect(merged).toEqual(expected);
  });

  test.each(rule.refusedText)('%p from an environment is refused, as it was given', (given) => {
    const faults: Fault[] = [];
    const read = readSettings({ [key]: given }, { faults, fromText: true });
    expect(read[key]).toBeUndefined();
    expect(faults).toEqual([{ path: key, received: `'${given}'`, allowed: rule.allowed }]);
  });

  test.each([undefined, ''])('is not given where an environment has %p', (given) => {
    const faults: Fault[] = [];
    expect(readSettings({ [key]: given }, { faults, fromText: true })).toEqual({});
    expect(faults).toEqual([]);
  });
});

describe('settings: faults', () => {
  test('all are told at once, each with its path, in one message', () => {
    const error = errorOf(() =>
      resolve({ size: 0, order: 'random', reconnect: { delay: 'soon', jitter: 'some' }, colour: 'red' }),
    );
    expect(error.message).toBe(
      'Invalid settings of pool "pinged":' +
        `\n  - size: received 0; allowed is ${CASES.size.allowed}` +
        "\n  - order: received 'random'; allowed is one of 'fifo', 'lifo'" +
        `\n  - reconnect.delay: received 'soon'; allowed is ${DURATION_0}` +
        "\n  - reconnect.jitter: received 'some'; allowed is one of 'none', 'full', 'equal', 'decorrelated'" +
        `\n  - colour: received a value of type string; allowed is nothing of this name; there are: ${Object.keys(SETTING_RULES).join(', ')}`,
    );
    expect(error.faults).toHaveLength(5);
    expect(error.subject).toBe('pool "pinged"');
  });

  test.each<[string, unknown, string]>([
    ['reconnect.delay', { delay: -1 }, DURATION_0],
    ['reconnect.multiplier', { multiplier: 0.5 }, 'a number of 1 or more'],
    ['reconnect.multiplier', { multiplier: Infinity }, 'a number of 1 or more'],
    ['reconnect.multiplier', { multiplier: '2' }, 'a number of 1 or more'],
    ['reconnect.maxDelay', { maxDelay: -1 }, DURATION_0],
    ['reconnect.wait', { wait: 5 }, 'nothing of this name; there are: delay, multiplier, maxDelay, jitter'],
  ])('%s of %p', (path, reconnect, allowed) => {
    expect(faultsOf({ reconnect })).toMatchObject([{ path, allowed }]);
  });

  test('names that every object inherits are unknown settings too', () => {
    expect(faultsOf({ constructor: 1, toString: 2 }).map(({ path }) => path)).toEqual(['constructor', 'toString']);
    expect(faultsOf(JSON.parse('{"__proto__":{"size":5}}') as Record<string, unknown>)).toHaveLength(1);
  });

  test('an unknown setting is told without its value, which may be a secret', () => {
    const { message } = errorOf(() => resolve({ password: 'hunter2' }));
    expect(message).toContain('password: received a value of type string');
    expect(message).not.toContain('hunter2');
  });

  test('a long value is cut short', () => {
    const [fault] = faultsOf({
      order: Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`key${i}`, 'x'.repeat(50)])),
    });
    expect(fault!.received).toHaveLength(120);
    expect(fault!.received.endsWith('...')).toBe(true);
  });

  test.each([
    [null, 'null'],
    ['redis://user:hunter2@host', 'a value of type string'],
    [['hunter2'], '[Array]'],
    [5, 'a value of type number'],
  ])('settings that are %p are none', (settings, received) => {
    const { faults } = errorOf(
      () => new ConnectionPool(new MailConnectionFactory(), settings as unknown as PoolSettings),
    );
    expect(faults).toEqual([{ path: 'settings', received, allowed: 'an object of settings' }]);
  });
});

describe('settings: from an environment', () => {
  test('connectionErrors may be a list in JSON, too', () => {
    const reading = { faults: [], fromText: true };
    expect(readSettings({ connectionErrors: '["EFOO","EBAR"]' }, reading)).toEqual({
      connectionErrors: ['EFOO', 'EBAR'],
    });
    expect(reading.faults).toEqual([]);
  });
});

describe('settings: the factory', () => {
  test('the class in place of an instance is told how to be one', () => {
    const { message } = errorOf(() => resolveSettings(MailConnectionFactory, {}));
    expect(message).toContain('pool "mail"');
    expect(message).toContain('an instance, as in new MailConnectionFactory()');
  });

  test.each<[string, unknown, string]>([
    ['nothing', undefined, 'a value of type undefined'],
    ['null', null, 'null'],
    ['the class itself', MailConnectionFactory, '[class MailConnectionFactory extends ConnectionFactory]'],
    ['a text', 'redis://user:hunter2@host', 'a value of type string'],
    ['an object without connect()', { password: 'hunter2' }, '[Object]'],
    ['an object whose connect is no method', { connect: 'hunter2' }, '[Object]'],
  ])('%s is no factory', (_what, factory, received) => {
    const error = errorOf(() => resolveSettings(factory, { name: 'mail' }));
    const allowed = expect.stringContaining('a ConnectionFactory, which has a method connect()');
    expect(error.faults).toEqual([{ path: 'factory', received, allowed }]);
    expect(error.message).not.toContain('hunter2');
  });

  test.each(['close', 'keepalive', 'isUsable', 'reset', 'watch', 'isConnectionError'])(
    'a hook %s that is no method is a fault',
    (hook) => {
      const factory = Object.assign(new MailConnectionFactory(), { [hook]: true });
      expect(faultsOf({}, factory)).toEqual([
        { path: `factory.${hook}`, received: 'true', allowed: 'a method, or nothing' },
      ]);
      Object.assign(factory, { [hook]: undefined });
      expect(resolve({}, factory).name).toBe('mail');
    },
  );

  test.each(['keepalive', 'checkAfterIdle'])('%s on a factory without the keepalive hook is a fault', (setting) => {
    const factory = new MailConnectionFactory();
    expect(faultsOf({ [setting]: '30s' }, factory)).toEqual([
      {
        path: setting,
        received: '30000 ms',
        allowed: 'false, as the factory has no method keepalive() to ping a connection with; add one',
      },
    ]);
    for (const off of [false, undefined, Infinity]) expect(resolve({ [setting]: off }, factory).name).toBe('mail');
    expect(resolve({ [setting]: '30s' }, new PingedFactory())).toMatchObject({ [setting]: 30_000 });
  });

  test('checkAfterIdle of 0, which is "always", needs the hook too', () => {
    expect(faultsOf({ checkAfterIdle: 0 }, new MailConnectionFactory())).toMatchObject([{ path: 'checkAfterIdle' }]);
  });
});

describe("settings: the pool's name", () => {
  const Anonymous = (() => class extends MailConnectionFactory {})();

  test('is that of the settings, else poolName, else from the class', () => {
    class PostFactory extends MailConnectionFactory {
      static override poolName = 'post';
    }
    expect(resolve({ name: 'given' }, new PostFactory()).name).toBe('given');
    expect(resolve({}, new PostFactory()).name).toBe('post');
    expect(resolve({}, new MailConnectionFactory()).name).toBe('mail');
    expect(new ConnectionPool(new MailConnectionFactory()).name).toBe('mail');
  });

  test.each<[string, unknown]>([
    ['a class without a name', new Anonymous()],
    ['an object without a class', Object.assign(Object.create(null), { connect: () => ({}) })],
    [
      'a poolName that is empty',
      new (class A extends MailConnectionFactory {
        static override poolName = '';
      })(),
    ],
    [
      'a poolName that is no text',
      new (class A extends MailConnectionFactory {
        static override poolName = 5 as unknown as string;
      })(),
    ],
  ])('is missing from %s, which is a fault', (_what, factory) => {
    const error = errorOf(() => resolve({}, factory));
    expect(error.message).toBe(
      'Invalid settings of a pool:\n  - name: received none; allowed is a name: in the settings, as a static poolName of ' +
        'the factory, or as the name of its class',
    );
    expect(resolve({ name: 'given' }, factory).name).toBe('given');
  });
});

describe('sizes and time-outs of single calls', () => {
  test('a size is read by the rule of the setting', () => {
    expect(readSize('mail', 5)).toEqual({ min: 5, max: 5 });
    expect(readSize('mail', { min: 0, max: 5 })).toEqual({ min: 0, max: 5 });
    const error = errorOf(() => readSize('mail', 0));
    expect(error.message).toBe(
      `Invalid settings of pool "mail":\n  - size: received 0; allowed is ${CASES.size.allowed}`,
    );
  });

  test('a time-out is a duration of 0 or more', () => {
    expect([readTimeout('mail', 0), readTimeout('mail', '2s'), readTimeout('mail', false)]).toEqual([
      0,
      2_000,
      Infinity,
    ]);
    expect(errorOf(() => readTimeout('mail', 'soon')).faults).toEqual([
      { path: 'timeout', received: "'soon'", allowed: DURATION_0 },
    ]);
  });

  test('a wrong one comes out of the call that gave it, and changes nothing', async () => {
    const pool = new ConnectionPool(new MailConnectionFactory(), { clock: new VirtualClock(), size: 1 });
    expect(() => pool.resize(0)).toThrow(PoolSettingsError);
    await expect(pool.acquire({ timeout: 'soon' })).rejects.toThrow(PoolSettingsError);
    await expect(pool.use(() => {}, { timeout: -1 })).rejects.toThrow(PoolSettingsError);
    await expect(pool.close({ timeout: 'soon' })).rejects.toThrow(PoolSettingsError);
    expect(pool.stats()).toMatchObject({ size: 1, waiting: 0 });
    expect(await pool.use(() => 'still open')).toBe('still open');
    await pool.close();
  });
});
