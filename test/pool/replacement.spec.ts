import { describe, expect, it } from '@jest/globals';
import { closeReasons, fateOf, fullPool, ruledPool } from './ruled-pool.js';

describe('P16: maxUses', () => {
  it('closes a connection as expired when the last of its leases ends, and opens another', async () => {
    const { clock, pool, factory } = await fullPool({ size: 1, maxUses: 3 });
    for (let use = 1; use <= 3; use++) {
      expect(factory.closed).toEqual([]);
      await pool.use((connection) => expect(connection).toBe(factory.opened[0]));
    }
    await clock.settle();
    expect(closeReasons(factory)).toEqual(['expired']);
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { connected: 2 } });
  });

  it('of 1 gives each caller a connection of his own', async () => {
    const { clock, pool, factory } = await fullPool({ size: 1, maxUses: 1 });
    const fates = Array.from({ length: 4 }, () => fateOf(pool.use((connection) => connection.id)));
    await clock.settle();
    expect(fates.map(({ value }) => value)).toEqual([1, 2, 3, 4]);
    await clock.settle();
    expect(closeReasons(factory)).toEqual(['expired', 'expired', 'expired', 'expired']);
  });

  it('counts no pings', async () => {
    const { clock, pool, factory } = await fullPool(
      { size: 1, maxUses: 2, keepalive: 1_000 },
      { hooks: ['keepalive'] },
    );
    await clock.advance(100_000);
    await pool.use(() => 1);
    expect(factory.closed).toEqual([]);
  });

  it('says broken, not expired, if the last use broke it', async () => {
    const { pool, factory } = await fullPool({ size: 1, maxUses: 1 });
    pool.tryAcquire()!.discard(new Error('gone'));
    expect(closeReasons(factory)).toEqual(['broken']);
  });
});

describe('P16: maxLifetime', () => {
  it.each([1, 2, 3])(
    'replaces each connection within the last quarter of it, not all at once (seed %i)',
    async (seed) => {
      const { clock, pool, factory } = await fullPool({ size: 20, maxLifetime: 100_000 }, { clock: { seed } });
      const diedAt: number[] = [];
      let fewest = 20;
      while (diedAt.length < 20) {
        await clock.advance(500);
        while (diedAt.length < factory.closed.length) diedAt.push(clock.now());
        fewest = Math.min(fewest, pool.stats().idle);
      }
      expect(Math.min(...diedAt)).toBeGreaterThanOrEqual(75_000);
      expect(Math.max(...diedAt)).toBeLessThanOrEqual(100_000);
      expect(new Set(diedAt).size).toBeGreaterThan(10);
      expect(new Set(closeReasons(factory))).toEqual(new Set(['expired']));
      expect(pool.stats().open).toBe(20);
      expect(fewest).toBe(20);
    },
  );

  it.each([
    [0, 100_000],
    [1 - 2 ** -32, 75_000],
  ])('is as long as chance says: %f makes it %i of 100,000', async (number, lifetime) => {
    const { clock, factory } = await fullPool({ size: 1, maxLifetime: 100_000 }, { clock: { random: () => number } });
    await clock.advance(lifetime - 1_000 - 1);
    expect(factory.closed).toEqual([]);
    await clock.advance(2);
    expect(closeReasons(factory)).toEqual(['expired']);
  });

  it('goes on from connection to connection', async () => {
    const { clock, pool, factory } = await fullPool({ size: 3, maxLifetime: 10_000 });
    await clock.advance(100_000);
    expect(factory.closed.length).toBeGreaterThanOrEqual(30);
    expect(factory.closed.length).toBeLessThanOrEqual(42);
    expect(pool.stats().open).toBe(3);
  });

  it('leaves a lease alone, and closes its connection when it ends', async () => {
    const { clock, pool, factory } = await fullPool({ size: 1, maxLifetime: 10_000 });
    const lease = pool.tryAcquire()!;
    const fate = fateOf(pool.acquire({ timeout: Infinity }));
    await clock.advance(50_000);
    expect(factory.closed).toEqual([]);
    lease.release();
    await clock.settle();
    expect(closeReasons(factory)).toEqual(['expired']);
    expect(fate.value!.connection).toBe(factory.opened[1]);
  });

  it('leaves a ping alone, and closes its connection when it ends', async () => {
    const { clock, pool, factory } = await fullPool(
      { size: 1, maxLifetime: 10_000, keepalive: 9_500 },
      { hooks: ['keepalive'], clock: { random: () => 0 } },
    );
    factory.always('keepalive', { after: 2_000 });
    await clock.advance(9_500);
    expect(clock.now()).toBe(10_500);
    expect(pool.stats()).toMatchObject({ checking: 1 });
    await clock.advance(1_000);
    expect(closeReasons(factory)).toEqual(['expired']);
    expect(pool.stats()).toMatchObject({ idle: 1 });
  });

  it('does not refill what an elastic pool has beyond its minimum', async () => {
    const { clock, pool } = ruledPool({ size: { min: 1, max: 5 }, maxLifetime: 10_000, idleTimeout: false });
    const fates = [1, 2, 3].map(() => fateOf(pool.acquire()));
    await clock.settle();
    for (const fate of fates) fate.value!.release();
    await clock.advance(10_000);
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { connected: 4, closed: { expired: 3 } } });
  });
});

