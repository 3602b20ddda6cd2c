import { describe, expect, it } from '@jest/globals';
import { ConnectionError } from '../../src/pool/connection-error.js';
import type { HookContext } from '../../src/pool/connection-factory.js';
import { closeReasons, fateOf, fullPool } from './ruled-pool.js';

const HOOKS = { hooks: ['reset', 'isUsable', 'keepalive'] } as const;

describe('P15: reset', () => {
  it('runs after each lease, before the connection is idle', async () => {
    const { clock, pool, factory, resets } = await fullPool({ size: 1 }, HOOKS);
    factory.always('reset', { after: 100 });
    for (let round = 1; round <= 3; round++) {
      const lease = pool.tryAcquire()!;
      expect(resets).toHaveLength(round - 1);
      lease.release();
      expect(resets).toHaveLength(round);
      expect(pool.stats()).toMatchObject({ idle: 0, checking: 1, leased: 0 });
      expect(pool.tryAcquire()).toBeUndefined();
      await clock.advance(100);
      expect(pool.stats()).toMatchObject({ idle: 1, checking: 0 });
    }
  });

  it('runs before the next borrower gets the connection, also if he waits already', async () => {
    const { clock, pool, factory } = await fullPool({ size: 1 }, HOOKS);
    factory.always('reset', { after: 100 });
    const first = pool.tryAcquire()!;
    const fate = fateOf(pool.acquire());
    first.release();
    await clock.advance(99);
    expect(fate.state).toBe('pending');
    await clock.advance(1);
    expect(fate.value!.connection).toBe(factory.opened[0]);
  });

  it('runs after work that failed with an error of its own too', async () => {
    const { pool, resets } = await fullPool({ size: 1 }, HOOKS);
    await expect(pool.use(() => Promise.reject(new Error('no such user')))).rejects.toThrow('no such user');
    expect(resets).toHaveLength(1);
  });

  it('does not run after a connect or a ping', async () => {
    const { clock, pool, resets } = await fullPool({ size: 2, keepalive: 5_000 }, HOOKS);
    await clock.advance(50_000);
    expect(pool.stats().totals.pings).toBeGreaterThan(10);
    expect(resets).toHaveLength(0);
  });

  it('is no ping, and counts as none', async () => {
    const { clock, pool } = await fullPool({ size: 1 }, HOOKS);
    pool.tryAcquire()!.release();
    await clock.settle();
    expect(pool.stats().totals.pings).toBe(0);
  });

  it('serves whoever has waited longest when it ends, not when it began', async () => {
    const { clock, pool, factory } = await fullPool({ size: 1 }, HOOKS);
    factory.always('reset', { after: 100 });
    const first = pool.tryAcquire()!;
    const controller = new AbortController();
    const gone = fateOf(pool.acquire({ signal: controller.signal }));
    const next = fateOf(pool.acquire());
    first.release();
    controller.abort(new Error('left'));
    await clock.advance(100);
    expect(gone.state).toBe('rejected');
    expect(next.state).toBe('fulfilled');
  });
});

