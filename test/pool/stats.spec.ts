import { describe, expect, it } from '@jest/globals';
import { ConnectionError } from '../../src/pool/connection-error.js';
import { fateOf, fullPool, ruledPool } from './ruled-pool.js';

const NONE = { broken: 0, expired: 0, idle: 0, recycled: 0, surplus: 0, shutdown: 0 };

describe('PoolStats', () => {
  it('has every field, and no other, before anything happened', () => {
    const { pool } = ruledPool({ size: { min: 2, max: 7 } });
    expect(pool.stats()).toEqual({
      size: 7,
      open: 0,
      idle: 0,
      leased: 0,
      checking: 0,
      connecting: 0,
      closing: 0,
      waiting: 0,
      longestWait: 0,
      lastConnectError: undefined,
      downSince: undefined,
      totals: { acquired: 0, connected: 0, connectFailures: 0, acquireTimeouts: 0, pings: 0, closed: NONE },
    });
  });

  it('shows each connection on demand: what it does, its age, its uses, and its doom', async () => {
    const { clock, pool, factory } = await fullPool({ size: 3 });
    await clock.advance(4_000); // A second has passed since they were opened.
    const lease = pool.tryAcquire()!;
    pool.tryAcquire()!.release();
    expect(pool.inspect()).toEqual([
      { number: 1, state: 'leased', age: 5_000, uses: 1, doom: undefined },
      { number: 2, state: 'idle', age: 5_000, uses: 1, doom: undefined },
      { number: 3, state: 'idle', age: 5_000, uses: 0, doom: undefined },
    ]);
    factory.always('close', { after: 10_000 }).always('connect', { after: 10_000 });
    pool.recycle();
    expect(pool.inspect()).toEqual([
      { number: 1, state: 'leased', age: 5_000, uses: 1, doom: 'recycled' },
      { number: 2, state: 'closing', age: 5_000, uses: 1, doom: undefined },
      { number: 3, state: 'closing', age: 5_000, uses: 0, doom: undefined },
    ]);
    lease.discard();
    await clock.settle();
    expect(pool.inspect().map(({ number, state, age }) => [number, state, age])).toEqual([
      [2, 'closing', 5_000],
      [3, 'closing', 5_000],
      [4, 'connecting', 0],
    ]);
    await clock.run(pool.close({ timeout: 0 }));
    expect(pool.inspect()).toEqual([]);
  });

  it('counts a connection in each of its states', async () => {
    const { clock, pool, factory } = await fullPool(
      { size: 8, maxConnecting: 1 },
      { hooks: ['reset'], prepare: (scripted) => scripted.next('connect', ...Array<'succeed'>(8).fill('succeed')) },
    );
    factory.always('close', { after: 10_000 }).always('reset', { after: 10_000 }).always('connect', { after: 10_000 });
    const leases = [1, 2, 3, 4].map(() => pool.tryAcquire()!);
    leases[0]!.release();
    leases[1]!.discard();
    pool.resize(6);
    await clock.settle();
    // Of 8: 1 reset, 1 broken and gone, 2 leased; the connect for the broken one was given up for the resize.
    const stats = pool.stats();
    expect(stats).toMatchObject({ size: 6, checking: 1, leased: 2, connecting: 0 });
    expect(stats.idle + stats.closing).toBe(4);
    expect(stats.open).toBe(stats.idle + stats.leased + stats.checking);
    leases[2]!.discard();
    await clock.advance(10_000);
    expect(pool.stats()).toMatchObject({ leased: 1, closing: 0, checking: 0 });
  });

  it('is a picture of one moment: it does not change afterwards, nor can it change the pool', async () => {
    const { pool } = await fullPool({ size: 1 });
    const before = pool.stats();
    pool.tryAcquire()!.discard();
    expect(before).toMatchObject({ idle: 1, totals: { acquired: 0, closed: NONE } });
    (before.totals.closed as Record<string, number>)['broken'] = 99;
    expect(pool.stats().totals.closed.broken).toBe(1);
  });

  it('knows how long the first of those who wait has waited', async () => {
    const { clock, pool } = await fullPool({ size: 1 });
    const lease = pool.tryAcquire()!;
    const first = fateOf(pool.acquire());
    await clock.advance(1_500);
    const second = fateOf(pool.acquire());
    await clock.advance(500);
    expect(pool.stats()).toMatchObject({ waiting: 2, longestWait: 2_000 });
    lease.release();
    await clock.settle();
    expect(pool.stats()).toMatchObject({ waiting: 1, longestWait: 500 });
    first.value!.release();
    await clock.settle();
    expect(second.state).toBe('fulfilled');
    expect(pool.stats()).toMatchObject({ waiting: 0, longestWait: 0 });
  });

  it('tells of an outage while it lasts, and keeps the last error after it', async () => {
    const error = new Error('down');
    const { clock, pool, factory } = ruledPool(
      { size: 1 },
      {
        clock: { start: 50_000 },
        prepare: (scripted) => scripted.always('connect', { after: 10, outcome: { fail: error } }),
      },
    );
    pool.start();
    await clock.advance(2_000);
    const { downSince, lastConnectError, totals } = pool.stats();
    expect(downSince).toBe(50_010);
    expect(lastConnectError).toBe(error);
    expect(totals.connectFailures).toBeGreaterThanOrEqual(2);
    expect(totals.connectFailures).toBeLessThanOrEqual(factory.calls.connect);
    factory.always('connect', 'succeed');
    await clock.advance(60_000);
    expect(pool.stats()).toMatchObject({ idle: 1, downSince: undefined, lastConnectError: error });
  });

  it('counts leases of every kind, and time-outs', async () => {
    const { clock, pool } = await fullPool({ size: 1 });
    await pool.use(() => 1);
    pool.tryAcquire()!.release();
    const lease = await pool.acquire();
    const fates = [
      fateOf(pool.acquire({ timeout: 100 })),
      fateOf(pool.acquire({ timeout: 0 })),
      fateOf(pool.acquire()),
    ];
    await clock.advance(100);
    lease.release();
    await clock.settle();
    expect(fates.map(({ state }) => state)).toEqual(['rejected', 'rejected', 'fulfilled']);
    expect(pool.tryAcquire()).toBeUndefined();
    expect(pool.stats().totals).toMatchObject({ acquired: 4, acquireTimeouts: 2 });
  });

  it('counts closes for each reason, and in the end as many as connects', async () => {
    const { clock, pool } = await fullPool({ size: { min: 1, max: 9 }, maxUses: 2, idleTimeout: 20_000 });
    const fates = Array.from({ length: 6 }, () => fateOf(pool.acquire()));
    await clock.settle();
    const leases = fates.map(({ value }) => value!);
    leases[0]!.release(new ConnectionError('gone'));
    leases[1]!.discard();
    for (const lease of leases.slice(2)) lease.release();
    pool.tryAcquire()!.release();
    pool.resize({ min: 1, max: 2 });
    await clock.advance(20_000);
    pool.recycle();
    await clock.settle();
    await pool.close();
    const { totals, ...counts } = pool.stats();
    expect(totals.closed).toEqual({ broken: 2, expired: 1, idle: 1, recycled: 1, surplus: 1, shutdown: 1 });
    expect(totals.connected).toBe(7);
    expect(counts).toMatchObject({ open: 0, closing: 0, connecting: 0 });
  });

  it('counts a connection lost at once as a failed connect, and as opened and closed', async () => {
    const { clock, pool, factory } = ruledPool({ size: 1 });
    pool.start();
    await clock.settle();
    factory.opened[0]!.die(new Error('kicked'));
    expect(pool.stats()).toMatchObject({
      lastConnectError: new Error('kicked'),
      downSince: 0,
      totals: { connected: 1, connectFailures: 1, closed: { broken: 1 } },
    });
  });
});
