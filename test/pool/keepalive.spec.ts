import { describe, expect, it } from '@jest/globals';
import { KeepaliveTimeoutError } from '../../src/pool/errors.js';
import type { Lease } from '../../src/pool/lease.js';
import type { ScriptedConnection } from '../../src/testing/scripted-factory.js';
import { VirtualClock } from '../../src/testing/virtual-clock.js';
import { closeReasons, fateOf, fullPool, type HookRecord } from './ruled-pool.js';

const INTERVAL = 10_000;

function gaps(pings: readonly HookRecord[], bornAt: number): number[] {
  const last = new Map<number, number>();
  return pings.map(({ connection, at }) => {
    const gap = at - (last.get(connection.id) ?? bornAt);
    last.set(connection.id, at);
    return gap;
  });
}

describe('P9: keepalive, its times', () => {
  it.each([1, 2, 3, 4, 5])('pings each idle connection in the last fifth of every interval (seed %i)', async (seed) => {
    const { clock, pings } = await fullPool(
      { size: 20, keepalive: INTERVAL },
      { hooks: ['keepalive'], clock: { seed, start: 1e12 } },
    );
    await clock.advance(30 * INTERVAL);

    const found = gaps(pings, 1e12);
    expect(Math.min(...found)).toBeGreaterThanOrEqual(0.8 * INTERVAL);
    expect(Math.max(...found)).toBeLessThanOrEqual(INTERVAL);
    // 31 s in which each of 20 is due at least once an interval.
    expect(pings.length).toBeGreaterThanOrEqual(20 * 30);
    // And the fifth is used: the pings of a pool that was filled at once do not come at once.
    expect(Math.min(...found)).toBeLessThan(0.84 * INTERVAL);
    expect(Math.max(...found)).toBeGreaterThan(0.96 * INTERVAL);
    const firstRound = new Set(pings.slice(0, 20).map(({ at }) => at));
    expect(firstRound.size).toBeGreaterThanOrEqual(5);
  });

  it.each([
    ['lowest', 0],
    ['highest', 1 - 2 ** -32],
  ])('stays within the last fifth for the %s number that chance can give', async (_name, number) => {
    const { clock, pings } = await fullPool(
      { size: 3, keepalive: INTERVAL },
      { hooks: ['keepalive'], clock: { random: () => number } },
    );
    await clock.advance(10 * INTERVAL);

    const found = gaps(pings, 0);
    expect(found.length).toBeGreaterThanOrEqual(30);
    expect(Math.min(...found)).toBeGreaterThanOrEqual(0.8 * INTERVAL);
    expect(Math.max(...found)).toBeLessThanOrEqual(INTERVAL);
  });

  it('never pings at less than four fifths when chance changes its mind at every ping', async () => {
    let turn = 0;
    const { clock, pings } = await fullPool(
      { size: 7, keepalive: INTERVAL },
      { hooks: ['keepalive'], clock: { random: () => [0, 1 - 2 ** -32, 0.5, 0.04, 0.96][turn++ % 5]! } },
    );
    await clock.advance(40 * INTERVAL);

    const found = gaps(pings, 0);
    expect(found.length).toBeGreaterThanOrEqual(7 * 40);
    expect(Math.min(...found)).toBeGreaterThanOrEqual(0.8 * INTERVAL);
    expect(Math.max(...found)).toBeLessThanOrEqual(INTERVAL);
  });

  it('counts the interval from the end of a ping that takes its time', async () => {
    const { clock, pings } = await fullPool(
      { size: 1, keepalive: INTERVAL },
      { hooks: ['keepalive'], prepare: (factory) => factory.always('keepalive', { after: 3_000 }) },
    );
    await clock.advance(10 * INTERVAL);

    const found = gaps(pings, 0).slice(1);
    expect(found.length).toBeGreaterThanOrEqual(6);
    expect(Math.min(...found)).toBeGreaterThanOrEqual(0.8 * INTERVAL + 3_000);
    expect(Math.max(...found)).toBeLessThanOrEqual(INTERVAL + 3_000);
  });

  it.each([11, 12, 13])('counts from the last use, and never pings what is on loan (seed %i)', async (seed) => {
    const { clock, pool, pings, factory } = await fullPool(
      { size: 6, keepalive: INTERVAL },
      { hooks: ['keepalive'], clock: { seed } },
    );
    const chance = new VirtualClock({ seed: seed + 1_000 });
    const held: Array<Lease<ScriptedConnection>> = [];
    const onLoan = new Set<ScriptedConnection>();
    const activeAt = new Map(factory.opened.map((connection) => [connection, 0]));
    const found: number[] = [];
    let seen = 0;
    const { keepalive } = factory;
    const whilePinged: ScriptedConnection[] = [];
    factory.keepalive = (connection, context) => {
      if (onLoan.has(connection)) whilePinged.push(connection);
      return keepalive!.call(factory, connection, context);
    };

    for (let step = 0; step < 2_000; step++) {
      if (chance.random() < 0.45) {
        const lease = pool.tryAcquire();
        if (lease !== undefined) {
          held.push(lease);
          onLoan.add(lease.connection);
        }
      } else if (held.length > 0) {
        const [lease] = held.splice(Math.floor(chance.random() * held.length), 1);
        onLoan.delete(lease!.connection);
        activeAt.set(lease!.connection, clock.now());
        lease!.release();
      }
      await clock.advance(Math.floor(chance.random() * 4_000));
      for (; seen < pings.length; seen++) {
        const { connection, at } = pings[seen]!;
        found.push(at - activeAt.get(connection)!);
        activeAt.set(connection, at);
      }
      // Nobody is forgotten: what is idle was used or pinged within the interval.
      for (const [connection, at] of activeAt) {
        if (!onLoan.has(connection)) expect(clock.now() - at).toBeLessThanOrEqual(INTERVAL);
      }
    }

    expect(whilePinged).toEqual([]);
    expect(found.length).toBeGreaterThan(100);
    expect(Math.min(...found)).toBeGreaterThanOrEqual(0.8 * INTERVAL);
    expect(Math.max(...found)).toBeLessThanOrEqual(INTERVAL);
    expect(factory.closed).toEqual([]);
  });

  it('pings nothing unless it is asked to', async () => {
    const { clock, pings } = await fullPool({ size: 2, maxLifetime: '2 h' }, { hooks: ['keepalive'] });
    await clock.advance(3_600_000);
    expect(pings).toHaveLength(0);
  });

  it('leaves a long lease alone, and pings its connection only an interval after its return', async () => {
    const { clock, pool, pings } = await fullPool({ size: 1, keepalive: INTERVAL }, { hooks: ['keepalive'] });
    const lease = pool.tryAcquire();
    await clock.advance(10 * INTERVAL);
    expect(pings).toHaveLength(0);

    lease!.release();
    await clock.advance(0.8 * INTERVAL - 1);
    expect(pings).toHaveLength(0);
    await clock.advance(0.2 * INTERVAL + 1);
    expect(pings).toHaveLength(1);
  });
});