describe('P15: reset of a connection that is to be closed anyway', () => {
  const cases: Record<string, Parameters<typeof ending>[0]> = {
    'that is broken': ({ lease }) => lease.release(new ConnectionError('gone')),
    'that is discarded': ({ lease }) => lease.discard(),
    'whose work was aborted': ({ lease }) => lease.release(new DOMException('aborted', 'AbortError')),
    'that died on loan': ({ lease, ruled }) => {
      ruled.factory.opened[0]!.die();
      lease.release();
    },
    'that is no longer usable': ({ lease }) => {
      lease.connection.usable = false;
      lease.release();
    },
    'that was recycled': ({ lease, ruled }) => {
      ruled.pool.recycle();
      lease.release();
    },
    'that is one too many after a resize': ({ lease, ruled }) => {
      ruled.pool.tryAcquire();
      ruled.pool.resize(1);
      lease.release();
    },
    'of a pool that closes': ({ lease, ruled }) => {
      void ruled.pool.close();
      lease.release();
    },
  };

  async function ending(
    end: (given: {
      ruled: Awaited<ReturnType<typeof fullPool>>;
      lease: NonNullable<ReturnType<Awaited<ReturnType<typeof fullPool>>['pool']['tryAcquire']>>;
    }) => void,
  ): Promise<Awaited<ReturnType<typeof fullPool>>> {
    const ruled = await fullPool({ size: 2 }, HOOKS);
    const lease = ruled.pool.tryAcquire()!;
    expect(lease.connection).toBe(ruled.factory.opened[0]);
    end({ ruled, lease });
    await ruled.clock.settle();
    return ruled;
  }

  it.each(Object.entries(cases))('does not run: one %s', async (_name, end) => {
    const { resets, factory } = await ending(end);
    expect(resets).toHaveLength(0);
    expect(factory.opened[0]!.closedFor).toHaveLength(1);
  });

  it('does not run after the last of maxUses, nor of a connection that has outlived maxLifetime', async () => {
    const worn = await fullPool({ size: 1, maxUses: 2 }, HOOKS);
    worn.pool.tryAcquire()!.release();
    await worn.clock.settle();
    worn.pool.tryAcquire()!.release();
    await worn.clock.settle();
    expect(worn.resets).toHaveLength(1);
    expect(closeReasons(worn.factory)).toEqual(['expired']);

    const old = await fullPool({ size: 1, maxLifetime: 10_000 }, HOOKS);
    const lease = old.pool.tryAcquire()!;
    await old.clock.advance(10_000);
    lease.release();
    await old.clock.settle();
    expect(old.resets).toHaveLength(0);
    expect(closeReasons(old.factory)).toEqual(['expired']);
  });
});