describe('P16: recycle', () => {
  it('replaces idle connections now, and leased ones on return', async () => {
    const { clock, pool, factory } = await fullPool({ size: 3 });
    const lease = pool.tryAcquire()!;
    pool.recycle();
    await clock.settle();
    expect(factory.closed.map(({ connection, reason }) => [connection.id, reason])).toEqual([
      [2, 'recycled'],
      [3, 'recycled'],
    ]);
    expect(pool.stats()).toMatchObject({ idle: 2, leased: 1 });
    lease.release();
    await clock.settle();
    expect(factory.opened[0]!.closedFor).toEqual(['recycled']);
    expect(pool.stats()).toMatchObject({ idle: 3 });
  });

  it('counts connects in flight as old: what they yield serves nobody', async () => {
    const { clock, pool, factory } = ruledPool(
      { size: 2 },
      { prepare: (scripted) => scripted.always('connect', { after: 500 }) },
    );
    const fate = fateOf(pool.acquire());
    await clock.advance(100);
    pool.recycle();
    await clock.advance(400);
    expect(factory.opened.slice(0, 2).map(({ closedFor }) => closedFor)).toEqual([['recycled'], ['recycled']]);
    expect(fate.state).toBe('pending');
    await clock.advance(500);
    expect(fate.value!.connection).toBe(factory.opened[2]);
    expect(pool.stats()).toMatchObject({ leased: 1, idle: 1, totals: { connected: 4, connectFailures: 0 } });
  });

  it('replaces what is being pinged or reset when that is over', async () => {
    const { clock, pool, factory } = await fullPool({ size: 2 }, { hooks: ['reset'] });
    factory.always('reset', { after: 200 });
    pool.tryAcquire()!.release();
    pool.recycle();
    await clock.advance(199);
    expect(factory.opened[0]!.closedFor).toEqual([]);
    await clock.advance(1);
    expect(factory.opened[0]!.closedFor).toEqual(['recycled']);
    expect(pool.stats()).toMatchObject({ idle: 2 });
  });

  it('keeps P2 while farewells take their time, and is full again after', async () => {
    const { clock, pool, factory } = await fullPool({ size: 4 });
    factory.always('close', { after: 1_000 });
    pool.recycle();
    pool.recycle();
    await clock.advance(999);
    expect(pool.stats()).toMatchObject({ closing: 4, connecting: 0, idle: 0 });
    await clock.advance(1);
    expect(pool.stats()).toMatchObject({ closing: 0, idle: 4, totals: { closed: { recycled: 4 } } });
  });

  it('does not touch what it has opened itself', async () => {
    const { clock, pool, factory } = await fullPool({ size: 2 });
    pool.recycle();
    await clock.settle();
    await clock.advance(100_000);
    expect(factory.closed).toHaveLength(2);
    expect(pool.tryAcquire()!.connection).toBe(factory.opened[2]);
  });

  it('of a pool that has not been started does nothing', () => {
    const { pool, factory } = ruledPool({ size: 2 });
    pool.recycle();
    expect(factory.calls.connect).toBe(0);
  });

  it('survives a close that recycles again', async () => {
    const { clock, pool, factory } = await fullPool({ size: 4 });
    const { close } = factory;
    factory.close = (connection, reason) => {
      if (factory.closed.length < 4) pool.recycle();
      return close.call(factory, connection, reason);
    };
    pool.recycle();
    await clock.settle();
    expect(factory.opened.slice(0, 4).map(({ closedFor }) => String(closedFor))).toEqual(Array(4).fill('recycled'));
    expect(pool.stats()).toMatchObject({ idle: 4 });
  });
});

describe('P16: why a connection is closed', () => {
  it('is surplus for a connect that arrives after its time-out', async () => {
    const { clock, pool, factory } = ruledPool(
      { size: 1, connectTimeout: 1_000 },
      { prepare: (scripted) => scripted.next('connect', { after: 1_500 }) },
    );
    pool.start();
    await clock.advance(5_000);
    expect(factory.closed.map(({ connection, reason }) => [connection.id, reason])).toEqual([
      [factory.opened.find(({ closedFor }) => closedFor.length > 0)!.id, 'surplus'],
    ]);
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { connected: 2, closed: { surplus: 1 } } });
  });

  it('is surplus for a connect that a resize gave up and that arrives all the same', async () => {
    const { clock, pool, factory } = ruledPool(
      { size: 2 },
      { prepare: (scripted) => scripted.always('connect', { after: 500 }) },
    );
    pool.start();
    pool.resize(1);
    await clock.advance(500);
    expect(closeReasons(factory)).toEqual(['surplus']);
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { connected: 2 } });
  });

  it('is broken for discard(), with an error or without', async () => {
    const { clock, pool, factory } = await fullPool({ size: 2 });
    pool.tryAcquire()!.discard();
    pool.tryAcquire()!.discard(new Error('gone'));
    await clock.settle();
    expect(closeReasons(factory)).toEqual(['broken', 'broken']);
    expect(pool.stats()).toMatchObject({ idle: 2 });
  });

  it('is the graver one if there are two', async () => {
    const { clock, pool, factory } = await fullPool({ size: 2, maxUses: 1 });
    const lease = pool.tryAcquire()!;
    pool.recycle();
    lease.connection.die();
    lease.release();
    await clock.settle();
    expect(factory.opened[0]!.closedFor).toEqual(['broken']);
    expect(factory.opened[1]!.closedFor).toEqual(['recycled']);
  });
});
