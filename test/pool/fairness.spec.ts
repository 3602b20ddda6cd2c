import { describe, expect, jest, test } from '@jest/globals';
import { ConnectionError } from '../../src/pool/connection-error.js';
import type { Lease } from '../../src/pool/lease.js';
import type { ScriptedConnection } from '../../src/testing/index.js';
import { fateOf, filled, workbench } from './workbench.js';

describe('P4: order of service', () => {
  test('callers are served in the order in which they came', async () => {
    const { clock, pool } = workbench({ size: 2 });
    const served: number[] = [];
    const uses = Array.from({ length: 50 }, (_, caller) => pool.use(() => void served.push(caller)));
    await clock.settle();
    await Promise.all(uses);
    expect(served).toEqual(Array.from({ length: 50 }, (_, caller) => caller));
  });

  test('a caller who discards and asks again does not overtake those who wait', async () => {
    const { clock, pool } = await filled({ size: 1 });
    await clock.advance(2_000);
    const first = await pool.acquire();
    const served: string[] = [];
    const waiting = pool.acquire().then((lease) => (served.push('waiting'), lease));
    first.discard(new ConnectionError('broken'));
    const again = pool.acquire().then((lease) => (served.push('again'), lease));
    expect(pool.tryAcquire()).toBeUndefined();
    await clock.settle();
    (await waiting).release();
    (await again).release();
    expect(served).toEqual(['waiting', 'again']);
  });

  test('a caller who releases and asks again in the same breath does not overtake those who wait', async () => {
    const { clock, pool } = await filled({ size: 1 });
    const first = await pool.acquire();
    const waiting = fateOf(pool.acquire());
    first.release();
    expect(pool.tryAcquire()).toBeUndefined();
    const again = fateOf(pool.acquire());
    await clock.settle();
    expect([waiting.state, again.state]).toEqual(['resolved', 'pending']);
    expect(pool.stats()).toMatchObject({ leased: 1, waiting: 1 });
  });

  test('a caller from inside the connect that an earlier caller set off comes after him', async () => {
    const { clock, factory, pool } = workbench({ size: 1 });
    const served: string[] = [];
    factory.onHook = (hook) => {
      factory.onHook = undefined;
      if (hook === 'connect') void pool.use(() => served.push('from inside'));
    };
    void pool.use(() => served.push('the first'));
    await clock.settle();
    expect(served).toEqual(['the first', 'from inside']);
  });

  test('order holds past callers who time out, abort, discard and fail in between', async () => {
    const { clock, pool } = await filled({ size: 1, reconnect: { delay: 1, maxDelay: 1 } });
    const holder = await pool.acquire();
    const served: number[] = [];
    const aborter = new AbortController();
    const fates = Array.from({ length: 40 }, (_, caller) => {
      const work = (_connection: ScriptedConnection, lease: Lease<ScriptedConnection>): void => {
        served.push(caller);
        if (caller % 4 === 1) lease.discard();
        if (caller % 8 === 6) throw new ConnectionError('broken');
      };
      if (caller % 5 === 0) return fateOf(pool.use(work, { timeout: 50 }));
      return fateOf(pool.use(work, caller % 7 === 0 ? { signal: aborter.signal } : {}));
    });
    await clock.advance(50);
    aborter.abort();
    holder.release();
    await clock.advance(10_000);
    const left = (caller: number): boolean => caller % 5 === 0 || caller % 7 === 0;
    expect(served).toEqual(Array.from({ length: 40 }, (_, caller) => caller).filter((caller) => !left(caller)));
    expect(fates.every(({ state }) => state !== 'pending')).toBe(true);
  });

  test('a connection goes straight from hand to hand: between two callers it is never idle', async () => {
    const { clock, factory, pool } = await filled({ size: 1 });
    const first = await pool.acquire();
    const second = fateOf(pool.acquire());
    first.release();
    expect(pool.stats()).toMatchObject({ idle: 0, leased: 1, waiting: 0 });
    await clock.settle();
    expect(second.value!.connection).toBe(factory.opened[0]);
  });

  test('with fifo the connection that was idle for longest is lent first, with lifo the one used last', async () => {
    for (const [order, expected] of [
      ['fifo', 2],
      ['lifo', 1],
    ] as const) {
      const { pool } = await filled({ size: 3, order });
      const [one, two, three] = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
      const byId = [one, two, three].toSorted((a, b) => a.connection.id - b.connection.id);
      byId[1]!.release();
      byId[2]!.release();
      byId[0]!.release();
      expect((await pool.acquire()).connection.id).toBe(expected);
    }
  });

  test('an elastic pool is lifo unless told otherwise, a fixed one fifo', async () => {
    for (const [size, last] of [
      [{ min: 2, max: 3 }, true],
      [2, false],
    ] as const) {
      const { pool } = await filled({ size });
      const [one, two] = await Promise.all([pool.acquire(), pool.acquire()]);
      one.release();
      const lent = two.connection;
      two.release();
      expect((await pool.acquire()).connection === lent).toBe(last);
    }
  });
});

