import { describe, expect, test } from '@jest/globals';
import { ConnectionError } from '../../src/pool/connection-error.js';
import { Census, PooledConnection, State } from '../../src/pool/pooled-connection.js';
import { fateOf, filled, rejection, workbench } from './workbench.js';

const silent = { log: () => undefined, warn: () => undefined, error: () => undefined };
const reset = new ConnectionError('reset by peer');

describe('P2: the sum of connections', () => {
  test('never exceeds size, in no hook and after no step, whatever callers and connections do', async () => {
    const limits = { maxConnecting: 3, connectTimeout: 40, closeTimeout: 60, reconnect: { maxDelay: 100 } } as const;
    const hooks = ['keepalive', 'reset', 'isUsable'] as const;
    const { clock, factory, pool } = workbench({ size: 4, ...limits, logger: silent }, hooks);
    factory.always('connect', { after: 7 }).always('close', { after: 30 }).always('reset', { after: 3 });
    factory.next('connect', { fail: reset }, 'hang', { after: 50 }, { throw: reset }, { yield: undefined });
    factory.next('close', 'hang', { throw: reset }, { fail: reset });
    factory.next('reset', { fail: reset }, 'hang', { throw: reset });
    factory.always('keepalive', { after: 2 }).next('keepalive', { fail: reset });
    const fates: Array<ReturnType<typeof fateOf>> = [];
    for (let step = 0; step < 300; step++) {
      fates.push(fateOf(pool.use(async () => clock.now(), { timeout: 500 })));
      if (step % 3 === 0) fates.push(fateOf(pool.use(() => Promise.reject(reset))));
      if (step % 7 === 0) factory.live.at(step % Math.max(1, factory.live.length))?.die();
      if (step % 11 === 0) pool.recycle();
      if (step % 13 === 0) factory.live.slice(1).map((connection) => (connection.usable = false));
      await clock.advance(step % 5);
      factory.audit(`step ${step}`);
    }
    await clock.advance(20_000);
    expect(fates.every(({ state }) => state !== 'pending')).toBe(true);
    expect(factory.audit('at the end')).toMatchObject({ open: 4, idle: 4, closing: 0, connecting: 0, waiting: 0 });
    const closing = pool.close();
    await clock.advance(10_000);
    await closing;
    expect(factory.audit('after close')).toMatchObject({ open: 0, closing: 0 });
    expect(factory.faults).toEqual([]);
    expect(factory.looks).toBeGreaterThan(1_000);
    expect(clock.pending).toBe(0);
  });

  test('a connection that parts politely keeps its slot until it is closed', async () => {
    const { clock, factory, pool } = await filled({ size: 2 });
    factory.always('close', { after: 100 });
    pool.recycle();
    expect(pool.stats()).toMatchObject({ open: 0, closing: 2, connecting: 0 });
    await clock.advance(99);
    expect(factory.calls.connect).toBe(2);
    await clock.advance(1);
    expect(factory.calls.connect).toBe(4);
    expect(pool.stats()).toMatchObject({ open: 2, closing: 0 });
    expect(factory.faults).toEqual([]);
  });

  test('a close that hangs holds its slot no longer than closeTimeout', async () => {
    const { clock, factory, pool } = await filled({ size: 1, closeTimeout: 800, logger: silent });
    factory.always('close', 'hang');
    pool.recycle();
    await clock.advance(799);
    expect(pool.stats()).toMatchObject({ closing: 1, connecting: 0, open: 0 });
    await clock.advance(1);
    expect(pool.stats()).toMatchObject({ closing: 0, open: 1 });
  });

  test('a broken connection leaves the sum once its close has been called, however long that takes', async () => {
    const { clock, factory, pool } = await filled({ size: 1, closeTimeout: 5_000, logger: silent });
    factory.always('close', 'hang');
    const sums: number[] = [];
    factory.onHook = (hook) => {
      if (hook === 'close') sums.push(pool.stats().closing);
      if (hook === 'connect') sums.push(10 + pool.stats().closing);
    };
    await clock.advance(1_000);
    factory.opened[0]!.die(reset);
    // While close() runs it still has its slot; when the next connect begins it has none.
    expect(sums).toEqual([1, 10]);
    expect(pool.stats()).toMatchObject({ closing: 0, connecting: 1 });
    expect(factory.faults).toEqual([]);
  });

  test('after resize to less no connect is begun until the sum is within the new size', async () => {
    const { clock, factory, pool } = await filled({ size: 4 });
    await clock.advance(2_000);
    const leases = await Promise.all([1, 2, 3, 4].map(() => pool.acquire()));
    pool.resize(2);
    factory.limit = Infinity;
    leases[0]!.discard(reset);
    await clock.settle();
    expect(pool.stats()).toMatchObject({ leased: 3, connecting: 0, size: 2 });
    leases[1]!.release();
    await clock.settle();
    expect(factory.opened[1]!.closedFor).toEqual(['surplus']);
    expect(factory.calls.connect).toBe(4);
    factory.limit = 2;
    leases[2]!.discard();
    await clock.settle();
    expect(factory.calls.connect).toBe(5);
    expect(factory.audit('within the new size')).toMatchObject({ leased: 1, idle: 1 });
    leases[3]!.release();
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 2 });
    expect(factory.faults).toEqual([]);
  });

  test('those that part slowly after a resize to less count until they have gone', async () => {
    const { clock, factory, pool } = await filled({ size: 4 });
    await clock.advance(2_000);
    factory.always('close', { after: 100 });
    pool.resize(2);
    expect(pool.stats()).toMatchObject({ idle: 2, closing: 2 });
    factory.live[0]!.die();
    await clock.advance(99);
    expect(pool.stats()).toMatchObject({ idle: 1, closing: 2, connecting: 0 });
    await clock.advance(1);
    expect(pool.stats()).toMatchObject({ idle: 2, closing: 0 });
    expect(factory.connectTimes.at(-1)).toBe(2_100);
  });

  test('resize to less gives up connects in flight first, the newest first, and closes what they open', async () => {
    const { clock, factory, pool } = workbench({ size: 5 });
    factory.always('connect', { after: 10 });
    pool.start();
    pool.resize(3);
    expect(factory.connectContexts.map(({ signal }) => signal.aborted)).toEqual([false, false, false, true, true]);
    expect(pool.stats()).toMatchObject({ connecting: 3 });
    await clock.advance(10);
    expect(pool.stats()).toMatchObject({ idle: 3, totals: { connected: 5, closed: { surplus: 2 } } });
    expect(factory.faults).toEqual([]);
  });

  test('resize to more opens the rest at once', async () => {
    const { clock, factory, pool } = await filled({ size: 1 });
    factory.limit = 6;
    pool.resize(6);
    expect(pool.stats()).toMatchObject({ size: 6, connecting: 5 });
    await clock.settle();
    expect(pool.stats().idle).toBe(6);
  });

  test('a size that is none is refused, and nothing changes', async () => {
    const { pool } = await filled({ size: 2 });
    expect(() => pool.resize(0)).toThrow(/size: received 0/);
    expect(() => pool.resize({ min: 3, max: 2 })).toThrow(/ERR_POOL_SETTINGS|Invalid settings/);
    expect(pool.stats()).toMatchObject({ size: 2, idle: 2 });
  });

  test('a connection cannot go from one state to one that does not follow', () => {
    const census = new Census({ length: 0 });
    const entry = new PooledConnection<object>();
    census.enter();
    expect(() => census.move(entry, State.checking)).toThrow('bug: a connection cannot go from connecting to checking');
    expect(entry.state).toBe(State.connecting);
  });
});

