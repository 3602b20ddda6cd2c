import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, jest } from '@jest/globals';
import type { ConnectionPool } from '../../src/pool/connection-pool.js';
import type { ScriptedConnection } from '../../src/testing/scripted-factory.js';
import { closeReasons, fateOf, fullPool, ruledPool } from './ruled-pool.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Collects garbage until this holds; a finalizer runs in a turn of its own. */
async function collectUntil(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 20 && !holds(); turn++) {
    collectGarbage();
    await nextTurn();
  }
}

/** What the channel tells while this runs. */
async function leaksToldDuring(work: () => Promise<unknown>): Promise<unknown[]> {
  const told: unknown[] = [];
  const note = (event: unknown): unknown => told.push(event);
  subscribe('nestjs-connection-pool:leak', note);
  await work();
  unsubscribe('nestjs-connection-pool:leak', note);
  return told;
}

function forgetsHisLease(pool: ConnectionPool<ScriptedConnection>): void {
  pool.tryAcquire();
}

async function forgetsWhatHeWaitedFor(pool: ConnectionPool<ScriptedConnection>): Promise<void> {
  await pool.acquire();
}

function neverEnds(pool: ConnectionPool<ScriptedConnection>): void {
  void pool.use(() => new Promise(() => {}));
}

describe('leakDetection: a lease held for too long', () => {
  it('is not reported once its pool has closed it, and leaves no timer', async () => {
    const { clock, pool, lines } = await fullPool({ size: 2, leakDetection: 1_000 });
    await pool.acquire();
    await clock.advance(500);
    await pool.acquire();
    await clock.advance(499);
    clock.stall(1);
    const closed = pool.close({ timeout: 0 });
    await clock.advance(10_000);
    await closed;
    expect(lines.filter((line) => line.includes('leakDetection'))).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  it('is not reported while its pool is closing it', async () => {
    const { clock, pool, factory, lines } = await fullPool({ size: 1, leakDetection: 1_000 });
    factory.always('close', { after: 3_000 });
    await pool.acquire();
    const closed = pool.close({ timeout: 500 });
    await clock.advance(10_000);
    await closed;
    expect(lines.filter((line) => line.includes('leakDetection'))).toEqual([]);
  });

  it('is reported once, with its age and where it was taken', async () => {
    const { clock, pool, lines } = await fullPool({ size: 1, leakDetection: '5s' });
    const lease = await takesAndKeeps(pool);
    await clock.advance(4_999);
    expect(lines).toEqual([]);
    await clock.advance(1);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('Pool "scripted" a lease has been held for 5 s (leakDetection)');
    expect(lines[0]).toMatch(/it was taken\n {4}at .*\n/);
    expect(lines[0]).toContain('takesAndKeeps');
    expect(lines[0]).toContain('leaks.spec');
    await clock.advance(60_000);
    expect(lines).toHaveLength(1);

    // It is only a report: the lease is as good as ever.
    lease.release();
    expect(pool.stats()).toMatchObject({ idle: 1, leased: 0 });
  });

  it('is told in a channel', async () => {
    const { clock, pool } = await fullPool({ size: 1, leakDetection: '5s' });
    await takesAndKeeps(pool);
    const told = await leaksToldDuring(() => clock.advance(5_000));
    const origin = expect.stringMatching(/^ {4}at .*takesAndKeeps/m);
    expect(told).toEqual([{ pool: 'scripted', poolId: pool.id, heldFor: 5_000, origin, collected: false }]);
  });

  it('is not reported if it comes back in time, or is discarded', async () => {
    const { clock, pool, lines } = await fullPool({ size: 2, leakDetection: 5_000 });
    for (let round = 0; round < 5; round++) {
      const [one, two] = [pool.tryAcquire()!, pool.tryAcquire()!];
      await clock.advance(4_900);
      one.release();
      two.discard();
      await clock.settle();
    }
    await clock.advance(60_000);
    expect(lines.filter((line) => line.includes('lease'))).toEqual([]);
  });

  it('is reported for whoever holds it too long among many, each at his time', async () => {
    const { clock, pool, lines } = await fullPool({ size: 3, leakDetection: 5_000 });
    pool.tryAcquire();
    await clock.advance(1_000);
    const second = pool.tryAcquire()!;
    await clock.advance(1_000);
    pool.tryAcquire();
    await clock.advance(3_000);
    expect(lines).toHaveLength(1);
    second.release();
    await clock.advance(1_999);
    expect(lines).toHaveLength(1);
    await clock.advance(1);
    expect(lines).toHaveLength(2);
  });

  it.each([
    ['acquire, at once', async (pool: ConnectionPool<ScriptedConnection>) => void (await takesByAcquire(pool))],
    ['use, at once', (pool: ConnectionPool<ScriptedConnection>) => takesByUse(pool)],
  ])('says where the caller of %s stands', async (_name, take) => {
    const { clock, pool, lines } = await fullPool({ size: 1, leakDetection: 5_000 });
    void take(pool);
    await clock.advance(5_000);
    expect(lines[0]).toMatch(/takesBy(Acquire|Use)/);
  });

  it('says where the caller stands who had to wait, and counts his age from when he was served', async () => {
    const { clock, pool, lines } = ruledPool(
      { size: 2, leakDetection: 5_000 },
      { prepare: (factory) => factory.always('connect', { after: 3_000 }) },
    );
    void takesByAcquire(pool);
    void takesByUse(pool);
    await clock.advance(3_000 + 4_999);
    expect(lines).toEqual([]);
    await clock.advance(1);
    expect(lines).toHaveLength(2);
    expect(lines[0]).toContain('takesByAcquire');
    expect(lines[1]).toContain('takesByUse');
    expect(lines[1]).toContain('held for 5 s');
  });

  it('is a warning of the process where there is no logger', async () => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    try {
      const { clock, pool } = await fullPool({ size: 1, leakDetection: 5_000, logger: undefined });
      pool.tryAcquire();
      await clock.advance(5_000);
      expect(emitWarning.mock.calls).toEqual([
        [expect.stringContaining('a lease has been held for 5 s'), 'ConnectionPoolWarning'],
      ]);
    } finally {
      emitWarning.mockRestore();
    }
  });

  it('is not looked for, nor any stack taken, unless asked for', async () => {
    const { clock, pool, lines } = await fullPool({ size: 1 });
    const capture = jest.spyOn(Error, 'captureStackTrace');
    try {
      pool.tryAcquire();
      void pool.acquire();
      expect(capture).not.toHaveBeenCalled();
    } finally {
      capture.mockRestore();
    }
    await clock.advance(20_000);
    expect(lines).toEqual([]);
  });

  it('leaves no timer behind when the pool has been closed over it', async () => {
    const { clock, pool, lines } = await fullPool({ size: 1, leakDetection: 50_000 });
    const lease = pool.tryAcquire()!;
    await pool.close({ timeout: 0 });
    expect(clock.pending).toBe(0);
    await clock.advance(100_000);
    lease.release();
    expect(lines).toEqual([
      'Pool "scripted" closes a connection that is still leased: not returned within 0 ms of close()',
    ]);
  });
});

describe('leakDetection: a lease that was garbage-collected', () => {
  it('is reported, and its connection closed and replaced, never lent again', async () => {
    const { clock, pool, factory, lines } = await fullPool({ size: 1, leakDetection: 60_000 });
    forgetsHisLease(pool);
    await clock.advance(2_000);
    await collectUntil(() => factory.closed.length > 0);
    await clock.settle();

    expect(closeReasons(factory)).toEqual(['broken']);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('a lease was garbage-collected after 2 s without having been released');
    expect(lines[0]).toContain('forgetsHisLease');
    expect(pool.stats()).toMatchObject({ idle: 1, leased: 0, totals: { connected: 2 } });
    expect(pool.tryAcquire()!.connection).toBe(factory.opened[1]);
  });

  it('is told in a channel', async () => {
    const { clock, pool } = await fullPool({ size: 1, leakDetection: 60_000 });
    forgetsHisLease(pool);
    await clock.advance(2_000);
    const told = await leaksToldDuring(() => collectUntil(() => pool.stats().leased === 0));
    const origin = expect.stringContaining('forgetsHisLease');
    expect(told).toEqual([{ pool: 'scripted', poolId: pool.id, heldFor: 2_000, origin, collected: true }]);
  });

  it('is not reported a second time as held for too long', async () => {
    const { clock, pool, factory, lines } = await fullPool({ size: 1, leakDetection: 60_000 });
    forgetsHisLease(pool);
    await collectUntil(() => factory.closed.length > 0);
    await clock.advance(120_000);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('garbage-collected');
  });

  it('is found though it had been reported before', async () => {
    const { clock, pool, factory, lines } = await fullPool({ size: 1, leakDetection: 1_000 });
    forgetsHisLease(pool);
    await clock.advance(1_000);
    await collectUntil(() => factory.closed.length > 0);
    expect(lines).toHaveLength(2);
    expect(pool.stats().totals.closed.broken).toBe(1);
  });

  it('is found also if its caller was the next whose time would have been up', async () => {
    const { clock, pool, factory } = await fullPool({ size: 1, leakDetection: 60_000, acquireTimeout: 1_000 });
    const first = pool.tryAcquire()!;
    const late = fateOf(pool.acquire());
    await clock.advance(500);
    const forgetful = fateOf(forgetsWhatHeWaitedFor(pool));
    const next = fateOf(pool.acquire({ timeout: Infinity }));
    await clock.advance(500);
    expect(late.state).toBe('rejected');
    first.release();
    await clock.settle();
    expect(forgetful.state).toBe('fulfilled');
    await collectUntil(() => factory.closed.length > 0);
    await clock.settle();
    expect(next.state).toBe('fulfilled');
  });

  it('is found after its caller had waited, too, and serves the one who waits behind', async () => {
    const { clock, pool, factory, lines } = await fullPool({ size: 1, leakDetection: 60_000 });
    const first = pool.tryAcquire()!;
    const forgetful = fateOf(forgetsWhatHeWaitedFor(pool));
    const next = fateOf(pool.acquire());
    first.release();
    await clock.settle();
    expect(forgetful.state).toBe('fulfilled');
    expect(next.state).toBe('pending');
    await collectUntil(() => factory.closed.length > 0);
    await clock.settle();
    expect(lines[0]).toContain('forgetsWhatHeWaitedFor');
    expect(next.value!.connection).toBe(factory.opened[1]);
  });

  it('is found where the work of use() can never end', async () => {
    const { clock, pool, factory, lines } = await fullPool({ size: 1, leakDetection: 60_000 });
    neverEnds(pool);
    await collectUntil(() => factory.closed.length > 0);
    await clock.settle();
    expect(lines[0]).toContain('neverEnds');
    expect(pool.stats()).toMatchObject({ idle: 1, leased: 0 });
  });

  it('is no break: siblings are left alone, and no connect has failed', async () => {
    const { clock, pool, factory, pings } = await fullPool(
      { size: 3, leakDetection: 60_000 },
      { hooks: ['keepalive'] },
    );
    forgetsHisLease(pool);
    await collectUntil(() => factory.closed.length > 0);
    await clock.settle();
    expect(pings).toHaveLength(0);
    expect(pool.stats().totals.connectFailures).toBe(0);
  });

  it('means nothing once the connection was closed over it', async () => {
    const { clock, pool, factory, lines } = await fullPool({ size: 1, leakDetection: 60_000 });
    forgetsHisLease(pool);
    await pool.close({ timeout: 0 });
    const collected = somethingCollected();
    await collectUntil(collected);
    await clock.settle();
    expect(closeReasons(factory)).toEqual(['shutdown']);
    expect(lines.filter((line) => line.includes('garbage-collected'))).toEqual([]);
  });

  it('lets a lease that was released be forgotten in peace', async () => {
    const { pool, factory, lines } = await fullPool({ size: 1, leakDetection: 60_000 });
    releasesHisLease(pool);
    await collectUntil(somethingCollected());
    expect(factory.closed).toEqual([]);
    expect(lines).toEqual([]);
  });

  it('is not looked for unless asked for', async () => {
    const { pool, factory } = await fullPool({ size: 1 });
    forgetsHisLease(pool);
    await collectUntil(somethingCollected());
    expect(factory.closed).toEqual([]);
    expect(pool.stats().leased).toBe(1);
  });
});

function takesAndKeeps(pool: ConnectionPool<ScriptedConnection>): Promise<{ release(): void }> {
  return Promise.resolve(pool.tryAcquire()!);
}

async function takesByAcquire(pool: ConnectionPool<ScriptedConnection>): Promise<unknown> {
  return pool.acquire();
}

async function takesByUse(pool: ConnectionPool<ScriptedConnection>): Promise<unknown> {
  return pool.use(() => new Promise(() => {}));
}

function releasesHisLease(pool: ConnectionPool<ScriptedConnection>): void {
  pool.tryAcquire()!.release();
}

/** Tells when something that became garbage only now has been collected, and its finalizers with it. */
function somethingCollected(): () => boolean {
  let turns = 0;
  let collected = false;
  const registry = new FinalizationRegistry(() => (collected = true));
  registry.register({}, undefined);
  // The registry itself must not be garbage, or it would never call back.
  return () => registry instanceof FinalizationRegistry && collected && ++turns > 2;
}