describe('P15: a reset that goes wrong', () => {
  it.each([
    ['rejects', { fail: new Error('no') }],
    ['throws before it returns a promise', { throw: new Error('no') }],
    ['rejects with undefined', { fail: undefined }],
  ] as const)(
    'discards the connection as broken if it %s, and serves the caller with another',
    async (_name, behaviour) => {
      const { clock, pool, factory } = await fullPool({ size: 1 }, HOOKS);
      factory.next('reset', behaviour);
      const lease = pool.tryAcquire()!;
      const fate = fateOf(pool.acquire());
      lease.release();
      await clock.settle();
      expect(closeReasons(factory)).toEqual(['broken']);
      expect(fate.value!.connection).toBe(factory.opened[1]);
      // The connection had held; this is no failed connect.
      expect(pool.stats()).toMatchObject({ downSince: undefined, totals: { connectFailures: 0 } });
    },
  );

  it('discards it after resetTimeout if it hangs, with its signal aborted', async () => {
    const { clock, pool, factory, resets, lines } = await fullPool({ size: 1, resetTimeout: 700 }, HOOKS);
    factory.next('reset', { after: 900 });
    pool.tryAcquire()!.release();
    await clock.advance(699);
    expect(pool.stats()).toMatchObject({ checking: 1 });
    expect(resets[0]!.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(resets[0]!.signal.reason).toBeInstanceOf(ConnectionError);
    expect(closeReasons(factory)).toEqual(['broken']);
    await clock.advance(200);
    expect(pool.stats()).toMatchObject({ idle: 1, open: 1, totals: { connected: 2 } });
    expect(lines.join('\n')).toContain('reset() did not finish within 700 ms (resetTimeout)');
  });

  it('is given up if the connection dies meanwhile, and closes it once', async () => {
    const { clock, pool, factory, resets } = await fullPool({ size: 1 }, HOOKS);
    factory.next('reset', { after: 500 });
    pool.tryAcquire()!.release();
    factory.opened[0]!.die(new Error('reset by peer'));
    expect(resets[0]!.signal.aborted).toBe(true);
    await clock.advance(500);
    expect(factory.opened[0]!.closedFor).toEqual(['broken']);
    expect(pool.stats()).toMatchObject({ idle: 1, open: 1 });
  });

  it('does not keep a connection that was recycled, has expired or became unusable meanwhile', async () => {
    const { clock, pool, factory } = await fullPool(
      { size: 1, maxLifetime: 60_000 },
      { ...HOOKS, clock: { random: () => 0 } },
    );
    factory.always('reset', { after: 500 });
    pool.tryAcquire()!.release();
    pool.recycle();
    await clock.advance(500);
    expect(closeReasons(factory)).toEqual(['recycled']);

    await clock.advance(59_400);
    pool.tryAcquire()!.release();
    await clock.advance(500);
    await clock.advance(500);
    expect(closeReasons(factory)).toEqual(['recycled', 'expired']);

    pool.tryAcquire()!.release();
    factory.opened[2]!.usable = false;
    const fate = fateOf(pool.acquire());
    await clock.advance(500);
    expect(closeReasons(factory)).toEqual(['recycled', 'expired', 'broken']);
    expect(fate.value!.connection).toBe(factory.opened[3]);
  });

  it('is given up when the pool shrinks to less than has room for it, at its end', async () => {
    const { clock, pool, factory } = await fullPool({ size: 2 }, HOOKS);
    factory.always('reset', { after: 500 });
    pool.tryAcquire();
    pool.tryAcquire()!.release();
    pool.resize(1);
    await clock.advance(500);
    expect(closeReasons(factory)).toEqual(['surplus']);
    expect(pool.stats()).toMatchObject({ leased: 1, open: 1 });
  });
});

describe('P15: without a reset hook', () => {
  it('gives a connection back synchronously', async () => {
    const { pool } = await fullPool({ size: 1 });
    pool.tryAcquire()!.release();
    expect(pool.stats()).toMatchObject({ idle: 1, checking: 0 });
  });
});

describe('P15: a reset that has nothing to undo', () => {
  /** A pool whose resets do this. */
  async function pooled(reset: (connection: object, context: HookContext) => void | Promise<void>) {
    const { clock, pool, factory } = await fullPool({ size: 1 }, HOOKS);
    factory.reset = reset;
    return { clock, pool };
  }

  it('and returns nothing, is over at once: the connection is idle, or the next caller’s, when release() returns', async () => {
    const { clock, pool } = await pooled(() => undefined);
    const lease = pool.tryAcquire()!;
    lease.release();
    expect(pool.stats()).toMatchObject({ idle: 1, checking: 0 });
    const second = pool.tryAcquire()!;
    const fate = fateOf(pool.acquire());
    second.release();
    expect(pool.stats()).toMatchObject({ leased: 1, waiting: 0 });
    await clock.settle();
    expect(fate.state).toBe('fulfilled');
  });

  it('may look at its signal when it is over, and finds it aborted', async () => {
    let late!: HookContext;
    const { pool } = await pooled((_, context) => {
      late = context;
    });
    pool.tryAcquire()!.release();
    expect(late.signal.aborted).toBe(true);
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { closed: { broken: 0 } } });
  });

  it('may have looked at its signal, which nobody aborts', async () => {
    let aborted: boolean | undefined;
    const { clock, pool } = await pooled((_, { signal }) => {
      aborted = signal.aborted;
    });
    pool.tryAcquire()!.release();
    expect([aborted, pool.stats().idle]).toEqual([false, 1]);
    await clock.advance(60_000);
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { closed: { broken: 0 } } });
  });

  it.each([
    ['returns nothing', () => undefined],
    ['returns a promise', () => Promise.resolve()],
    ['returns a promise that rejects', () => Promise.reject(new Error('closed'))],
  ])('and closes the pool before it %s, leaves it closed', async (_, answer) => {
    const { clock, pool } = await pooled((_connection, { signal }) => {
      void pool.close();
      void signal;
      return answer();
    });
    pool.tryAcquire()!.release();
    await clock.advance(60_000);
    expect(pool.stats()).toMatchObject({ open: 0, totals: { connected: 1, closed: { broken: 0, shutdown: 1 } } });
  });

  it('and throws, costs the connection', async () => {
    const { clock, pool } = await pooled(() => {
      throw new Error('cannot be undone');
    });
    pool.tryAcquire()!.release();
    await clock.settle();
    expect(pool.stats().totals.closed.broken).toBe(1);
  });
});
