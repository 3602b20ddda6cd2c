import { describe, expect, it } from '@jest/globals';
import { ConnectionError } from '../../src/pool/connection-error.js';
import { PoolSettingsError } from '../../src/pool/errors.js';
import type { Lease } from '../../src/pool/lease.js';
import type { ScriptedConnection } from '../../src/testing/scripted-factory.js';
import { VirtualClock } from '../../src/testing/virtual-clock.js';
import { closeReasons, fateOf, fullPool, ruledPool, type Fate } from './ruled-pool.js';

describe('P12: resize to more', () => {
  it('opens what is missing at once, and serves those who wait', async () => {
    const { clock, pool } = await fullPool({ size: 1 });
    pool.tryAcquire();
    const fates = [fateOf(pool.acquire()), fateOf(pool.acquire())];
    pool.resize(4);
    await clock.settle();
    expect(fates.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled']);
    expect(pool.stats()).toMatchObject({ size: 4, leased: 3, idle: 1 });
  });

  it('opens nothing in a pool that has not been started', async () => {
    const { clock, pool, factory } = ruledPool({ size: 1 });
    pool.resize(5);
    await clock.settle();
    expect(factory.calls.connect).toBe(0);
    expect(pool.stats().size).toBe(5);
    const ready = fateOf(pool.ready());
    await clock.settle();
    expect(ready.state).toBe('fulfilled');
    expect(pool.stats().idle).toBe(5);
  });

  it('keeps what was to go but has not come back yet', async () => {
    const { clock, pool, factory } = await fullPool({ size: 3 });
    const leases = [pool.tryAcquire()!, pool.tryAcquire()!, pool.tryAcquire()!];
    pool.resize(1);
    pool.resize(3);
    for (const lease of leases) lease.release();
    await clock.settle();
    expect(factory.closed).toEqual([]);
    expect(pool.stats()).toMatchObject({ idle: 3 });
  });

  it('makes those who wait for a full pool wait for the new size', async () => {
    const { clock, pool } = ruledPool({ size: 1 }, { prepare: (factory) => factory.always('connect', { after: 100 }) });
    const ready = fateOf(pool.ready());
    pool.resize(2);
    await clock.advance(99);
    expect(ready.state).toBe('pending');
    await clock.advance(1);
    expect(ready.state).toBe('fulfilled');
    expect(pool.stats().open).toBe(2);
  });

  it('begins to shrink by idleTimeout once elastic, counted from the last lease', async () => {
    const { clock, pool, factory } = await fullPool({ size: 4, idleTimeout: 10_000 });
    // In use until now, though opened long ago.
    await clock.advance(60_000);
    const leases = [1, 2, 3, 4].map(() => pool.tryAcquire()!);
    await clock.advance(1_000);
    for (const lease of leases) lease.release();
    await clock.advance(1_000);
    pool.resize({ min: 1, max: 4 });
    await clock.advance(8_999);
    expect(factory.closed).toEqual([]);
    await clock.advance(11_001);
    expect(closeReasons(factory)).toEqual(['idle', 'idle', 'idle']);
  });

  it('stops to shrink once of fixed size', async () => {
    const { clock, pool, factory } = await fullPool({ size: { min: 1, max: 4 }, idleTimeout: 10_000 });
    const fates = [1, 2, 3, 4].map(() => fateOf(pool.acquire()));
    await clock.settle();
    for (const fate of fates) fate.value!.release();
    pool.resize(4);
    await clock.advance(100_000);
    expect(factory.closed).toEqual([]);
    expect(pool.stats().idle).toBe(4);
  });
});

describe('P12: resize to less', () => {
  it('closes idle ones now and leased ones on return, as surplus', async () => {
    const { clock, pool, factory } = await fullPool({ size: 5 });
    const leases = [pool.tryAcquire()!, pool.tryAcquire()!, pool.tryAcquire()!];
    pool.resize(2);
    await clock.settle();
    expect(closeReasons(factory)).toEqual(['surplus', 'surplus']);
    expect(pool.stats()).toMatchObject({ size: 2, idle: 0, leased: 3 });
    for (const lease of leases) lease.release();
    await clock.settle();
    expect(closeReasons(factory)).toEqual(['surplus', 'surplus', 'surplus']);
    expect(pool.stats()).toMatchObject({ idle: 2, leased: 0 });
  });

  it('gives up connects in flight before it closes what is open', async () => {
    const { clock, pool, factory } = ruledPool(
      { size: 4 },
      { prepare: (scripted) => scripted.next('connect', 'succeed', 'succeed').always('connect', 'obey') },
    );
    pool.start();
    await clock.settle();
    pool.resize(3);
    await clock.settle();
    expect(pool.stats()).toMatchObject({ idle: 2, connecting: 1 });
    expect(factory.connectContexts.map(({ signal }) => signal.aborted)).toEqual([false, false, false, true]);
    pool.resize(1);
    await clock.settle();
    expect(pool.stats()).toMatchObject({ idle: 1, connecting: 0, totals: { connectFailures: 0 } });
    expect(closeReasons(factory)).toEqual(['surplus']);
  });

  it('opens no new one until the sum of all fits, those being closed included', async () => {
    const { clock, pool, factory } = await fullPool({ size: 3 });
    factory.always('close', { after: 1_000 });
    const leases = [pool.tryAcquire()!, pool.tryAcquire()!, pool.tryAcquire()!];
    const waiting = fateOf(pool.acquire());
    pool.resize(1);
    leases[0]!.release();
    leases[1]!.release();
    await clock.settle();
    expect(pool.stats()).toMatchObject({ leased: 1, closing: 2, connecting: 0, waiting: 1 });
    leases[2]!.discard(new ConnectionError('gone'));
    await clock.advance(999);
    expect(factory.calls.connect).toBe(3);
    expect(waiting.state).toBe('pending');
    await clock.advance(1);
    expect(factory.calls.connect).toBe(4);
    expect(waiting.state).toBe('fulfilled');
  });

  it('gives a returning connection to no caller while there are too many', async () => {
    const { clock, pool, factory } = await fullPool({ size: 2 });
    const [one, two] = [pool.tryAcquire()!, pool.tryAcquire()!];
    const fate = fateOf(pool.acquire());
    pool.resize(1);
    one.release();
    await clock.settle();
    expect(fate.state).toBe('pending');
    expect(closeReasons(factory)).toEqual(['surplus']);
    two.release();
    await clock.settle();
    expect(fate.value!.connection).toBe(factory.opened[1]);
  });

  it('resolves those who wait for a full pool if it is full now', async () => {
    const { clock, pool } = ruledPool(
      { size: 3 },
      { prepare: (factory) => factory.next('connect', 'succeed').always('connect', 'hang') },
    );
    const ready = fateOf(pool.ready());
    await clock.settle();
    expect(ready.state).toBe('pending');
    pool.resize(1);
    await clock.settle();
    expect(ready.state).toBe('fulfilled');
  });

  it('holds the last word when a close calls resize in the middle of it', async () => {
    const { clock, pool, factory } = await fullPool({ size: 6 });
    const leases = [pool.tryAcquire()!, pool.tryAcquire()!, pool.tryAcquire()!];
    const { close } = factory;
    let once = true;
    factory.close = (connection, reason) => {
      if (once) {
        once = false;
        pool.resize(1);
      }
      return close.call(factory, connection, reason);
    };
    pool.resize(4);
    expect(pool.stats()).toMatchObject({ size: 1, leased: 3, idle: 0 });
    for (const lease of leases) lease.release();
    await clock.settle();
    expect(pool.stats()).toMatchObject({ idle: 1, open: 1 });
    expect(closeReasons(factory)).toEqual(Array(5).fill('surplus'));
  });

  it.each([0, -1, 1.5, NaN, { min: 3, max: 2 }, { min: -1, max: 2 }, '3'])(
    'rejects %p, and changes nothing',
    async (size) => {
      const { pool } = await fullPool({ size: 2 });
      expect(() => pool.resize(size as number)).toThrow(PoolSettingsError);
      expect(pool.stats()).toMatchObject({ size: 2, idle: 2 });
    },
  );
});

describe('P12: resize under load', () => {
  it.each([1, 2, 3, 4, 5, 6])('loses nothing and keeps P2 (seed %i)', async (seed) => {
    const chance = new VirtualClock({ seed: seed * 7_919 });
    const upTo = (limit: number): number => Math.floor(chance.random() * limit);
    const { clock, pool, factory } = ruledPool(
      { size: 4, acquireTimeout: 3_000, keepalive: 900, checkAfterIdle: 400, idleTimeout: 1_500, maxLifetime: 5_000 },
      {
        hooks: ['keepalive', 'reset', 'isUsable'],
        clock: { seed },
        prepare: (scripted) =>
          scripted.always('close', { after: 30 }).always('reset', { after: 5 }).always('keepalive', { after: 8 }),
      },
    );
    const connect = factory.connect.bind(factory);
    factory.connect = (context) => {
      const roll = chance.random();
      if (roll < 0.05) factory.next('connect', { fail: new Error('down') });
      else if (roll < 0.08) factory.next('connect', 'obey');
      else factory.next('connect', { after: upTo(60) });
      return connect(context);
    };
    const held: Array<Lease<ScriptedConnection>> = [];
    const fates: Array<Fate<Lease<ScriptedConnection>>> = [];
    const waiting = new Set<Fate<Lease<ScriptedConnection>>>();
    let max = 4;
    let lastSum = 0;

    const faults: string[] = [];
    const check = (step: number): void => {
      const { idle, leased, checking, connecting, closing, size, totals, open } = pool.stats();
      const sum = idle + leased + checking + connecting + closing;
      const isTwiceClosed = (connection: ScriptedConnection): boolean => connection.closedFor.length > 1;
      if (size !== max) faults.push(`step ${step}: size is ${size}, not ${max}`);
      // After a resize to less the sum may only fall, until it fits.
      if (sum > Math.max(max, lastSum)) faults.push(`step ${step}: ${sum} slots, ${lastSum} before, of ${max}`);
      if (open !== idle + leased + checking) faults.push(`step ${step}: ${open} open`);
      if (leased !== held.length) faults.push(`step ${step}: ${leased} leased, ${held.length} held`);
      const lent = new Set(held.map(({ connection }) => connection));
      if (lent.size !== held.length) faults.push(`step ${step}: lent twice`);
      if (totals.connected !== factory.opened.length) faults.push(`step ${step}: ${totals.connected} connected`);
      if (factory.opened.some(isTwiceClosed)) faults.push(`step ${step}: closed twice`);
      lastSum = sum;
    };
    const collect = (): void => {
      for (const fate of waiting) {
        if (fate.state === 'pending') continue;
        waiting.delete(fate);
        if (fate.state === 'fulfilled') held.push(fate.value!);
      }
    };

    for (let step = 0; step < 400; step++) {
      const roll = chance.random();
      if (roll < 0.35) {
        const fate = fateOf(pool.acquire());
        fates.push(fate);
        waiting.add(fate);
      } else if (roll < 0.7 && held.length > 0) {
        const [lease] = held.splice(upTo(held.length), 1);
        const how = chance.random();
        if (how < 0.8) lease!.release();
        else if (how < 0.9) lease!.discard();
        else lease!.release(new ConnectionError('gone'));
      } else if (roll < 0.78) {
        max = 1 + upTo(8);
        pool.resize(chance.random() < 0.5 ? max : { min: upTo(max + 1), max });
      } else if (roll < 0.8) {
        pool.recycle();
      } else if (roll < 0.83 && factory.live.length > 0) {
        factory.live[upTo(factory.live.length)]!.die();
      }
      await clock.advance(chance.random() < 0.9 ? upTo(40) : upTo(1_000));
      collect();
      check(step);
    }

    expect(faults).toEqual([]);
    expect(fates.length).toBeGreaterThan(100);
    // It heals: with all returned and the backend well, everybody is served and the pool is full.
    max = 5;
    pool.resize(5);
    for (let round = 0; round < 400 && (waiting.size > 0 || held.length > 0); round++) {
      for (const lease of held.splice(0)) lease.release();
      await clock.advance(50);
      collect();
    }
    expect(waiting.size).toBe(0);
    factory.connect = connect;
    await clock.advance(60_000);
    // One whose lifetime has just ended may be on its way out, and its successor not yet in.
    for (let round = 0; round < 10 && pool.stats().open < 5; round++) await clock.advance(50);
    expect(pool.stats().open).toBe(5);
    const closed = fateOf(pool.close());
    await clock.advance(100);
    expect(closed.state).toBe('fulfilled');
    await clock.advance(60_000);
    expect(clock.pending).toBe(0);
    expect(factory.live).toEqual([]);
    const { totals } = pool.stats();
    expect(Object.values(totals.closed).reduce((sum, count) => sum + count)).toBe(totals.connected);
    expect(totals.acquired).toBe(fates.filter(({ state }) => state === 'fulfilled').length);
    expect(totals.acquireTimeouts).toBe(fates.filter(({ state }) => state === 'rejected').length);
  });
});
