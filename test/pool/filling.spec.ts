import { describe, expect, test } from '@jest/globals';
import { ConnectTimeoutError } from '../../src/pool/errors.js';
import { deferred, fateOf, filled, later, workbench } from './workbench.js';

describe('P1: filling', () => {
  test('a pool that nobody has started opens nothing and sets no timer', async () => {
    const { clock, factory, pool } = workbench({ size: 3 });
    await clock.advance(60_000);
    expect(factory.calls.connect).toBe(0);
    expect(clock.pending).toBe(0);
    expect(pool.stats()).toMatchObject({ size: 3, open: 0, connecting: 0 });
  });

  test('start() opens as many connections as the pool has size, in the background', async () => {
    const { factory, pool, clock } = workbench({ size: 7 });
    pool.start();
    expect(pool.stats()).toMatchObject({ open: 0, connecting: 5 });
    await clock.settle();
    expect(pool.stats()).toMatchObject({ open: 7, idle: 7, connecting: 0, lastConnectError: undefined });
    expect(factory.live).toHaveLength(7);
    expect(factory.faults).toEqual([]);
  });

  test('start() twice opens no more than once', async () => {
    const { factory, pool, clock } = workbench({ size: 3 });
    pool.start();
    pool.start();
    await clock.settle();
    pool.start();
    await clock.settle();
    expect(factory.calls.connect).toBe(3);
  });

  test.each([
    ['acquire()', (pool: ReturnType<typeof workbench>['pool']) => void fateOf(pool.acquire())],
    ['tryAcquire()', (pool: ReturnType<typeof workbench>['pool']) => void pool.tryAcquire()],
    ['ready()', (pool: ReturnType<typeof workbench>['pool']) => void fateOf(pool.ready())],
    ['use()', (pool: ReturnType<typeof workbench>['pool']) => void fateOf(pool.use(() => undefined))],
  ])('%s starts the pool by itself', async (_name, begin) => {
    const { factory, pool, clock } = workbench({ size: 4 });
    begin(pool);
    await clock.settle();
    expect(factory.live).toHaveLength(4);
  });

  test('no more than maxConnecting connects are in flight at once, and each that ends makes room for the next', async () => {
    const { factory, pool, clock } = workbench({ size: 10, maxConnecting: 3 });
    factory.always('connect', { after: 100 });
    const inFlight: number[] = [];
    factory.onHook = (hook) => hook === 'connect' && inFlight.push(pool.stats().connecting);
    pool.start();
    await clock.advance(1_000);
    expect(factory.connectTimes).toEqual([0, 0, 0, 100, 100, 100, 200, 200, 200, 300]);
    expect(Math.max(...inFlight)).toBe(3);
    expect(pool.stats().open).toBe(10);
  });

  test('maxConnecting may be Infinity', async () => {
    const { factory, pool } = workbench({ size: 50, maxConnecting: Infinity });
    factory.always('connect', 'hang');
    pool.start();
    expect(pool.stats().connecting).toBe(50);
  });

  test('a connection that dies while idle is replaced at once', async () => {
    const { factory, pool, clock } = await filled({ size: 3 });
    await clock.advance(5_000);
    factory.opened[1]!.die();
    expect(pool.stats()).toMatchObject({ idle: 2, connecting: 1 });
    await clock.settle();
    expect(factory.connectTimes).toEqual([0, 0, 0, 5_000]);
    expect(pool.stats()).toMatchObject({ idle: 3, downSince: undefined });
    expect(factory.opened[1]!.closedFor).toEqual(['broken']);
  });

  test('a connection that was discarded is replaced at once', async () => {
    const { factory, pool, clock } = await filled({ size: 2 });
    const lease = await pool.acquire();
    lease.discard();
    expect(pool.stats().connecting).toBe(1);
    await clock.settle();
    expect(factory.connectTimes).toEqual([0, 0, 0]);
    expect(pool.stats()).toMatchObject({ idle: 2, downSince: undefined });
  });

  test('all connections lost together are replaced at once, maxConnecting at a time', async () => {
    const { factory, pool, clock } = await filled({ size: 10, maxConnecting: 4 });
    await clock.advance(2_000);
    factory.always('connect', { after: 10 });
    for (const connection of factory.live) connection.die();
    await clock.advance(100);
    expect(factory.connectTimes.slice(10).map((time) => time - 2_000)).toEqual([0, 0, 0, 0, 10, 10, 10, 10, 20, 20]);
    expect(pool.stats()).toMatchObject({ idle: 10, downSince: undefined });
    expect(factory.faults).toEqual([]);
  });

  test('a connect that hangs does not hold up the others', async () => {
    const { factory, pool, clock } = workbench({ size: 6, maxConnecting: 2 });
    factory.next('connect', 'hang');
    pool.start();
    await clock.settle();
    expect(pool.stats()).toMatchObject({ open: 5, connecting: 1 });
    expect(clock.now()).toBe(0);
  });

  test('a connect that hangs is given up after connectTimeout, its signal aborted, and tried again', async () => {
    const { factory, pool, clock } = workbench({ size: 1, connectTimeout: '3s' });
    factory.next('connect', 'hang');
    pool.start();
    await clock.advance(2_999);
    expect(factory.connectContexts[0]!.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(factory.connectContexts[0]!.signal.reason).toBeInstanceOf(ConnectTimeoutError);
    expect(pool.stats().lastConnectError).toBe(factory.connectContexts[0]!.signal.reason);
    expect(pool.stats()).toMatchObject({ connecting: 0, downSince: 3_000, totals: { connectFailures: 1 } });
    await clock.advance(100);
    expect(factory.connectTimes).toEqual([0, 3_100]);
    expect(pool.stats().idle).toBe(1);
  });

  test('what a connect yields after its time-out is closed as surplus, never lent, and counted', async () => {
    const { factory, pool, clock } = workbench({ size: 1, connectTimeout: 1_000 });
    factory.next('connect', { after: 1_500 });
    pool.start();
    const first = await (async () => {
      const acquired = pool.acquire();
      await clock.advance(2_000);
      return acquired;
    })();
    expect(factory.closed).toEqual([{ connection: factory.opened.at(-1), reason: 'surplus' }]);
    expect(first.connection).toBe(factory.opened[0]);
    expect(pool.stats()).toMatchObject({ leased: 1, closing: 0, totals: { connected: 2, closed: { surplus: 1 } } });
    factory.audit('at the end');
    expect(factory.faults).toEqual([]);
  });

  test('what two connects yield after their time-outs is closed once, though it is one object', async () => {
    const { factory, pool, clock } = workbench({ size: 2, connectTimeout: 1_000 });
    const late = deferred<unknown>();
    factory.next('connect', { yield: late.promise }, { yield: late.promise });
    factory.always('close', { after: 50 });
    pool.start();
    await clock.advance(1_200);
    const one = await (async () => {
      factory.next('connect', 'succeed');
      return (await factory.connect(factory.connectContexts[0]!)) as unknown;
    })();
    late.resolve(one);
    await clock.advance(1_000);
    expect(factory.closed).toEqual([{ connection: one, reason: 'surplus' }]);
  });

  test('an error of a connect that comes after its time-out is ignored', async () => {
    const { factory, pool, clock } = workbench({ size: 1, connectTimeout: 1_000 });
    factory.next('connect', later(1_050, { fail: new Error('late') }));
    pool.start();
    await clock.advance(1_060);
    expect(pool.stats().lastConnectError).toBeInstanceOf(ConnectTimeoutError);
    expect(pool.stats().totals.connectFailures).toBe(1);
  });

  test('connect is told the name of its pool', async () => {
    const { factory } = await filled({ size: 1, name: 'mail' });
    expect(factory.connectContexts[0]!.pool).toBe('mail');
    expect(factory.connectContexts[0]!.signal).toBeInstanceOf(AbortSignal);
  });

  test('the signal of a connect that was in time is never aborted, not even when its connection is closed', async () => {
    const { factory, pool, clock } = await filled({ size: 1, connectTimeout: 500 });
    await clock.advance(1_000);
    await pool.close();
    expect(factory.connectContexts[0]!.signal.aborted).toBe(false);
  });

  test.each([null, undefined])('a connect that yields %p is a failed connect whose error says so', async (value) => {
    const { factory, pool, clock } = workbench({ size: 1 });
    factory.next('connect', { yield: value });
    pool.start();
    await clock.settle();
    expect(pool.stats()).toMatchObject({ open: 0, downSince: 0, totals: { connected: 0, connectFailures: 1 } });
    expect(String(pool.stats().lastConnectError)).toContain(`connect() yielded ${String(value)}`);
    await clock.advance(100);
    expect(pool.stats().open).toBe(1);
  });

  test.each([0, '', false])('a connect may yield %p, which is lent as it is', async (value) => {
    const { factory, pool } = workbench({ size: 1 });
    factory.next('connect', { yield: value });
    const lease = await pool.acquire();
    expect(lease.connection).toBe(value);
  });

  test('a connect that yields what the pool already holds is a failed connect, and the one that is held lives on', async () => {
    const { factory, pool, clock } = workbench({ size: 2, maxConnecting: 1 });
    factory.next('connect', 'succeed', later(10, { fail: new Error('not yet') }));
    pool.start();
    await clock.settle();
    const [held] = factory.opened;
    factory.next('connect', { yield: held });
    await clock.advance(110);
    expect(String(pool.stats().lastConnectError)).toContain('already holds');
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { connected: 1, connectFailures: 2 } });
    expect(held!.closedFor).toEqual([]);
  });

  test('a connect that calls the pool again loses nothing', async () => {
    const { factory, pool, clock } = workbench({ size: 4, maxConnecting: 2 });
    const fates: Array<ReturnType<typeof fateOf>> = [];
    factory.onHook = (hook) => {
      if (hook !== 'connect') return;
      pool.start();
      pool.tryAcquire();
      if (fates.length < 3) fates.push(fateOf(pool.acquire()));
    };
    pool.start();
    await clock.settle();
    expect(fates.map(({ state }) => state)).toEqual(['resolved', 'resolved', 'resolved']);
    expect(factory.audit('at the end')).toMatchObject({ open: 4, connecting: 0 });
    expect(factory.faults).toEqual([]);
  });

  test('a connection that dies before connect has returned it is never lent', async () => {
    const { factory, pool, clock } = workbench({ size: 1 });
    factory.watch = (connection, broken) => {
      if (connection.id === 1) broken(new Error('dead on arrival'));
      return () => undefined;
    };
    const lease = fateOf(pool.acquire());
    await clock.settle();
    expect(lease.state).toBe('pending');
    expect(factory.opened[0]!.closedFor).toEqual(['broken']);
    expect(pool.stats()).toMatchObject({ downSince: 0, totals: { connectFailures: 1 } });
    await clock.advance(100);
    expect(lease.value?.connection).toBe(factory.opened[1]);
  });

  test('a watch hook that throws means that the connection is dead', async () => {
    const { factory, pool, clock } = workbench({ size: 1 });
    const error = new Error('cannot be watched');
    factory.watch = () => {
      throw error;
    };
    pool.start();
    await clock.settle();
    expect(pool.stats()).toMatchObject({ open: 0, lastConnectError: error, totals: { closed: { broken: 1 } } });
  });
});