describe('P9: keepalive and callers', () => {
  const early = { random: () => 0 };

  it('lends a free connection while another is being pinged', async () => {
    const { clock, pool, factory, pings } = await fullPool(
      { size: 2, keepalive: INTERVAL },
      { hooks: ['keepalive'], clock: early },
    );
    factory.always('keepalive', 'hang');
    const lease = pool.tryAcquire();
    await clock.advance(INTERVAL);
    expect(pings).toHaveLength(1);
    lease!.release();

    const fate = fateOf(pool.acquire());
    await clock.settle();
    expect(fate.state).toBe('fulfilled');
    expect(fate.value!.connection).not.toBe(pings[0]!.connection);
    expect(pool.stats()).toMatchObject({ checking: 1, leased: 1, idle: 0 });
  });

  it('hands the last free connection to the caller who asked for it as soon as its ping is over', async () => {
    const { clock, pool, factory } = await fullPool(
      { size: 1, keepalive: INTERVAL },
      { hooks: ['keepalive'], clock: early },
    );
    factory.next('keepalive', { after: 300 });
    await clock.advance(INTERVAL - 1_000);
    expect(pool.stats().checking).toBe(1);
    expect(pool.tryAcquire()).toBeUndefined();

    const fate = fateOf(pool.acquire());
    await clock.advance(299);
    expect(fate.state).toBe('pending');
    await clock.advance(1);
    expect(fate.state).toBe('fulfilled');
    expect(factory.calls.connect).toBe(1);
  });

  it('hands a connection that comes back to the caller, though its ping is long due', async () => {
    const { clock, pool, pings } = await fullPool(
      { size: 1, keepalive: INTERVAL },
      { hooks: ['keepalive'], clock: early },
    );
    const first = pool.tryAcquire();
    const second = fateOf(pool.acquire());
    await clock.advance(2 * INTERVAL);
    first!.release();
    await clock.settle();
    expect(second.state).toBe('fulfilled');
    expect(pings).toHaveLength(0);
  });

  it('serves a caller who waits for a hanging ping with whatever comes back first', async () => {
    const { clock, pool, factory } = await fullPool(
      { size: 2, keepalive: INTERVAL },
      { hooks: ['keepalive'], clock: early },
    );
    factory.always('keepalive', 'hang');
    const lease = pool.tryAcquire();
    const other = lease!.connection;
    await clock.advance(INTERVAL);
    const fate = fateOf(pool.acquire());
    await clock.settle();
    expect(fate.state).toBe('pending');

    lease!.release();
    await clock.settle();
    expect(fate.value!.connection).toBe(other);
  });
});

