import { describe, expect, test } from '@jest/globals';
import { AcquireTimeoutError, PoolSettingsError, type PoolCounts } from '../../src/pool/errors.js';
import { explainWait } from '../../src/pool/wait-diagnosis.js';
import { deferred, fateOf, filled, rejection, workbench, type Fate } from './workbench.js';

const refused = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:993'), { code: 'ECONNREFUSED' });

function timeoutOf(fate: Fate<unknown>): AcquireTimeoutError {
  expect(fate.error).toBeInstanceOf(AcquireTimeoutError);
  return fate.error as AcquireTimeoutError;
}

describe('P5: when a caller has waited for too long', () => {
  test('it is rejected at acquireTimeout, not before', async () => {
    const { clock, pool } = await filled({ size: 1, acquireTimeout: '2s' });
    await pool.acquire();
    const fate = fateOf(pool.acquire());
    await clock.advance(1_999);
    expect(fate.state).toBe('pending');
    await clock.advance(1);
    expect(timeoutOf(fate)).toMatchObject({ code: 'ERR_POOL_ACQUIRE_TIMEOUT', pool: 'ledger', timeout: 2_000 });
    expect(pool.stats()).toMatchObject({ waiting: 0, longestWait: 0, totals: { acquireTimeouts: 1 } });
  });

  test('the default is 30 seconds', async () => {
    const { clock, pool } = await filled({ size: 1 });
    await pool.acquire();
    const fate = fateOf(pool.acquire());
    await clock.advance(29_999);
    expect(fate.state).toBe('pending');
    await clock.advance(1);
    expect(timeoutOf(fate).message).toContain('within 30 s');
  });

  test('each call may have a time-out of its own, shorter or longer, in whatever order they come', async () => {
    const { clock, pool } = await filled({ size: 1, acquireTimeout: 500 });
    await pool.acquire();
    const timeouts = [700, 100, undefined, '1s', 100, 300, false, Infinity, 'Infinity'] as const;
    const fates = timeouts.map((timeout) => fateOf(pool.acquire({ timeout })));
    const rejected = (): number[] => fates.flatMap(({ state }, index) => (state === 'rejected' ? [index] : []));
    for (const [at, expected] of [
      [99, []],
      [100, [1, 4]],
      [300, [1, 4, 5]],
      [500, [1, 2, 4, 5]],
      [700, [0, 1, 2, 4, 5]],
      [1_000, [0, 1, 2, 3, 4, 5]],
      [1_000_000_000, [0, 1, 2, 3, 4, 5]],
    ] as const) {
      await clock.advance(at - clock.now());
      expect([at, rejected()]).toEqual([at, expected]);
    }
    expect(pool.stats().waiting).toBe(3);
  });

  test('time-outs of their own leave no timer behind once those callers have gone', async () => {
    const { clock, pool } = await filled({ size: 1, acquireTimeout: Infinity });
    const lease = await pool.acquire();
    const before = clock.pending;
    const fates = [100, 200, 300, 100].map((timeout) => fateOf(pool.acquire({ timeout })));
    expect(clock.pending).toBe(before + 3);
    await clock.advance(100);
    expect(clock.pending).toBe(before + 2);
    lease.release();
    await clock.settle();
    fates[1]!.value!.release();
    await clock.settle();
    expect(clock.pending).toBe(before);
  });

  test('with acquireTimeout Infinity callers wait for ever, without a timer', async () => {
    const { clock, pool } = await filled({ size: 1, acquireTimeout: Infinity });
    const lease = await pool.acquire();
    const before = clock.pending;
    const fates = [fateOf(pool.acquire()), fateOf(pool.acquire())];
    expect(clock.pending).toBe(before);
    await clock.advance(10 * 365 * 86_400_000);
    expect(fates.map(({ state }) => state)).toEqual(['pending', 'pending']);
    expect(pool.stats().longestWait).toBe(10 * 365 * 86_400_000);
    lease.release();
    await clock.settle();
    expect(fates.map(({ state }) => state)).toEqual(['resolved', 'pending']);
  });

  test('callers with a time-out of Infinity each come and go without disturbing the others', async () => {
    const { clock, pool } = await filled({ size: 1, acquireTimeout: 1_000 });
    let lease = await pool.acquire();
    const fates = [Infinity, Infinity].map((timeout) => fateOf(pool.acquire({ timeout })));
    for (const fate of fates) {
      lease.release();
      await clock.settle();
      lease = fate.value!;
    }
    lease.release();
    expect(pool.stats()).toMatchObject({ idle: 1, waiting: 0 });
  });

  test('time-outs longer than Node’s timers know do not fire at once', async () => {
    const { clock, pool } = await filled({ size: 1 });
    await pool.acquire();
    const fate = fateOf(pool.acquire({ timeout: '60d' }));
    await clock.advance(60 * 86_400_000 - 1);
    expect(fate.state).toBe('pending');
    await clock.advance(1);
    expect(timeoutOf(fate).timeout).toBe(60 * 86_400_000);
  });

  test('a timeout of 0 does not wait: an idle connection or an error at once', async () => {
    const { clock, pool } = await filled({ size: 1 });
    const lease = await pool.acquire({ timeout: 0 });
    const before = clock.pending;
    const error = await rejection(pool.acquire({ timeout: 0 }));
    expect(error).toBeInstanceOf(AcquireTimeoutError);
    expect(String(error)).toContain('had no connection to lend now');
    expect(clock.pending).toBe(before);
    expect(pool.stats()).toMatchObject({ waiting: 0, totals: { acquireTimeouts: 1 } });
    lease.release();
    (await pool.acquire({ timeout: 0 })).release();
  });

  test('so does a pool whose acquireTimeout is 0, and the first who asks starts it', async () => {
    const { clock, pool } = workbench({ size: 1, acquireTimeout: 0 });
    expect(await rejection(pool.acquire())).toBeInstanceOf(AcquireTimeoutError);
    await clock.settle();
    expect((await pool.acquire()).connection.id).toBe(1);
  });

  test.each([-1, NaN, 'soon', '', null, true, {}])('a timeout of %p is refused', async (timeout) => {
    const { pool } = await filled({ size: 1 });
    const error = await rejection(pool.acquire({ timeout: timeout as number }));
    expect(error).toBeInstanceOf(PoolSettingsError);
    expect(String(error)).toContain('timeout: received');
    expect(await rejection(pool.use(() => 1, { timeout: timeout as number }))).toBeInstanceOf(PoolSettingsError);
    expect(pool.stats()).toMatchObject({ idle: 1, leased: 0 });
  });

  test('it has left the queue: the next connection goes to the next caller', async () => {
    const { clock, pool } = await filled({ size: 1 });
    const lease = await pool.acquire();
    const [early, late] = [fateOf(pool.acquire({ timeout: 100 })), fateOf(pool.acquire())];
    await clock.advance(100);
    lease.release();
    await clock.settle();
    expect(early.state).toBe('rejected');
    expect(late.state).toBe('resolved');
  });

  test('the connect that it came for goes on, and the next caller gets what it opens', async () => {
    const { clock, factory, pool } = workbench({ size: 1 });
    factory.always('connect', { after: 150 });
    const early = fateOf(pool.acquire({ timeout: 100 }));
    await clock.advance(100);
    expect(early.state).toBe('rejected');
    expect(factory.connectContexts[0]!.signal.aborted).toBe(false);
    const late = fateOf(pool.acquire());
    await clock.advance(50);
    expect(late.value!.connection).toBe(factory.opened[0]);
    expect(factory.calls.connect).toBe(1);
  });

  test('in the very tick in which its connection arrives, it gets the connection', async () => {
    const { clock, factory, pool } = workbench({ size: 1 });
    factory.always('connect', { after: 100 });
    pool.start();
    const fate = fateOf(pool.acquire({ timeout: 100 }));
    await clock.advance(100);
    expect(fate.state).toBe('resolved');
    expect(pool.stats()).toMatchObject({ leased: 1, totals: { acquireTimeouts: 0 } });
  });

  test('10 000 time out at once; then one connection comes back, and is whole', async () => {
    const { clock, factory, pool } = await filled({ size: 1, acquireTimeout: 1_000 });
    const lease = await pool.acquire();
    const fates = Array.from({ length: 10_000 }, () => fateOf(pool.acquire()));
    expect(pool.stats()).toMatchObject({ waiting: 10_000 });
    await clock.advance(1_000);
    expect(fates.filter(({ error }) => error instanceof AcquireTimeoutError)).toHaveLength(10_000);
    expect(pool.stats()).toMatchObject({ waiting: 0, longestWait: 0, totals: { acquireTimeouts: 10_000 } });
    const later = fateOf(pool.acquire());
    lease.release();
    await clock.settle();
    expect(later.value!.connection).toBe(factory.opened[0]);
    later.value!.release();
    expect(pool.stats()).toMatchObject({ idle: 1, leased: 0, totals: { acquired: 2 } });
    expect(factory.audit('at the end').totals.connected).toBe(1);
  });

  test('longestWait is the age of the first in the queue', async () => {
    const { clock, pool } = await filled({ size: 1 });
    const lease = await pool.acquire();
    fateOf(pool.acquire());
    await clock.advance(700);
    fateOf(pool.acquire());
    await clock.advance(300);
    expect(pool.stats()).toMatchObject({ waiting: 2, longestWait: 1_000 });
    lease.release();
    expect(pool.stats()).toMatchObject({ waiting: 1, longestWait: 300 });
  });
});

