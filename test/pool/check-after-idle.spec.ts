import { describe, expect, it } from '@jest/globals';
import { AcquireTimeoutError } from '../../src/pool/errors.js';
import { closeReasons, fateOf, fullPool } from './ruled-pool.js';

const HOOKS = { hooks: ['keepalive', 'isUsable'] } as const;

describe('P9: checkAfterIdle', () => {
  it('lends what was used or pinged lately as it is', async () => {
    const { clock, pool, pings } = await fullPool({ size: 1, checkAfterIdle: 5_000 }, HOOKS);
    await clock.advance(3_999);
    pool.tryAcquire()!.release();
    await clock.advance(4_999);
    const fate = fateOf(pool.acquire());
    await clock.settle();
    expect(fate.state).toBe('fulfilled');
    expect(pings).toHaveLength(0);
  });

  it('pings what was not, before it is lent', async () => {
    const { clock, pool, pings, factory } = await fullPool({ size: 1, checkAfterIdle: 5_000 }, HOOKS);
    factory.always('keepalive', { after: 10 });
    await clock.advance(4_000);
    const fate = fateOf(pool.acquire());
    await clock.advance(9);
    expect(fate.state).toBe('pending');
    expect(pings).toHaveLength(1);
    await clock.advance(1);
    expect(fate.state).toBe('fulfilled');

    // The ping counts: what is asked for next needs none.
    fate.value!.release();
    await clock.advance(4_999);
    expect(pool.tryAcquire()).toBeDefined();
    expect(pings).toHaveLength(1);
  });

  it('pings nothing that nobody asks for', async () => {
    const { clock, pings } = await fullPool({ size: 3, checkAfterIdle: 5_000 }, HOOKS);
    await clock.advance(100_000);
    expect(pings).toHaveLength(0);
  });

  it.each(['fifo', 'lifo'] as const)('prefers what needs no check, whatever the order (%s)', async (order) => {
    const { clock, pool, pings } = await fullPool({ size: 3, checkAfterIdle: 5_000, order }, HOOKS);
    await clock.advance(3_000);
    const used = pool.tryAcquire()!;
    const fresh = used.connection;
    used.release();
    await clock.advance(3_000);

    expect(pool.tryAcquire()!.connection).toBe(fresh);
    expect(pool.tryAcquire()).toBeUndefined();
    expect(pings).toHaveLength(0);
    expect(pool.stats()).toMatchObject({ idle: 2, checking: 0 });
  });

  it.each(['fifo', 'lifo'] as const)(
    'prefers what needs no check also where a slow reset changed the order (%s)',
    async (order) => {
      // B was used after A, but A's reset took longer: A, which has rested for longer, became idle last.
      const { clock, pool, pings, factory } = await fullPool(
        { size: 3, checkAfterIdle: 5_000, order },
        { hooks: ['keepalive', 'reset'] },
      );
      const a = pool.tryAcquire()!;
      const b = pool.tryAcquire()!;
      factory.next('reset', { after: 4_500 }, 'succeed');
      a.release();
      await clock.advance(2_000);
      b.release();
      await clock.advance(2_500);
      expect(pool.stats()).toMatchObject({ idle: 3, checking: 0 });
      await clock.advance(1_000);

      // Of the three, one was last used 6.5 s ago, A 5.5 s and B 3.5 s ago.
      const fate = fateOf(pool.acquire());
      await clock.settle();
      expect(fate.state).toBe('fulfilled');
      expect(pings).toHaveLength(0);
    },
  );

  it('prefers what was pinged lately to the one whose turn it is by its last lease', async () => {
    const { clock, pool, pings } = await fullPool(
      { size: 2, order: 'lifo', keepalive: 10_000, checkAfterIdle: 5_000 },
      HOOKS,
    );
    const usedLast = pool.tryAcquire()!;
    const { connection } = usedLast;
    await clock.advance(2_000);
    usedLast.release();
    while (pings.length === 0) await clock.advance(100);
    expect(pings[0]!.connection).not.toBe(connection);
    expect(clock.now() - 3_000).toBeGreaterThanOrEqual(5_000);
    expect(pool.tryAcquire()!.connection).toBe(pings[0]!.connection);
    expect(pool.tryAcquire()).toBeUndefined();
  });

  it('checks as many as there are callers, no more', async () => {
    const { clock, pool, pings, factory } = await fullPool({ size: 5, checkAfterIdle: 1_000 }, HOOKS);
    factory.always('keepalive', { after: 50 });
    const fates = [fateOf(pool.acquire()), fateOf(pool.acquire())];
    expect(pings).toHaveLength(2);
    expect(pool.stats()).toMatchObject({ idle: 3, checking: 2, waiting: 2 });
    await clock.advance(50);
    expect(fates.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled']);
    expect(pings).toHaveLength(2);
    expect(factory.calls.connect).toBe(5);
  });

  it('takes whichever check is ready first, in the order of the callers', async () => {
    const { clock, pool, pings, factory } = await fullPool({ size: 2, checkAfterIdle: 1_000 }, HOOKS);
    factory.next('keepalive', { after: 400 }, { after: 100 });
    const first = fateOf(pool.acquire());
    const second = fateOf(pool.acquire());
    await clock.advance(100);
    expect(first.value!.connection).toBe(pings[1]!.connection);
    expect(second.state).toBe('pending');
    await clock.advance(300);
    expect(second.value!.connection).toBe(pings[0]!.connection);
  });

  it('takes a connection that comes back before the check is ready', async () => {
    const { clock, pool, pings, factory } = await fullPool({ size: 2, checkAfterIdle: 2_000 }, HOOKS);
    const held = pool.tryAcquire()!;
    const { connection } = held;
    factory.always('keepalive', { after: 400 });
    await clock.advance(2_000);
    const fate = fateOf(pool.acquire());
    await clock.advance(100);
    expect(pings).toHaveLength(1);
    held.release();
    await clock.settle();
    expect(fate.value!.connection).toBe(connection);
    await clock.advance(300);
    expect(pool.stats()).toMatchObject({ idle: 1, leased: 1, checking: 0 });
  });

  it('does not make a caller wait for a ping that hangs while another connection can be checked', async () => {
    const { clock, pool, pings, factory } = await fullPool(
      { size: 3, checkAfterIdle: 1_000, keepalive: 10_000, keepaliveTimeout: 5_000 },
      { hooks: ['keepalive'], clock: { random: rising() } },
    );
    factory.next('keepalive', 'hang');
    while (pings.length === 0) await clock.advance(10);
    expect(pool.stats()).toMatchObject({ idle: 2, checking: 1 });

    const fate = fateOf(pool.acquire());
    await clock.settle();
    expect(fate.state).toBe('fulfilled');
    expect(fate.value!.connection).not.toBe(pings[0]!.connection);
  });

  it('does not make a caller wait for a reset that hangs while another connection can be checked', async () => {
    const { clock, pool, factory } = await fullPool(
      { size: 2, checkAfterIdle: 1_000 },
      { hooks: ['keepalive', 'reset'] },
    );
    const warmUp = fateOf(pool.acquire());
    await clock.settle();
    factory.next('reset', 'hang');
    warmUp.value!.release();
    await clock.settle();
    expect(pool.stats()).toMatchObject({ idle: 1, checking: 1 });

    const fate = fateOf(pool.acquire());
    await clock.settle();
    expect(fate.state).toBe('fulfilled');
  });

  it('goes on with the next if a check fails, and with a new connection if all do', async () => {
    const { clock, pool, factory } = await fullPool({ size: 2, checkAfterIdle: 1_000, siblingsOnBreak: 'keep' }, HOOKS);
    factory.always('keepalive', { after: 100, outcome: { fail: new Error('gone') } });
    factory.always('connect', { after: 1_000 });
    const fate = fateOf(pool.acquire());
    await clock.advance(100);
    expect(closeReasons(factory)).toEqual(['broken']);
    expect(pool.stats()).toMatchObject({ checking: 1, waiting: 1 });
    await clock.advance(100);
    expect(closeReasons(factory)).toEqual(['broken', 'broken']);
    await clock.advance(900);
    expect(fate.value!.connection).toBe(factory.opened[2]);
  });

  it('asks isUsable after the check, and lends nothing that is not', async () => {
    const { clock, pool, factory } = await fullPool({ size: 1, checkAfterIdle: 1_000 }, HOOKS);
    factory.opened[0]!.usable = false;
    const fate = fateOf(pool.acquire());
    await clock.settle();
    expect(fate.value!.connection).toBe(factory.opened[1]);
    expect(factory.opened[0]!.closedFor).toEqual(['broken']);
  });

  it('lets a caller time out or be aborted while a check runs for him, and keeps what was checked', async () => {
    const { clock, pool, factory } = await fullPool({ size: 2, checkAfterIdle: 1_000 }, HOOKS);
    factory.always('keepalive', { after: 500 });
    const controller = new AbortController();
    const impatient = fateOf(pool.acquire({ timeout: 100 }));
    const aborted = fateOf(pool.acquire({ signal: controller.signal }));
    await clock.advance(100);
    controller.abort(new Error('enough'));
    await clock.settle();
    expect(impatient.reason).toBeInstanceOf(AcquireTimeoutError);
    expect(aborted.reason).toEqual(new Error('enough'));
    await clock.advance(400);
    expect(pool.stats()).toMatchObject({ idle: 2, checking: 0, waiting: 0 });
    expect(pool.tryAcquire()).toBeDefined();
  });

  it('closes what is checked for a caller whose last hope the pool is, and serves him first', async () => {
    const { clock, pool, factory } = await fullPool({ size: 3, checkAfterIdle: 1_000 }, HOOKS);
    factory.always('keepalive', { after: 500 });
    const fate = fateOf(pool.acquire());
    const closed = fateOf(pool.close());
    await clock.advance(500);
    expect(fate.state).toBe('fulfilled');
    expect(closed.state).toBe('pending');
    fate.value!.release();
    await clock.settle();
    expect(closed.state).toBe('fulfilled');
    expect(closeReasons(factory)).toEqual(['shutdown', 'shutdown', 'shutdown']);
    expect(factory.calls.connect).toBe(3);
  });
});

describe('P9: checkAfterIdle 0', () => {
  it('pings every idle connection before it is lent', async () => {
    const { clock, pool, pings } = await fullPool({ size: 1, checkAfterIdle: 0 }, HOOKS);
    for (let round = 1; round <= 3; round++) {
      const fate = fateOf(pool.acquire());
      await clock.settle();
      expect(pings).toHaveLength(round);
      fate.value!.release();
    }
  });

  it('leaves tryAcquire nothing to take', async () => {
    const { pool } = await fullPool({ size: 2, checkAfterIdle: 0 }, HOOKS);
    expect(pool.tryAcquire()).toBeUndefined();
    expect(pool.stats()).toMatchObject({ idle: 2, leased: 0, checking: 0, totals: { pings: 0 } });
  });

  it('lends a connection straight from its connect or from the caller before, as neither was idle', async () => {
    const { clock, pool, pings } = await fullPool({ size: { min: 0, max: 1 }, checkAfterIdle: 0 }, HOOKS);
    const first = fateOf(pool.acquire());
    const second = fateOf(pool.acquire());
    await clock.settle();
    first.value!.release();
    await clock.settle();
    expect(second.state).toBe('fulfilled');
    expect(pings).toHaveLength(0);
  });
});

/** 0, 0.5, 0.9, …: so that pings of connections that were opened together come one after the other. */
function rising(): () => number {
  let next = -0.3;
  return () => (next = (next + 0.3) % 1);
}
