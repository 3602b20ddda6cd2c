import { describe, expect, test } from '@jest/globals';
import { PoolOverloadedError } from '../../src/pool/errors.js';
import { fateOf, filled, rejection, workbench } from './workbench.js';

describe('P7: too many callers', () => {
  test('maxWaiting callers may queue; one more is turned away at once', async () => {
    const { clock, pool } = await filled({ size: 1, maxWaiting: 2 });
    await pool.acquire();
    const queued = [fateOf(pool.acquire()), fateOf(pool.acquire())];
    const before = clock.pending;
    const error = (await rejection(pool.acquire())) as PoolOverloadedError;
    expect(error).toBeInstanceOf(PoolOverloadedError);
    expect(error).toMatchObject({ code: 'ERR_POOL_OVERLOADED', pool: 'ledger', maxWaiting: 2 });
    expect(error.counts).toMatchObject({ size: 1, leased: 1, waiting: 2 });
    expect(error.message).toMatch(/"ledger" is overloaded: 2 callers wait and maxWaiting is 2.*1 leased/);
    expect(queued.map(({ state }) => state)).toEqual(['pending', 'pending']);
    expect(clock.pending).toBe(before);
    expect(pool.stats()).toMatchObject({ waiting: 2, totals: { acquireTimeouts: 0 } });
  });

  test('a place in the queue that comes free can be taken', async () => {
    const { clock, pool } = await filled({ size: 1, maxWaiting: 1 });
    const lease = await pool.acquire();
    const aborter = new AbortController();
    const places = [fateOf(pool.acquire({ signal: aborter.signal }))];
    aborter.abort();
    places.push(fateOf(pool.acquire({ timeout: 10 })));
    await clock.advance(10);
    places.push(fateOf(pool.acquire()));
    expect(await rejection(pool.acquire())).toBeInstanceOf(PoolOverloadedError);
    lease.release();
    await clock.settle();
    expect(places.map(({ state }) => state)).toEqual(['rejected', 'rejected', 'resolved']);
  });

  test('with maxWaiting 0 nobody queues, but what is idle is lent', async () => {
    const { pool } = await filled({ size: 1, maxWaiting: 0 });
    const lease = await pool.acquire();
    expect(await rejection(pool.acquire())).toBeInstanceOf(PoolOverloadedError);
    lease.release();
    (await pool.acquire()).release();
  });

  test('with maxWaiting 0 the first caller of a pool that is empty is turned away, and it fills all the same', async () => {
    const { clock, pool } = workbench({ size: 1, maxWaiting: 0 });
    expect(await rejection(pool.acquire())).toBeInstanceOf(PoolOverloadedError);
    await clock.settle();
    expect(pool.stats().idle).toBe(1);
  });

  test('a caller who would not wait gets a time-out, not an overload', async () => {
    const { pool } = await filled({ size: 1, maxWaiting: 0 });
    await pool.acquire();
    expect(await rejection(pool.acquire({ timeout: 0 }))).toMatchObject({ code: 'ERR_POOL_ACQUIRE_TIMEOUT' });
  });

  test('use() is turned away in the same way, without calling work', async () => {
    const { pool } = await filled({ size: 1, maxWaiting: 0 });
    await pool.acquire();
    let called = 0;
    expect(await rejection(pool.use(() => called++))).toBeInstanceOf(PoolOverloadedError);
    expect(called).toBe(0);
  });
});
