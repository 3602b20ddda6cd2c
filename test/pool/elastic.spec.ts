import { describe, expect, it } from '@jest/globals';
import { closeReasons, fateOf, fullPool, ruledPool, type RuledPool } from './ruled-pool.js';

/** Lets this many connections be open and idle. */
async function grow({ clock, pool }: RuledPool, connections: number): Promise<void> {
  const fates = Array.from({ length: connections }, () => fateOf(pool.acquire()));
  await clock.settle();
  for (const fate of fates) fate.value!.release();
  await clock.settle();
}

describe('P16: an elastic pool grows', () => {
  it('to its minimum by itself, and no further', async () => {
    const { clock, pool, factory } = ruledPool({ size: { min: 2, max: 10 } });
    const ready = fateOf(pool.ready());
    await clock.settle();
    expect(ready.state).toBe('fulfilled');
    await clock.advance(100_000);
    expect(factory.calls.connect).toBe(2);
    expect(pool.stats()).toMatchObject({ size: 10, idle: 2 });
  });

  it('not at all by itself with a minimum of 0, and is ready at once', async () => {
    const { clock, pool, factory } = ruledPool({ size: { min: 0, max: 3 } });
    await pool.ready();
    await clock.settle();
    expect(factory.calls.connect).toBe(0);
  });

  it('by one connect for each caller whom nothing else can serve', async () => {
    const { clock, pool, factory } = ruledPool(
      { size: { min: 1, max: 10 }, maxConnecting: 10 },
      { prepare: (scripted) => scripted.always('connect', { after: 100 }) },
    );
    pool.start();
    expect(factory.calls.connect).toBe(1);
    const first = fateOf(pool.acquire());
    // The connect for the minimum will serve him.
    expect(factory.calls.connect).toBe(1);
    const others = [fateOf(pool.acquire()), fateOf(pool.acquire())];
    expect(factory.calls.connect).toBe(3);
    await clock.advance(100);
    expect([first, ...others].map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled', 'fulfilled']);
    expect(pool.stats()).toMatchObject({ leased: 3, idle: 0 });
  });

  it('never beyond its maximum', async () => {
    const { clock, pool, factory } = ruledPool({ size: { min: 0, max: 3 } });
    const fates = Array.from({ length: 8 }, () => fateOf(pool.acquire()));
    await clock.settle();
    expect(fates.filter(({ state }) => state === 'fulfilled')).toHaveLength(3);
    expect(factory.calls.connect).toBe(3);
    expect(pool.stats()).toMatchObject({ leased: 3, waiting: 5 });
  });

  it('not for a caller whom a check or a reset under way will serve', async () => {
    const ruled = await fullPool({ size: { min: 1, max: 5 }, checkAfterIdle: 500 }, { hooks: ['keepalive', 'reset'] });
    const { clock, pool, factory } = ruled;
    factory.always('keepalive', { after: 100 }).always('reset', { after: 100 });
    const first = fateOf(pool.acquire());
    expect(pool.stats()).toMatchObject({ checking: 1, connecting: 0 });
    await clock.advance(100);
    first.value!.release();
    const second = fateOf(pool.acquire());
    expect(pool.stats()).toMatchObject({ checking: 1, connecting: 0 });
    await clock.advance(100);
    expect(second.state).toBe('fulfilled');
    expect(factory.calls.connect).toBe(1);
  });

  it('and keeps what it opened for a caller who has left, or was served by another', async () => {
    const { clock, pool, factory } = await fullPool({ size: { min: 1, max: 5 } });
    factory.always('connect', { after: 300 });
    const held = pool.tryAcquire()!;
    const controller = new AbortController();
    const gone = fateOf(pool.acquire({ signal: controller.signal }));
    const served = fateOf(pool.acquire());
    expect(pool.stats().connecting).toBe(2);
    controller.abort(new Error('left'));
    held.release();
    await clock.advance(300);
    expect(gone.state).toBe('rejected');
    expect(served.value!.connection).toBe(factory.opened[0]);
    expect(pool.stats()).toMatchObject({ leased: 1, idle: 2, connecting: 0 });
    expect(factory.closed).toEqual([]);
  });

  it('again to its minimum when something is lost', async () => {
    const { clock, pool, factory } = await fullPool({ size: { min: 2, max: 5 } });
    factory.opened[0]!.die();
    await clock.settle();
    expect(pool.stats()).toMatchObject({ idle: 2, totals: { connected: 3 } });
  });

  it('does not replace what is lost above its minimum', async () => {
    const ruled = await fullPool({ size: { min: 1, max: 5 } });
    await grow(ruled, 3);
    ruled.factory.opened[0]!.die();
    await ruled.clock.settle();
    expect(ruled.pool.stats()).toMatchObject({ idle: 2, totals: { connected: 3 } });
  });
});

describe('P16: an elastic pool shrinks', () => {
  it('down to its minimum, as idle, once connections were not lent for idleTimeout', async () => {
    const ruled = await fullPool({ size: { min: 2, max: 6 }, idleTimeout: 60_000 });
    const { clock, pool, factory } = ruled;
    await grow(ruled, 6);
    const at = clock.now();
    while (factory.closed.length === 0) await clock.advance(100);
    expect(clock.now() - at).toBeGreaterThanOrEqual(60_000);
    expect(clock.now() - at).toBeLessThanOrEqual(60_100);
    expect(closeReasons(factory)).toEqual(['idle', 'idle', 'idle', 'idle']);
    expect(pool.stats()).toMatchObject({ idle: 2 });
  });

  it('and leaves its minimum alone: no churn', async () => {
    const { clock, pool, factory } = await fullPool({ size: { min: 2, max: 6 }, idleTimeout: 10_000 });
    await clock.advance(1_000_000);
    expect(factory.calls.connect).toBe(2);
    expect(factory.closed).toEqual([]);
    expect(pool.stats().idle).toBe(2);
  });

  it('to nothing with a minimum of 0', async () => {
    const ruled = ruledPool({ size: { min: 0, max: 6 }, idleTimeout: 10_000 });
    await grow(ruled, 4);
    await ruled.clock.advance(10_000);
    expect(ruled.pool.stats()).toMatchObject({ open: 0, totals: { closed: { idle: 4 } } });
    await ruled.clock.advance(100_000);
    expect(ruled.factory.calls.connect).toBe(4);
  });

  it('closes none that is on loan, and counts from its return', async () => {
    const { clock, pool, factory } = ruledPool({ size: { min: 0, max: 2 }, idleTimeout: 10_000 });
    const fate = fateOf(pool.acquire());
    await clock.advance(100_000);
    expect(factory.closed).toEqual([]);
    fate.value!.release();
    await clock.advance(9_999);
    expect(factory.closed).toEqual([]);
    await clock.advance(1);
    expect(closeReasons(factory)).toEqual(['idle']);
    expect(pool.stats().open).toBe(0);
  });

  it('though pings keep its connections open: they are no use', async () => {
    const ruled = ruledPool(
      { size: { min: 0, max: 5 }, idleTimeout: 60_000, keepalive: 10_000 },
      { hooks: ['keepalive'] },
    );
    await grow(ruled, 5);
    await ruled.clock.advance(60_000);
    expect(ruled.pings.length).toBeGreaterThanOrEqual(25);
    expect(closeReasons(ruled.factory)).toEqual(Array(5).fill('idle'));
  });

  it('under a light load whose connections are pinged: the load stays on the one used last', async () => {
    const ruled = ruledPool(
      { size: { min: 1, max: 8 }, idleTimeout: '10 min', keepalive: '30s' },
      { hooks: ['keepalive'] },
    );
    await grow(ruled, 8);
    // One short piece of work every 10 s: one connection can do that.
    for (let turn = 0; turn < 120; turn++) {
      await ruled.clock.advance(10_000);
      await ruled.pool.use(() => 'done');
    }
    expect(ruled.pings.length).toBeGreaterThan(100);
    expect(ruled.pool.stats()).toMatchObject({ open: 1, totals: { closed: { idle: 7 } } });
  });

  it('under a light load whose connections are checked before they are lent', async () => {
    const ruled = ruledPool(
      { size: { min: 1, max: 8 }, idleTimeout: '10 min', keepalive: '30s', checkAfterIdle: '20s' },
      { hooks: ['keepalive'] },
    );
    await grow(ruled, 8);
    for (let turn = 0; turn < 120; turn++) {
      await ruled.clock.advance(10_000);
      await ruled.pool.use(() => 'done');
    }
    expect(ruled.pool.stats()).toMatchObject({ open: 1, totals: { closed: { idle: 7 } } });
  });

  it('and grows in waves, each time up to what is asked and down to the minimum', async () => {
    const ruled = await fullPool({ size: { min: 2, max: 20 }, idleTimeout: 30_000, maxConnecting: 20 });
    for (const wave of [5, 20, 3, 12]) {
      await grow(ruled, wave);
      expect(ruled.pool.stats().idle).toBe(wave);
      await ruled.clock.advance(61_000);
      expect(ruled.pool.stats()).toMatchObject({ idle: 2, closing: 0 });
    }
    expect(ruled.pool.stats().totals.closed).toMatchObject({ idle: 3 + 18 + 1 + 10, broken: 0, surplus: 0 });
  });

  it('not in a pool of fixed size', async () => {
    const { clock, factory } = await fullPool({ size: 3, idleTimeout: 10_000 });
    await clock.advance(100_000);
    expect(factory.closed).toEqual([]);
  });

  it('never where idleTimeout is off', async () => {
    const ruled = ruledPool({ size: { min: 0, max: 3 }, idleTimeout: false });
    await grow(ruled, 3);
    await ruled.clock.advance(1e9);
    expect(ruled.factory.closed).toEqual([]);
  });
});

describe('order', () => {
  async function lentAfterReturns(order: 'fifo' | 'lifo' | undefined, size: number | { min: number; max: number }) {
    const ruled = ruledPool({ size, order });
    const fates = [1, 2, 3].map(() => fateOf(ruled.pool.acquire()));
    await ruled.clock.settle();
    // They come back in the order 2, 3, 1.
    for (const index of [1, 2, 0]) fates[index]!.value!.release();
    return [1, 2, 3].map(() => ruled.pool.tryAcquire()!.connection.id);
  }

  it('suits the size, where nothing else was asked for, also after a resize', async () => {
    const ruled = await fullPool({ size: 3, idleTimeout: 1_000 });
    ruled.pool.resize({ min: 1, max: 3 });
    for (let step = 0; step < 40; step++) {
      await ruled.pool.use(() => undefined);
      await ruled.clock.advance(50);
    }
    // Light work leaves two of them alone for long enough.
    expect(ruled.pool.stats().open).toBe(1);
  });

  it.each([
    ['fifo', 3, [2, 3, 1]],
    ['lifo', 3, [1, 3, 2]],
    ['fifo', { min: 1, max: 3 }, [2, 3, 1]],
    ['lifo', { min: 1, max: 3 }, [1, 3, 2]],
    [undefined, 3, [2, 3, 1]],
    [undefined, { min: 1, max: 3 }, [1, 3, 2]],
  ] as const)('%s of size %j lends in the order %j what came back as 2, 3, 1', async (order, size, expected) => {
    expect(await lentAfterReturns(order, size)).toEqual(expected);
  });
});