describe('P9: a ping that goes wrong', () => {
  const cases = [
    ['rejects', { fail: new Error('gone') }],
    ['throws before it returns a promise', { throw: new Error('gone') }],
    ['rejects with undefined', { fail: undefined }],
  ] as const;

  it.each(cases)('is a break if it %s: the connection is closed as broken and replaced', async (_name, behaviour) => {
    const { clock, pool, factory, pings } = await fullPool({ size: 1, keepalive: INTERVAL }, { hooks: ['keepalive'] });
    factory.next('keepalive', behaviour);
    await clock.advance(INTERVAL);

    expect(pings).toHaveLength(1);
    expect(factory.opened[0]!.closedFor).toEqual(['broken']);
    expect(pool.stats()).toMatchObject({
      idle: 1,
      checking: 0,
      totals: { pings: 1, connected: 2, connectFailures: 0 },
    });
  });

  it('is a break if it hangs, after keepaliveTimeout, with its signal aborted', async () => {
    const { clock, pool, factory, pings, lines } = await fullPool(
      { size: 1, keepalive: INTERVAL, keepaliveTimeout: 2_000 },
      { hooks: ['keepalive'], clock: { random: () => 0 } },
    );
    factory.next('keepalive', 'hang');
    await clock.advance(INTERVAL - 1_000 + 1_999);
    expect(pool.stats().checking).toBe(1);
    expect(pings[0]!.signal.aborted).toBe(false);

    await clock.advance(1);
    expect(pings[0]!.signal.reason).toBeInstanceOf(KeepaliveTimeoutError);
    expect(closeReasons(factory)).toEqual(['broken']);
    expect(pool.stats()).toMatchObject({ idle: 1, checking: 0 });
    expect(lines.join('\n')).toContain('keepalive() got no answer within 2 s');
  });

  it.each([
    ['succeeds', { after: 6_000 }],
    ['fails', { after: 6_000, outcome: { fail: new Error('late') } }],
  ] as const)('loses its say once its time is up: nothing follows if it %s after all', async (_name, behaviour) => {
    const { clock, pool, factory } = await fullPool(
      { size: 1, keepalive: INTERVAL, keepaliveTimeout: 2_000 },
      { hooks: ['keepalive'], clock: { random: () => 0 } },
    );
    factory.next('keepalive', behaviour);
    await clock.advance(INTERVAL + 6_000);
    expect(closeReasons(factory)).toEqual(['broken']);
    expect(pool.stats()).toMatchObject({ idle: 1, open: 1, totals: { connected: 2, pings: 1 } });
  });

  it('gives the caller who waited for it the replacement', async () => {
    const { clock, pool, factory } = await fullPool(
      { size: 1, keepalive: INTERVAL },
      { hooks: ['keepalive'], clock: { random: () => 0 } },
    );
    factory.next('keepalive', { after: 500, outcome: { fail: new Error('gone') } });
    await clock.advance(INTERVAL - 1_000);
    const fate = fateOf(pool.acquire());
    await clock.advance(500);
    expect(fate.value!.connection).toBe(factory.opened[1]);
  });

  it('counts every ping, passed or not', async () => {
    const { clock, pool, factory } = await fullPool(
      { size: 1, keepalive: INTERVAL },
      { hooks: ['keepalive'], clock: { random: () => 0 } },
    );
    factory.next('keepalive', 'succeed', { fail: new Error('gone') }, 'succeed');
    await clock.advance(3 * INTERVAL);
    expect(pool.stats().totals.pings).toBe(3);
    expect(factory.calls.keepalive).toBe(3);
  });
});

describe('P9: keepalive in the end', () => {
  it('gives up the ping that is under way when the pool closes, and waits for none', async () => {
    const { clock, pool, factory, pings } = await fullPool(
      { size: 1, keepalive: INTERVAL },
      { hooks: ['keepalive'], clock: { random: () => 0 } },
    );
    factory.next('keepalive', 'hang');
    await clock.advance(INTERVAL - 1_000);
    expect(pool.stats().checking).toBe(1);

    const closed = fateOf(pool.close());
    await clock.settle();
    expect(closed.state).toBe('fulfilled');
    expect(pings[0]!.signal.aborted).toBe(true);
    expect(closeReasons(factory)).toEqual(['shutdown']);
    expect(clock.pending).toBe(0);
  });

  it('pings nothing any more once the pool closes', async () => {
    const { clock, pool, pings } = await fullPool({ size: 2, keepalive: INTERVAL }, { hooks: ['keepalive'] });
    const lease = pool.tryAcquire();
    void pool.close({ timeout: 100_000 });
    await clock.advance(90_000);
    expect(pings).toHaveLength(0);
    lease!.release();
    await clock.settle();
    expect(clock.pending).toBe(0);
  });
});