describe('P4: what taking and giving back cost', () => {
  test('an idle connection is there after one turn of the promise queue, and no timer is set for it', async () => {
    const { clock, pool } = await filled({ size: 2 });
    const before = clock.pending;
    const setTimeout = jest.spyOn(clock, 'setTimeout');
    const setImmediate = jest.spyOn(clock, 'setImmediate');
    let lease: Lease<ScriptedConnection> | undefined;
    void pool.acquire().then((given) => (lease = given));
    expect(pool.stats()).toMatchObject({ idle: 1, leased: 1, waiting: 0 });
    await Promise.resolve();
    expect(lease).toBeDefined();
    lease!.release();
    for (let use = 0; use < 100; use++) await pool.use(() => undefined);
    pool.tryAcquire()!.release();
    expect(clock.pending).toBe(before);
    expect(setTimeout).not.toHaveBeenCalled();
    expect(setImmediate).not.toHaveBeenCalled();
  });

  test('release() is synchronous: the connection is idle when it returns, or the next caller’s', async () => {
    const { pool } = await filled({ size: 1 });
    const lease = await pool.acquire();
    lease.release();
    expect(pool.stats()).toMatchObject({ idle: 1, leased: 0 });
    const next = pool.tryAcquire()!;
    fateOf(pool.acquire());
    next.release();
    expect(pool.stats()).toMatchObject({ idle: 0, leased: 1, waiting: 0 });
  });

  test('work on an idle connection begins before use() returns', async () => {
    const { pool } = await filled({ size: 1 });
    let begun = false;
    const use = pool.use(() => void (begun = true));
    expect(begun).toBe(true);
    await use;
  });

  test('any number of callers with the same time-out wait on one timer', async () => {
    const { clock, pool } = await filled({ size: 1 });
    await pool.acquire();
    const before = clock.pending;
    Array.from({ length: 1_000 }, () => fateOf(pool.acquire()));
    expect(clock.pending).toBe(before + 1);
  });
});

describe('P4: what is unusable is not lent', () => {
  test('an idle connection that says so is passed over, closed as broken and replaced', async () => {
    const { clock, factory, pool } = await filled({ size: 3 }, ['isUsable']);
    await clock.advance(2_000);
    factory.opened[0]!.usable = false;
    factory.opened[1]!.usable = new Error('cannot tell');
    expect((await pool.acquire()).connection).toBe(factory.opened[2]);
    await clock.settle();
    expect(factory.closed.map(({ connection, reason }) => [connection.id, reason])).toEqual([
      [1, 'broken'],
      [2, 'broken'],
    ]);
    expect(factory.audit('at the end')).toMatchObject({ idle: 2, leased: 1 });
  });

  test('one that says so on return does not reach the next caller', async () => {
    const { clock, factory, pool } = await filled({ size: 1 }, ['isUsable']);
    await clock.advance(2_000);
    const lease = await pool.acquire();
    const next = fateOf(pool.acquire());
    lease.connection.usable = false;
    lease.release();
    await clock.settle();
    expect(next.value!.connection).toBe(factory.opened[1]);
    expect(factory.opened[0]!.closedFor).toEqual(['broken']);
  });

  test('one that has just been opened and says so counts as a failed connect', async () => {
    const { clock, factory, pool } = workbench({ size: 1 }, ['isUsable']);
    factory.isUsable = (connection) => connection.id > 1;
    const lease = fateOf(pool.acquire());
    await clock.settle();
    expect(lease.state).toBe('pending');
    expect(pool.stats()).toMatchObject({ downSince: 0, totals: { connectFailures: 1 } });
    await clock.advance(100);
    expect(lease.value!.connection.id).toBe(2);
  });
});
