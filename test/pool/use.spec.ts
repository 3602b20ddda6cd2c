// Thenables that are no promises are among what work may return.
/* oxlint-disable unicorn/no-thenable */
import { describe, expect, test } from '@jest/globals';
import { ConnectionError, isConnectionError } from '../../src/pool/connection-error.js';
import { AcquireTimeoutError, ConnectTimeoutError, PoolClosedError } from '../../src/pool/errors.js';
import type { ErrorMatcher } from '../../src/pool/rules.js';
import type { ScriptedConnection } from '../../src/testing/index.js';
import { deferred, fateOf, filled, rejection } from './workbench.js';

const coded = (code: string): Error => Object.assign(new Error(code), { code });
const named = (name: string, message = name): Error => Object.assign(new Error(message), { name });

describe('P3: use() gives work a connection and takes it back', () => {
  test('work gets the connection and its lease, and its result comes out', async () => {
    const { factory, pool } = await filled({ size: 1 });
    const result = await pool.use((connection, lease) => {
      expect(connection).toBe(factory.opened[0]);
      expect(lease.connection).toBe(connection);
      expect(pool.stats()).toMatchObject({ leased: 1, idle: 0 });
      return Promise.resolve({ id: connection.id });
    });
    expect(result).toEqual({ id: 1 });
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1, totals: { acquired: 1 } });
  });

  test.each<[string, () => unknown]>([
    ['a plain value', () => 'result'],
    ['a promise', () => Promise.resolve('result')],
    ['a thenable', () => ({ then: (resolve: (value: string) => void) => resolve('result') })],
    [
      'a thenable that settles later',
      () => ({ then: (resolve: (value: string) => void) => queueMicrotask(() => resolve('result')) }),
    ],
    ['an async function', async () => 'result'],
  ])('work may return %s', async (_what, work) => {
    const { factory, pool } = await filled({ size: 1 });
    expect(await pool.use(work)).toBe('result');
    expect(pool.stats()).toMatchObject({ idle: 1 });
    expect(factory.closed).toEqual([]);
  });

  test.each([undefined, null, 0, false])('%p is a result like any other', async (value) => {
    const { pool } = await filled({ size: 1 });
    expect(await pool.use(() => value)).toBe(value);
    expect(pool.stats().idle).toBe(1);
  });

  test('the connection is back before the caller sees the result', async () => {
    const { pool } = await filled({ size: 1 });
    const idle = await pool.use(() => undefined).then(() => pool.stats().idle);
    expect(idle).toBe(1);
  });

  test('work that is under way keeps its connection, however long it takes: use() abandons nothing', async () => {
    const { clock, pool } = await filled({ size: 1, acquireTimeout: 1_000 });
    const aborter = new AbortController();
    const work = deferred<string>();
    const use = fateOf(pool.use(() => work.promise, { timeout: 10, signal: aborter.signal }));
    await clock.advance(3_600_000);
    aborter.abort();
    await clock.advance(1);
    expect(use.state).toBe('pending');
    expect(pool.stats().leased).toBe(1);
    work.resolve('done at last');
    await clock.settle();
    expect(use.value).toBe('done at last');
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { closed: { broken: 0 } } });
  });

  test('work may end its lease itself, and fail after that without harm to the next borrower', async () => {
    const { clock, factory, pool } = await filled({ size: 1 });
    const gate = deferred();
    const error = new ConnectionError('too late');
    const use = fateOf(
      pool.use(async (_connection, lease) => {
        lease.release();
        await gate.promise;
        throw error;
      }),
    );
    const next = await pool.acquire();
    gate.resolve();
    await clock.settle();
    expect(use.error).toBe(error);
    expect(next.connection.closedFor).toEqual([]);
    expect(pool.stats().leased).toBe(1);
    expect(factory.calls.connect).toBe(1);
  });

  test('work may discard its connection and still succeed', async () => {
    const { factory, pool } = await filled({ size: 1 });
    expect(await pool.use((_connection, lease) => (lease.discard(), 'fine'))).toBe('fine');
    expect(factory.opened[0]!.closedFor).toEqual(['broken']);
  });
});