describe('P2: each connection is closed exactly once', () => {
  test('though it dies while its close is under way, and its lease is returned after', async () => {
    const { clock, factory, pool } = await filled({ size: 1 });
    const lease = await pool.acquire();
    const { connection } = lease;
    factory.always('close', { after: 10 });
    connection.die(reset);
    connection.die(reset);
    lease.discard(reset);
    connection.die(reset);
    lease.release();
    await clock.advance(20);
    expect(connection.closedFor).toEqual(['broken']);
  });

  test('though it is recycled, doomed by age and dead at once', async () => {
    const { clock, factory, pool } = await filled({ size: 1, maxUses: 1 });
    await clock.advance(2_000);
    const lease = await pool.acquire();
    pool.recycle();
    lease.connection.die();
    pool.recycle();
    lease.release();
    await clock.settle();
    expect(factory.opened[0]!.closedFor).toEqual(['broken']);
    expect(factory.audit('at the end')).toMatchObject({ idle: 1, totals: { closed: { broken: 1, recycled: 0 } } });
  });

  test('though it dies while it is reset', async () => {
    const { clock, factory, pool } = await filled({ size: 1 }, ['reset']);
    factory.next('reset', { after: 10 });
    (await pool.acquire()).release();
    factory.opened[0]!.die();
    await clock.advance(200);
    expect(factory.opened[0]!.closedFor).toEqual(['broken']);
    expect(factory.audit('at the end').idle).toBe(1);
  });

  test('though close throws, rejects or calls the pool again', async () => {
    const { clock, factory, pool } = await filled({ size: 3 });
    factory.next('close', { throw: reset }, { fail: reset });
    const taken: unknown[] = [];
    factory.onHook = (hook) => {
      if (hook === 'close') taken.push(pool.tryAcquire());
    };
    pool.recycle();
    await clock.settle();
    factory.onHook = undefined;
    expect(factory.opened.map(({ closedFor }) => closedFor.length)).not.toContain(2);
    factory.audit('at the end');
    expect(factory.faults).toEqual([]);
  });

  test('a close that borrows what resize() was about to close keeps it until it gives it back', async () => {
    const { clock, factory, pool } = await filled({ size: 4 });
    const taken: Array<ReturnType<typeof pool.tryAcquire>> = [];
    factory.onHook = (hook) => {
      if (hook === 'close' && taken.length === 0) taken.push(pool.tryAcquire());
    };
    pool.resize(1);
    const [lease] = taken;
    expect(lease!.connection.closedFor).toEqual([]);
    expect(pool.stats()).toMatchObject({ leased: 1, idle: 0 });
    lease!.release();
    await clock.settle();
    expect(factory.audit('at the end')).toMatchObject({ idle: 1, leased: 0 });
  });
});