describe('P5: what the error says', () => {
  test('down: since when, how many failures, the last error, which is also the cause', async () => {
    const { clock, factory, pool } = workbench({ size: 2, acquireTimeout: 1_000 });
    factory.always('connect', { fail: refused });
    const fate = fateOf(pool.acquire());
    await clock.advance(1_000);
    const error = timeoutOf(fate);
    expect(error.cause).toBe(refused);
    expect(error.message).toContain('Pool "ledger" had no connection to lend within 1 s');
    expect(error.message).toContain('The backend is down: connects have been failing for 1 s (5 so far)');
    expect(error.message).toContain(refused.message);
    expect(error.counts).toEqual({ size: 2, idle: 0, leased: 0, checking: 0, connecting: 0, closing: 0, waiting: 1 });
  });

  test('busy: how many are leased, and no cause, though a connect failed long ago', async () => {
    const { clock, factory, pool } = workbench({ size: 2, acquireTimeout: 1_000 });
    factory.next('connect', { fail: refused });
    pool.start();
    await clock.advance(2_000);
    const [one] = await Promise.all([pool.acquire(), pool.acquire()]);
    const fates = [fateOf(pool.acquire()), fateOf(pool.acquire())];
    one.release();
    await clock.advance(1_000);
    const error = timeoutOf(fates[1]!);
    expect(pool.stats().lastConnectError).toBe(refused);
    expect('cause' in error).toBe(false);
    expect(error.message).toContain('(size 2: 0 idle, 2 leased, 0 checking, 0 connecting, 0 closing; 1 waiting)');
    expect(error.message).toContain('The pool is busy: all connections are leased. Raise size');
    expect(error.message).not.toMatch(/down|none was returned/);
  });

  test('busy: all connections are leased, though connects for more of them had been failing', async () => {
    const { clock, factory, pool } = workbench({ size: 2, acquireTimeout: 1_000 });
    factory.next('connect', 'succeed');
    factory.always('connect', { fail: refused });
    await pool.use(() => undefined);
    await clock.advance(1_000);
    pool.resize(1);
    await pool.acquire();
    const fate = fateOf(pool.acquire());
    await clock.advance(1_000);
    expect(pool.stats().downSince).toBe(0);
    expect(timeoutOf(fate).message).toMatch(/The pool is busy: .*Besides, connects have been failing for/);
    expect(timeoutOf(fate).cause).toBe(refused);
  });

  test('in between: some are leased, and connects for more of them fail; the service need not be down', async () => {
    const { clock, factory, pool } = workbench({ size: 3, acquireTimeout: 1_000, maxConnecting: 1 });
    const tooMany = new Error('sorry, too many clients already');
    factory.next('connect', 'succeed').always('connect', { fail: tooMany });
    await pool.acquire();
    const fate = fateOf(pool.acquire());
    await clock.advance(1_000);
    expect(timeoutOf(fate).message).toContain('(size 3: 0 idle, 1 leased,');
    expect(timeoutOf(fate).message).toContain('Only 1 of 3 connections is open (1 leased), and no more can be opened');
    expect(timeoutOf(fate).message).toContain(
      'the last with: sorry, too many clients already. The service may be down, or',
    );
    expect(timeoutOf(fate).cause).toBe(tooMany);
    factory.next('connect', 'succeed');
    const second = pool.acquire({ timeout: 5_000 });
    await clock.advance(1_000);
    await second;
    const other = fateOf(pool.acquire());
    await clock.advance(1_000);
    expect(timeoutOf(other).message).toContain('Only 2 of 3 connections are open (2 leased), and no more');
  });

  test('deadlock: n callers each hold one and ask for a second from a pool of n', async () => {
    const { clock, pool } = await filled({ size: 3, acquireTimeout: 1_000 });
    const all = deferred();
    const fates = [1, 2, 3].map(() => fateOf(pool.use(() => all.promise.then(() => pool.use(() => 'never')))));
    all.resolve();
    await clock.advance(1_000);
    expect(timeoutOf(fates[0]!).message).toMatch(/none was returned meanwhile.*second connection.*deadlock/);
    expect(pool.stats()).toMatchObject({ idle: 3, leased: 0, totals: { closed: { broken: 0 } } });
  });

  test('one who would not wait hears nothing of a deadlock', async () => {
    const { pool } = await filled({ size: 1 });
    await pool.acquire();
    const error = await rejection(pool.acquire({ timeout: 0 }));
    expect(String(error)).toContain('The pool is busy: all connections are leased. Raise size');
    expect(String(error)).not.toContain('deadlock');
  });

  test('opening: connects are slow', async () => {
    const { clock, factory, pool } = workbench({ size: 2, acquireTimeout: 1_000 });
    factory.always('connect', 'hang');
    const fate = fateOf(pool.acquire());
    await clock.advance(1_000);
    expect(timeoutOf(fate).message).toContain('2 connecting');
    expect(timeoutOf(fate).message).toContain('Connections are still being opened: connect() is slow');
    expect('cause' in timeoutOf(fate)).toBe(false);
  });

  test('none of these: connections are being closed or checked', async () => {
    const { clock, factory, pool } = await filled({ size: 1, acquireTimeout: 1_000 });
    factory.always('close', 'hang');
    pool.recycle();
    const fate = fateOf(pool.acquire());
    await clock.advance(1_000);
    expect(timeoutOf(fate).message).toContain('1 closing');
    expect(timeoutOf(fate).message).toContain('are being checked or closed');
  });

  test('down is also said to callers who would not wait', async () => {
    const { clock, factory, pool } = workbench({ size: 1 });
    factory.always('connect', { fail: refused });
    pool.start();
    await clock.settle();
    const error = (await rejection(pool.acquire({ timeout: 0 }))) as AcquireTimeoutError;
    expect(error.message).toContain('The backend is down');
    expect(error.cause).toBe(refused);
  });

  test.each([
    [{ idle: 1, connecting: 1 }, 'serve callers who came first'],
    [{ checking: 1, connecting: 1 }, 'serve callers who came first'],
    [{ leased: 1, connecting: 1 }, 'still being opened'],
    [{ leased: 3 }, 'all connections are leased'],
  ])('of a pool of two with %p it says: %s', (some: Partial<PoolCounts>, expected) => {
    const none = { size: 2, idle: 0, leased: 0, checking: 0, connecting: 0, closing: 0, waiting: 1 };
    const facts = { counts: { ...none, ...some }, downFor: undefined, failures: 0, lastError: undefined, returned: 3 };
    expect(explainWait(facts)).toContain(expected);
  });
});