/** Lets work fail with this, and says whether its connection was closed; the very error must come out. */
async function fateOfConnection(
  error: unknown,
  settings: { connectionErrors?: ErrorMatcher[] } = {},
  isConnectionError?: (error: unknown) => boolean,
): Promise<'closed' | 'kept'> {
  const { clock, factory, pool } = await filled({ size: 1, ...settings });
  if (isConnectionError !== undefined) factory.isConnectionError = isConnectionError;
  await clock.advance(5_000);
  let used: ScriptedConnection | undefined;
  const thrown = await rejection(
    pool.use((connection) => {
      used = connection;
      return Promise.reject(error);
    }),
  );
  expect(thrown).toBe(error);
  await clock.settle();
  expect(pool.stats()).toMatchObject({ idle: 1, leased: 0 });
  return used!.closedFor.length === 0 ? 'kept' : 'closed';
}

describe('P3: work that fails', () => {
  test.each([
    ['a ConnectionError', new ConnectionError('broken')],
    ['ECONNRESET', coded('ECONNRESET')],
    ['EPIPE', coded('EPIPE')],
    ['a TLS error', coded('ERR_TLS_CERT_ALTNAME_INVALID')],
    ['an error caused by a connection error', new Error('query failed', { cause: coded('ECONNRESET') })],
    ['an AggregateError that holds one', new AggregateError([new Error('a'), coded('ECONNREFUSED')])],
    ['a connect time-out from inside', new ConnectTimeoutError('other', 5)],
    ['an AbortError', named('AbortError')],
    ['a TimeoutError', named('TimeoutError')],
    ['the reason of AbortSignal.timeout', new DOMException('timed out', 'TimeoutError')],
    ['an error caused by an AbortError', new Error('given up', { cause: new DOMException('aborted', 'AbortError') })],
    ['a time-out of an attempt', named('RetryAttemptTimeoutError')],
  ])('with %s costs the connection', async (_what, error) => {
    expect(await fateOfConnection(error)).toBe('closed');
  });

  test.each([
    ['a plain error', new Error('no such mailbox')],
    ['undefined', undefined],
    ['null', null],
    ['a text', 'ECONNRESET'],
    ['a number', 7],
    ['an object that is no error', { reason: 'none' }],
    ['a frozen error', Object.freeze(new Error('frozen'))],
    ['an error that is its own cause', Object.assign(new Error('loop'), {}) as unknown],
    ['an acquire time-out of another pool, whose cause is a connection error', waitingError()],
    ['another pool that is closed', new PoolClosedError('other')],
  ])('with %s returns the connection', async (what, error) => {
    if (what.includes('own cause')) (error as { cause?: unknown }).cause = error;
    expect(await fateOfConnection(error)).toBe('kept');
  });

  test('throwing before it returns a promise, comes out as it is', async () => {
    const { factory, pool } = await filled({ size: 1 });
    const error = new Error('synchronous');
    const work = (): never => {
      throw error;
    };
    expect(await rejection(pool.use(work))).toBe(error);
    expect(pool.stats().idle).toBe(1);
    expect(factory.closed).toEqual([]);
  });

  test('with a thenable that throws or rejects, comes out as it is', async () => {
    const { pool } = await filled({ size: 2 });
    const error = coded('ECONNRESET');
    const throwing = {
      then: (): never => {
        throw error;
      },
    };
    const rejecting = { then: (_: unknown, reject: (error: unknown) => void) => reject(error) };
    expect(await rejection(pool.use(() => throwing as unknown as PromiseLike<void>))).toBe(error);
    expect(await rejection(pool.use(() => rejecting as unknown as PromiseLike<void>))).toBe(error);
    expect(pool.stats().totals.closed.broken).toBe(2);
  });

  test('with undefined while its signal is aborted, costs the connection', async () => {
    const { factory, pool } = await filled({ size: 1 });
    const aborter = new AbortController();
    const thrown = await rejection(
      pool.use(
        () => {
          aborter.abort();
          return Promise.reject(undefined);
        },
        { signal: aborter.signal },
      ),
    );
    expect(thrown).toBeUndefined();
    expect(factory.opened[0]!.closedFor).toEqual(['broken']);
  });

  test('for reasons of its own while its signal is aborted, costs the connection', async () => {
    const { factory, pool } = await filled({ size: 1 });
    const aborter = new AbortController();
    const error = new Error('protocol out of step');
    const work = pool.use(
      () => {
        aborter.abort();
        return Promise.reject(error);
      },
      { signal: aborter.signal },
    );
    expect(await rejection(work)).toBe(error);
    expect(factory.opened[0]!.closedFor).toEqual(['broken']);
    expect(isConnectionError(error)).toBe(false);
  });

  test('but succeeds while its signal is aborted, returns the connection', async () => {
    const { factory, pool } = await filled({ size: 1 });
    const aborter = new AbortController();
    expect(await pool.use(() => (aborter.abort(), 'finished first'), { signal: aborter.signal })).toBe(
      'finished first',
    );
    expect(factory.closed).toEqual([]);
  });

  test('that was queued, and then fails while its signal is aborted, costs the connection too', async () => {
    const { clock, factory, pool } = await filled({ size: 1 });
    const aborter = new AbortController();
    const holder = await pool.acquire();
    const use = fateOf(
      pool.use(
        () => {
          aborter.abort();
          throw new Error('half-way');
        },
        { signal: aborter.signal },
      ),
    );
    holder.release();
    await clock.settle();
    expect(use.error).toEqual(new Error('half-way'));
    expect(factory.opened[0]!.closedFor).toEqual(['broken']);
  });

  test('aborted or timed out, is no break: idle siblings are left alone, and nothing tells of a connection error', async () => {
    const { clock, factory, pool } = await filled({ size: 3, siblingsOnBreak: 'recycle' });
    for (const error of [named('AbortError'), named('TimeoutError')]) {
      await rejection(pool.use(() => Promise.reject(error)));
      await clock.settle();
      expect(isConnectionError(error)).toBe(false);
    }
    expect(pool.stats().totals.closed).toMatchObject({ broken: 2, recycled: 0 });
    expect(factory.calls.connect).toBe(5);
  });

  test('given up in a way that only the factory knows, is no break either', async () => {
    const { clock, factory, pool } = await filled({ size: 3, siblingsOnBreak: 'recycle' });
    Object.assign(factory, { isAbandonment: (error: unknown) => error instanceof RangeError });
    const error = new Error('query failed', { cause: new RangeError('too slow') });
    await rejection(pool.use(() => Promise.reject(error)));
    await rejection(pool.use(() => Promise.reject(new Error('syntax'))));
    await clock.settle();
    expect(isConnectionError(error)).toBe(false);
    expect(pool.stats().totals.closed).toMatchObject({ broken: 1, recycled: 0 });
  });

  test('with a connection error, is a break: idle siblings are suspect', async () => {
    const { clock, pool } = await filled({ size: 3, siblingsOnBreak: 'recycle' });
    await rejection(pool.use(() => Promise.reject(coded('ECONNRESET'))));
    await clock.settle();
    expect(pool.stats().totals.closed).toMatchObject({ broken: 1, recycled: 2 });
  });

  test('on a connection that died meanwhile: that error is a connection error from then on', async () => {
    const { factory, pool } = await filled({ size: 1 });
    const error = new Error('unexpected end of reply');
    const work = pool.use((connection) => {
      connection.die();
      return Promise.reject(error);
    });
    expect(await rejection(work)).toBe(error);
    expect(factory.opened[0]!.closedFor).toEqual(['broken']);
    expect(isConnectionError(error)).toBe(true);
  });

  test('with an error that cannot be read: that very error comes out, and no connection is lost', async () => {
    const hostile = {
      get cause(): never {
        throw new Error('the getter');
      },
    };
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const nameless = { name: Object.create(null) as unknown };
    const { pool } = await filled({ size: 1 });
    for (const error of [hostile, proxy, nameless]) {
      let thrown: unknown;
      try {
        await pool.use(() => Promise.reject(error as Error));
      } catch (caught) {
        thrown = caught;
      }
      expect(Object.is(thrown, error)).toBe(true);
      expect(pool.stats()).toMatchObject({ idle: 1, leased: 0 });
    }
  });
});