describe('F5: hooks that close the pool', () => {
  test('isUsable at a borrow: the caller gets the error of a closed pool, nothing is left', async () => {
    const { clock, factory, pool } = await filled({ size: 2, logger: silent }, ['isUsable']);
    factory.onHook = (hook) => hook === 'isUsable' && void pool.close({ timeout: 0 });
    expect(await rejection(pool.acquire())).toMatchObject({ code: 'ERR_POOL_CLOSED' });
    await clock.settle();
    expect(factory.live).toEqual([]);
    expect(factory.faults).toEqual([]);
  });

  test('isUsable at a return: the result of the work comes out, nothing is left', async () => {
    const { clock, factory, pool } = await filled({ size: 2, logger: silent }, ['isUsable']);
    const result = await pool.use(() => {
      factory.onHook = (hook) => hook === 'isUsable' && void pool.close({ timeout: 0 });
      return 'done';
    });
    await clock.settle();
    expect(result).toBe('done');
    expect(factory.live).toEqual([]);
    expect(factory.faults).toEqual([]);
  });

  test('isUsable when a connection has just been opened for a caller', async () => {
    const { clock, factory, pool } = workbench({ size: 1, logger: silent }, ['isUsable']);
    factory.onHook = (hook) => hook === 'isUsable' && void pool.close({ timeout: 0 });
    const lease = fateOf(pool.acquire());
    await clock.settle();
    expect(lease.error).toMatchObject({ code: 'ERR_POOL_CLOSED' });
    expect(factory.opened[0]!.closedFor).toEqual(['shutdown']);
    expect(factory.audit('at the end')).toMatchObject({ open: 0, connecting: 0 });
    expect(factory.faults).toEqual([]);
  });

  test('isUsable when a connection has just been reset for the next caller', async () => {
    const { clock, factory, pool } = await filled({ size: 1 }, ['isUsable', 'reset']);
    const lease = await pool.acquire();
    const next = fateOf(pool.acquire());
    let asked = 0;
    factory.onHook = (hook) => hook === 'isUsable' && ++asked === 2 && void pool.close({ timeout: 0 });
    lease.release();
    await clock.settle();
    expect(next.error).toMatchObject({ code: 'ERR_POOL_CLOSED' });
    expect(factory.opened[0]!.closedFor).toEqual(['shutdown']);
    expect(factory.faults).toEqual([]);
  });

  test('watch, before the connection is anybody’s', async () => {
    const { clock, factory, pool } = workbench({ size: 2 });
    factory.watch = () => {
      void pool.close({ timeout: 0 });
      return () => undefined;
    };
    const lease = fateOf(pool.acquire());
    await clock.settle();
    expect(lease.error).toMatchObject({ code: 'ERR_POOL_CLOSED' });
    expect(factory.live).toEqual([]);
    expect(factory.audit('at the end')).toMatchObject({ open: 0, connecting: 0, closing: 0 });
    expect(clock.pending).toBe(0);
  });

  test('isConnectionError, asked about the error of work', async () => {
    const { clock, factory, pool } = await filled({ size: 1, logger: silent });
    factory.isConnectionError = () => {
      void pool.close({ timeout: 0 });
      return true;
    };
    const error = new Error('of the work');
    expect(await rejection(pool.use(() => Promise.reject(error)))).toBe(error);
    await clock.settle();
    expect(factory.live).toEqual([]);
  });

  test('connect, begun because a lease has shown that connects succeed again', async () => {
    const { clock, factory, pool } = workbench({ size: 2, logger: silent });
    factory.next('connect', { fail: reset }, { fail: reset });
    const lease = fateOf(pool.acquire());
    await clock.advance(100);
    factory.onHook = (hook) => hook === 'connect' && void pool.close({ timeout: 0 });
    lease.value!.release();
    await clock.settle();
    expect(factory.live).toEqual([]);
    expect(factory.audit('at the end')).toMatchObject({ open: 0, connecting: 0, closing: 0 });
    expect(clock.pending).toBe(0);
  });

  test('connect, begun by the first ready(), which is told that the pool is closed', async () => {
    const { clock, factory, pool } = workbench({ size: 2 });
    factory.onHook = (hook) => hook === 'connect' && void pool.close();
    const ready = fateOf(pool.ready());
    await clock.settle();
    expect(ready.error).toMatchObject({ code: 'ERR_POOL_CLOSED' });
    expect(factory.live).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('connect, begun by the first acquire(), which came before the end and is served', async () => {
    const { clock, factory, pool } = workbench({ size: 2 });
    factory.onHook = (hook) => hook === 'connect' && void pool.close();
    const lease = fateOf(pool.acquire());
    const refused = [fateOf(pool.acquire()), fateOf(pool.acquire({ timeout: 0 }))];
    await clock.settle();
    for (const { error } of refused) expect(error).toMatchObject({ code: 'ERR_POOL_CLOSED' });
    lease.value!.release();
    await clock.settle();
    expect(factory.live).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('connect, begun by an acquire() that would not wait, which is told that the pool is closed', async () => {
    const { clock, factory, pool } = workbench({ size: 2 });
    factory.onHook = (hook) => hook === 'connect' && void pool.close();
    expect(await rejection(pool.acquire({ timeout: 0 }))).toMatchObject({ code: 'ERR_POOL_CLOSED' });
    await clock.settle();
    expect(factory.live).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('a connect whose signal is aborted by resize()', async () => {
    const { clock, factory, pool } = workbench({ size: 3 });
    factory.always('connect', 'obey');
    pool.start();
    for (const { signal } of factory.connectContexts) signal.addEventListener('abort', () => void pool.close());
    pool.resize(1);
    await clock.settle();
    expect(pool.stats()).toMatchObject({ connecting: 0, open: 0 });
    expect(await pool.close()).toBeUndefined();
    expect(clock.pending).toBe(0);
  });
});

describe('P2: what happens while a connection is taken in', () => {
  test('a caller who comes from inside isUsable() leaves it able to end the backoff', async () => {
    const { clock, factory, pool } = workbench({ size: 1 }, ['isUsable']);
    factory.next('connect', { fail: reset });
    let late: ReturnType<typeof fateOf> | undefined;
    factory.onHook = (hook) => {
      if (hook === 'isUsable') late ??= fateOf(pool.use(() => 'late'));
    };
    const first = fateOf(pool.use(() => 'first'));
    await clock.advance(100);
    expect([first.value, late?.value]).toEqual(['first', 'late']);
    expect(pool.stats()).toMatchObject({ idle: 1, downSince: undefined });
  });
});

describe('F5: signals to which a hook listens', () => {
  test('a connect that closes the pool when it is timed out loses nothing', async () => {
    const { clock, factory, pool } = workbench({ size: 2, connectTimeout: 100 });
    factory.always('connect', 'hang');
    pool.start();
    for (const { signal } of factory.connectContexts) signal.addEventListener('abort', () => void pool.close());
    await clock.advance(100);
    expect(pool.stats()).toMatchObject({ connecting: 0, open: 0 });
    expect(await pool.close()).toBeUndefined();
    expect(clock.pending).toBe(0);
  });

  test('a ping that closes the pool when it is timed out loses nothing', async () => {
    const { clock, factory, pool } = await filled({ size: 1, keepalive: 1_000, keepaliveTimeout: 100 }, ['keepalive']);
    factory.keepalive = (_connection, { signal }) =>
      new Promise(() => signal.addEventListener('abort', () => void pool.close({ timeout: 0 })));
    await clock.advance(1_200);
    expect(factory.opened[0]!.closedFor).toEqual(['broken']);
    expect(factory.live).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
