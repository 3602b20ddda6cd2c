import { describe, expect, test } from '@jest/globals';
import * as errors from '../../src/pool/errors.js';
import { describeError, type PoolCounts } from '../../src/pool/errors.js';

const COUNTS: PoolCounts = { size: 3, idle: 0, leased: 2, checking: 1, connecting: 0, closing: 0, waiting: 4 };
const SEEN = 'size 3: 0 idle, 2 leased, 1 checking, 0 connecting, 0 closing; 4 waiting';
const FAULT = { path: 'size', received: '0', allowed: 'a whole number of 1 or more' };

function timeout(after: number, reason: string, options?: ErrorOptions): errors.AcquireTimeoutError {
  const message = errors.describeTimeout('mail', after, COUNTS, reason);
  return new errors.AcquireTimeoutError('mail', after, COUNTS, message, options);
}

describe('E1: errors', () => {
  test.each<[string, string, errors.ConnectionPoolError, string[]]>([
    [
      'AcquireTimeoutError',
      'ERR_POOL_ACQUIRE_TIMEOUT',
      timeout(2_500, 'The pool is busy. Raise size.'),
      ['Pool "mail"', '2.5 s', SEEN, 'The pool is busy. Raise size.'],
    ],
    [
      'PoolOverloadedError',
      'ERR_POOL_OVERLOADED',
      new errors.PoolOverloadedError('mail', 4, COUNTS),
      ['Pool "mail"', '4 callers wait', 'maxWaiting is 4', SEEN, 'raise maxWaiting'],
    ],
    [
      'PoolClosedError',
      'ERR_POOL_CLOSED',
      new errors.PoolClosedError('mail'),
      ['Pool "mail"', 'closed', 'Stop using it'],
    ],
    [
      'ConnectTimeoutError',
      'ERR_POOL_CONNECT_TIMEOUT',
      new errors.ConnectTimeoutError('mail', 10_000),
      ['Pool "mail"', 'connect()', '10 s', 'raise connectTimeout'],
    ],
    [
      'KeepaliveTimeoutError',
      'ERR_POOL_KEEPALIVE_TIMEOUT',
      new errors.KeepaliveTimeoutError('mail', 5_000),
      ['Pool "mail"', 'keepalive()', '5 s', 'Raise keepaliveTimeout'],
    ],
    [
      'LeaseReleasedError',
      'ERR_POOL_LEASE_RELEASED',
      new errors.LeaseReleasedError('mail'),
      ['Pool "mail"', 'released', 'await all work'],
    ],
    [
      'PoolSettingsError',
      'ERR_POOL_SETTINGS',
      new errors.PoolSettingsError('pool "mail"', [FAULT, { ...FAULT, path: 'reconnect.delay' }]),
      ['pool "mail"', '\n  - size: received 0; allowed is a whole number', '\n  - reconnect.delay: received 0'],
    ],
    [
      'RetryTimeoutError',
      'ERR_RETRY_TIMEOUT',
      new errors.RetryTimeoutError('Mail.send', 60_000, 2),
      ['Mail.send', '60 s', 'attempt 2', 'Raise timeout'],
    ],
    [
      'RetryAttemptTimeoutError',
      'ERR_RETRY_ATTEMPT_TIMEOUT',
      new errors.RetryAttemptTimeoutError('Mail.send', 1_000, 3),
      ['Mail.send', 'Attempt 3', '1 s', 'raise attemptTimeout'],
    ],
  ])('%s has code %s, and says where, how much and what to do', (name, code, error, parts) => {
    expect(error).toBeInstanceOf(errors.ConnectionPoolError);
    expect(error).toBeInstanceOf(Error);
    expect({ name: error.name, code: error.code }).toEqual({ name, code });
    expect(String(error).startsWith(`${name}: `)).toBe(true);
    for (const part of parts) expect(error.message).toContain(part);
    // The name is the class's, not the instance's, so that it is not among what loggers print of an error.
    expect(Object.keys(error)).not.toContain('name');
  });

  test('no two errors share a code', () => {
    const codes = [
      new errors.AcquireTimeoutError('p', 1, COUNTS, ''),
      new errors.PoolOverloadedError('p', 1, COUNTS),
      new errors.PoolClosedError('p'),
      new errors.ConnectTimeoutError('p', 1),
      new errors.KeepaliveTimeoutError('p', 1),
      new errors.LeaseReleasedError('p'),
      new errors.PoolSettingsError('p', []),
      new errors.RetryTimeoutError('m', 1, 1),
      new errors.RetryAttemptTimeoutError('m', 1, 1),
    ].map((error) => error.code);
    expect(new Set(codes).size).toBe(9);
  });

  test('an acquire that would not wait says so, and carries its cause and counts', () => {
    const cause = new Error('down');
    const error = timeout(0, 'Why.', { cause });
    expect(error.message).toBe(`Pool "mail" had no connection to lend now (${SEEN}). Why.`);
    expect(error).toMatchObject({ pool: 'mail', timeout: 0, counts: COUNTS, cause });
  });

  test('without a cause there is none, not even an undefined one', () => {
    expect('cause' in timeout(0, 'Why.')).toBe(false);
  });
});

describe('how an error is described in a line', () => {
  const circular = new AggregateError([]);
  circular.errors.push(circular);

  test.each<[string, unknown, string]>([
    ['an error', new Error('refused'), 'refused'],
    [
      'one with a code',
      Object.assign(new Error('connect failed'), { code: 'ECONNREFUSED' }),
      'connect failed (ECONNREFUSED)',
    ],
    [
      'one whose message has the code',
      Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }),
      'read ECONNRESET',
    ],
    ['one whose code is a number', Object.assign(new Error('odd'), { code: 5 }), 'odd'],
    ['one without a message', new TypeError(), 'TypeError'],
    ['several in one', new AggregateError([new Error('v6'), new Error('v4')]), 'v6; v4'],
    ['several with a message', new AggregateError([new Error('v6')], 'all failed'), 'all failed'],
    ['one of several lines', new Error('first\r\n  second\nthird'), 'first second third'],
    ['a text', 'plain', 'plain'],
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['an object', { message: 5 }, '{ message: 5 }'],
    ['an object that has no text', Object.create(null), '[Object: null prototype] {}'],
    ['errors that contain themselves', circular, 'an error that cannot be shown'],
  ])('%s', (_what, error, line) => {
    expect(describeError(error)).toBe(line);
  });
});