describe('P3: matchers of settings and factory', () => {
  class ImapError extends Error {
    constructor(readonly fatal: boolean) {
      super('imap');
    }
  }

  test.each<[string, ErrorMatcher]>([
    ['a class', ImapError],
    ['a code', 'E_BYE'],
    ['a predicate', (error: unknown) => error instanceof ImapError && error.fatal],
  ])('%s in connectionErrors tells a connection error', async (_what, matcher) => {
    const error = Object.assign(new ImapError(true), { code: 'E_BYE' });
    expect(isConnectionError(error)).toBe(false);
    expect(await fateOfConnection(error, { connectionErrors: [matcher] })).toBe('closed');
    expect(isConnectionError(error)).toBe(true);
  });

  test.each<[string, ErrorMatcher]>([
    ['a class that it is not of', ImapError],
    ['another code', 'E_BYE'],
    ['a predicate that says no', () => false],
    ['a predicate that answers something else than true', (() => 'yes') as unknown as ErrorMatcher],
    ['a predicate that throws', (error) => (error as { missing: { deep: boolean } }).missing.deep],
  ])('%s does not', async (_what, matcher) => {
    expect(await fateOfConnection(new Error('other'), { connectionErrors: [matcher] })).toBe('kept');
  });

  test('the factory adds to the settings', async () => {
    const error = new ImapError(false);
    expect(await fateOfConnection(error, { connectionErrors: ['E_BYE'] }, (each) => each instanceof ImapError)).toBe(
      'closed',
    );
    expect(await fateOfConnection(new Error('other'), {}, (each) => each instanceof ImapError)).toBe('kept');
  });

  test('matchers look down the cause chain', async () => {
    const error = new Error('select failed', { cause: new Error('deeper', { cause: new ImapError(true) }) });
    expect(await fateOfConnection(error, { connectionErrors: [ImapError] })).toBe('closed');
  });

  test('a factory that cannot say because it throws costs no connection', async () => {
    const isConnectionError = (): never => {
      throw new Error('bug in the factory');
    };
    expect(await fateOfConnection(new Error('other'), {}, isConnectionError)).toBe('kept');
  });

  test('the class ConnectionError in connectionErrors changes nothing', async () => {
    expect(await fateOfConnection(coded('ECONNRESET'), { connectionErrors: [ConnectionError] })).toBe('closed');
    expect(await fateOfConnection(new Error('other'), { connectionErrors: [ConnectionError] })).toBe('kept');
  });

  test('an error for which another pool discarded a connection costs this pool none', async () => {
    const error = new ImapError(true);
    expect(await fateOfConnection(error, { connectionErrors: [ImapError] })).toBe('closed');
    expect(await fateOfConnection(error)).toBe('kept');
  });
});

describe('P3: use() passes on why there was no connection', () => {
  test('a time-out, without calling work', async () => {
    const { pool } = await filled({ size: 1 });
    await pool.acquire();
    let called = 0;
    const error = await rejection(pool.use(() => called++, { timeout: 0 }));
    expect(error).toBeInstanceOf(AcquireTimeoutError);
    expect(called).toBe(0);
  });

  test('the reason of a signal, without calling work', async () => {
    const { pool } = await filled({ size: 1 });
    const reason = new Error('user went away');
    let called = 0;
    expect(await rejection(pool.use(() => called++, { signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(called).toBe(0);
    expect(pool.stats().idle).toBe(1);
  });
});

function waitingError(): Error {
  const counts = { size: 1, idle: 0, leased: 0, checking: 0, connecting: 0, closing: 0, waiting: 1 };
  return new AcquireTimeoutError('other', 5, counts, 'down', { cause: coded('ECONNREFUSED') });
}
