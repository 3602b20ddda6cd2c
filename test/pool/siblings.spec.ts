import { describe, expect, it } from '@jest/globals';
import { ConnectionError, isConnectionError } from '../../src/pool/connection-error.js';
import { closeReasons, fateOf, fullPool, ruledPool, type RuledPool, type RuledPoolOptions } from './ruled-pool.js';

/** The ways in which a connection breaks, each of them on the first connection of a pool of three or more. */
const BREAKS: Record<string, (ruled: RuledPool) => Promise<void> | void> = {
  'a connection error of the work': async ({ pool }) => {
    await expect(
      pool.use(() => {
        throw new ConnectionError('gone');
      }),
    ).rejects.toThrow('gone');
  },
  'a connection error given to release()': ({ pool }) => {
    pool.tryAcquire()!.release(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
  },
  'an error given to discard()': ({ pool }) => pool.tryAcquire()!.discard(new Error('protocol out of step')),
  'a death of an idle one, told by watch': ({ factory }) => factory.opened[0]!.die(),
  'a death of a leased one, told by watch': ({ factory, pool }) => {
    const lease = pool.tryAcquire()!;
    expect(lease.connection).toBe(factory.opened[0]);
    lease.connection.die(new Error('ECONNRESET'));
  },
};

/** What costs a connection without saying anything of the others. */
const MISHAPS: Record<string, (ruled: RuledPool) => Promise<void> | void> = {
  'an AbortError': ({ pool }) => pool.tryAcquire()!.release(new DOMException('aborted', 'AbortError')),
  'a TimeoutError': ({ pool }) => pool.tryAcquire()!.release(new DOMException('late', 'TimeoutError')),
  'a failure while the signal is aborted': async ({ pool }) => {
    const controller = new AbortController();
    await expect(
      pool.use(
        () => {
          controller.abort();
          throw new ConnectionError('cut off by ourselves');
        },
        { signal: controller.signal },
      ),
    ).rejects.toThrow('cut off');
  },
  'discard() without an error': ({ pool }) => pool.tryAcquire()!.discard(),
  'isUsable() that is false at borrow': ({ pool, factory }) => {
    factory.opened[0]!.usable = false;
    pool.tryAcquire()!.release();
  },
  'isUsable() that throws at return': ({ pool }) => {
    const lease = pool.tryAcquire()!;
    lease.connection.usable = new Error('no idea');
    lease.release();
  },
  'a reset that fails': async ({ pool, factory, clock }) => {
    factory.next('reset', { fail: new Error('cannot reset') });
    pool.tryAcquire()!.release();
    await clock.settle();
  },
  'a reset that hangs': async ({ pool, factory, clock }) => {
    factory.next('reset', 'hang');
    pool.tryAcquire()!.release();
    await clock.advance(5_000);
  },
};

const ALL_HOOKS = { hooks: ['keepalive', 'reset', 'isUsable'] } as const;

function withoutWatch(ruled: { factory: RuledPool['factory'] }): void {
  ruled.factory.watch = () => () => {};
}

describe("P14: after a break, siblingsOnBreak 'check'", () => {
  it.each(Object.entries(BREAKS))('pings all idle siblings at once, side by side: %s', async (_name, breakIt) => {
    const ruled = await fullPool({ size: 4 }, ALL_HOOKS);
    ruled.factory.always('keepalive', { after: 100 });
    await breakIt(ruled);
    expect(ruled.pings.map(({ connection }) => connection.id).toSorted((a, b) => a - b)).toEqual([2, 3, 4]);
    expect(ruled.pool.stats()).toMatchObject({ checking: 3 });
    await ruled.clock.advance(100);
    expect(ruled.pool.stats()).toMatchObject({ checking: 0 });
    expect(ruled.pings).toHaveLength(3);
    expect(closeReasons(ruled.factory).filter((reason) => reason !== 'broken')).toEqual([]);
  });

  it('does so after a ping that failed, and after one that hung', async () => {
    for (const behaviour of [{ fail: new Error('gone') }, 'hang'] as const) {
      const { clock, pool, pings, factory } = await fullPool(
        { size: 3, keepalive: 10_000, keepaliveTimeout: 500 },
        { hooks: ['keepalive'], clock: { random: rising() } },
      );
      factory.next('keepalive', behaviour).always('keepalive', { after: 100 });
      while (pings.length === 0) await clock.advance(1);
      await clock.advance(behaviour === 'hang' ? 500 : 0);
      expect(pings).toHaveLength(3);
      expect(pool.stats()).toMatchObject({ checking: 2 });
      await clock.advance(100);
      expect(pool.stats()).toMatchObject({ checking: 0, idle: 3 });
      expect(closeReasons(factory)).toEqual(['broken']);
    }
  });

  it('lends none of them before its ping has passed', async () => {
    const { clock, pool, factory } = await fullPool({ size: 2 }, { hooks: ['keepalive'] });
    factory.always('keepalive', { after: 300 }).always('connect', 'hang');
    factory.opened[0]!.die();
    expect(pool.tryAcquire()).toBeUndefined();
    const fate = fateOf(pool.acquire());
    await clock.advance(299);
    expect(fate.state).toBe('pending');
    await clock.advance(1);
    expect(fate.value!.connection).toBe(factory.opened[1]);
  });

  it('closes as broken those whose ping fails, and replaces all', async () => {
    const { clock, pool, factory } = await fullPool({ size: 4 }, { hooks: ['keepalive'] });
    factory.next('keepalive', { fail: new Error('gone') }, 'succeed', { throw: new Error('gone') });
    factory.opened[0]!.die();
    await clock.settle();
    expect(factory.closed.map(({ connection }) => connection.id).toSorted((a, b) => a - b)).toEqual([1, 2, 4]);
    expect(new Set(closeReasons(factory))).toEqual(new Set(['broken']));
    expect(pool.stats()).toMatchObject({ idle: 4, open: 4 });
  });

  it('finds a whole service dead in the time of one ping, not of many', async () => {
    const { clock, pool, factory } = await fullPool(
      { size: 10, maxConnecting: 10, keepaliveTimeout: 2_000 },
      { hooks: ['keepalive'] },
    );
    factory.next('keepalive', ...Array<'hang'>(9).fill('hang'));
    factory.opened[0]!.die(new Error('restart'));
    await clock.advance(2_000);
    expect(factory.closed).toHaveLength(10);
    expect(pool.stats()).toMatchObject({ idle: 10 });
  });

  it('leaves leased ones alone: their work will tell', async () => {
    const { pool, factory, pings, clock } = await fullPool({ size: 3 }, { hooks: ['keepalive'] });
    const held = pool.tryAcquire()!;
    factory.opened[1]!.die();
    await clock.settle();
    expect(pings.map(({ connection }) => connection.id)).toEqual([3]);
    held.release();
    expect(held).toBeDefined();
    expect(pool.stats()).toMatchObject({ idle: 3, totals: { pings: 1 } });
  });

  it('trusts those that are watched, where there is no ping', async () => {
    const { pool, factory, clock } = await fullPool({ size: 3 });
    pool.tryAcquire()!.discard(new Error('gone'));
    await clock.settle();
    expect(closeReasons(factory)).toEqual(['broken']);
    expect(pool.stats()).toMatchObject({ idle: 3 });
  });

  it('replaces those that are not watched, where there is no ping', async () => {
    const { pool, factory, clock } = await fullPool(
      { size: 3 },
      { prepare: (scripted) => withNothingToWatch(scripted) },
    );
    const [, second, third] = factory.opened;
    pool.tryAcquire()!.discard(new Error('gone'));
    await clock.settle();
    expect(closeReasons(factory)).toEqual(['broken', 'recycled', 'recycled']);
    expect(second!.closedFor).toEqual(['recycled']);
    expect(third!.closedFor).toEqual(['recycled']);
    expect(pool.stats()).toMatchObject({ idle: 3 });
  });

  it('trusts those that a watch of the factory watches, where there is no ping', async () => {
    const { pool, factory, clock } = await fullPool(
      { size: 3 },
      { prepare: (scripted) => withoutWatch({ factory: scripted }) },
    );
    pool.tryAcquire()!.discard(new Error('gone'));
    await clock.settle();
    expect(closeReasons(factory)).toEqual(['broken']);
  });

  it('tells of a leased one that dies at once, not when it comes back', async () => {
    const { pool, pings } = await fullPool({ size: 2 }, { hooks: ['keepalive'] });
    const lease = pool.tryAcquire()!;
    lease.connection.die();
    expect(pings).toHaveLength(1);
    lease.connection.die();
    lease.release(new ConnectionError('and the work fails'));
    expect(pings).toHaveLength(1);
  });
});

describe("P14: after a break, siblingsOnBreak 'recycle' and 'keep'", () => {
  it.each(Object.entries(BREAKS))("'recycle' replaces all idle siblings, pings or not: %s", async (_name, breakIt) => {
    const ruled = await fullPool({ size: 4, siblingsOnBreak: 'recycle' }, ALL_HOOKS);
    await breakIt(ruled);
    await ruled.clock.settle();
    expect(ruled.pings).toHaveLength(0);
    expect(ruled.factory.opened.slice(1, 4).map(({ closedFor }) => closedFor)).toEqual([
      ['recycled'],
      ['recycled'],
      ['recycled'],
    ]);
    const { idle, leased } = ruled.pool.stats();
    expect(idle + leased).toBe(4);
  });

  it.each(Object.entries(BREAKS))("'keep' leaves them as they are: %s", async (_name, breakIt) => {
    const ruled = await fullPool({ size: 4, siblingsOnBreak: 'keep' }, ALL_HOOKS);
    await breakIt(ruled);
    await ruled.clock.settle();
    expect(ruled.pings).toHaveLength(0);
    expect(ruled.factory.opened.slice(1, 4).map(({ closedFor }) => closedFor)).toEqual([[], [], []]);
  });
});

describe('P14: a break, and hooks that call the pool', () => {
  it("survives a close that recycles while siblings are being replaced ('recycle')", async () => {
    const { clock, pool, factory } = await fullPool({ size: 5, siblingsOnBreak: 'recycle' });
    const { close } = factory;
    factory.close = (connection, reason) => {
      if (reason === 'recycled') pool.recycle();
      return close.call(factory, connection, reason);
    };
    factory.opened[0]!.die();
    factory.close = close;
    await clock.settle();
    expect(factory.opened.slice(0, 5).map(({ closedFor }) => closedFor.length)).toEqual([1, 1, 1, 1, 1]);
    expect(pool.stats()).toMatchObject({ idle: 5 });
  });

  it('survives pings that ask for a connection while siblings are being pinged', async () => {
    const { clock, pool, factory } = await fullPool({ size: 5 }, { hooks: ['keepalive'] });
    const { keepalive } = factory;
    const fates: Array<ReturnType<typeof fateOf>> = [];
    factory.keepalive = (connection, context) => {
      if (fates.length < 6) fates.push(fateOf(pool.use(() => connection.id)));
      return keepalive!.call(factory, connection, context);
    };
    factory.opened[0]!.die();
    await clock.advance(1_000);
    expect(fates.length).toBeGreaterThanOrEqual(1);
    expect(new Set(fates.map(({ state }) => state))).toEqual(new Set(['fulfilled']));
    expect(pool.stats()).toMatchObject({ idle: 5, leased: 0, checking: 0, waiting: 0 });
  });
});

describe('P14: what is no break', () => {
  it.each(Object.entries(MISHAPS))(
    'closes its connection as broken and leaves the siblings alone: %s',
    async (_name, mishap) => {
      const ruled = await fullPool({ size: 3, siblingsOnBreak: 'recycle' }, ALL_HOOKS);
      await mishap(ruled);
      await ruled.clock.settle();
      expect(closeReasons(ruled.factory)).toEqual(['broken']);
      expect(ruled.factory.opened[0]!.closedFor).toEqual(['broken']);
      expect(ruled.pings).toHaveLength(0);
      expect(ruled.pool.stats()).toMatchObject({ idle: 3 });
    },
  );

  describe('a death that watch tells with an error that isAbandonment knows', () => {
    const gaveUp = new RangeError('given up');
    const knowsThem: RuledPoolOptions = {
      ...ALL_HOOKS,
      prepare: (factory) => Object.assign(factory, { isAbandonment: (error: unknown) => error === gaveUp }),
    };

    it('of an idle one: it is replaced at once, siblings are left alone, and nothing is logged', async () => {
      const { clock, factory, pool, pings, lines } = await fullPool({ size: 3 }, knowsThem);
      factory.opened[0]!.die(gaveUp);
      expect(factory.opened[0]!.closedFor).toEqual(['broken']);
      await clock.settle();
      expect(pings).toHaveLength(0);
      expect(lines).toEqual([]);
      expect(pool.stats()).toMatchObject({ idle: 3, totals: { connected: 4, closed: { broken: 1 } } });
      expect(isConnectionError(gaveUp)).toBe(false);
    });

    it('of a leased one: it is replaced when it comes back', async () => {
      const { clock, factory, pool, pings, lines } = await fullPool({ size: 3 }, knowsThem);
      const lease = pool.tryAcquire()!;
      lease.connection.die(gaveUp);
      expect(factory.closed).toEqual([]);
      lease.release();
      expect(closeReasons(factory)).toEqual(['broken']);
      await clock.settle();
      expect(pings).toHaveLength(0);
      expect(lines).toEqual([]);
      expect(pool.stats()).toMatchObject({ idle: 3 });
    });

    it.each([
      ['what the work fails with is its own', new Error('no such user'), false],
      ['a time-out of the work is one', new DOMException('late', 'TimeoutError'), false],
      ['a connection error of the work is one', new ConnectionError('closed'), true],
    ])('of a leased one: %s', async (_what, error, isBreak) => {
      const { pool } = await fullPool({ size: 1 }, knowsThem);
      const lease = pool.tryAcquire()!;
      lease.connection.die(gaveUp);
      lease.release(error);
      expect(isConnectionError(error)).toBe(isBreak);
      expect(pool.stats().totals.closed.broken).toBe(1);
    });

    it('in its first second: of an idle one it counts as a failed connect, of one that was lent it does not', async () => {
      const ruled = ruledPool({ size: 2, reconnect: { delay: 500, jitter: 'none' } }, knowsThem);
      await ruled.clock.run(ruled.pool.ready());
      const lease = ruled.pool.tryAcquire()!;
      lease.connection.die(gaveUp);
      lease.release();
      expect(ruled.pool.stats().totals.connectFailures).toBe(0);
      await ruled.clock.run(ruled.pool.ready());
      ruled.factory.opened[1]!.die(gaveUp);
      expect(ruled.pool.stats().totals.connectFailures).toBe(1);
      expect(ruled.lines).toEqual([
        expect.stringContaining('loses connections as soon as they are open, and goes on trying: given up'),
      ]);
    });

    it.each([
      ['well', undefined],
      ['with an error of its own', new Error('no such user')],
    ])('of a leased one whose work ends %s: that proves that connects hold, which ends an outage', async (_, error) => {
      const ruled = ruledPool({ size: 1, reconnect: { delay: 500, jitter: 'none' } }, knowsThem);
      ruled.factory.next('connect', { fail: new Error('refused') }, { fail: new Error('refused') });
      const times: number[] = [];
      for (let count = 0; count < 5; count++) {
        const lease = await ruled.clock.run(ruled.pool.acquire());
        times.push(ruled.clock.now());
        lease.connection.die(gaveUp);
        lease.release(error);
      }
      // Without a pause from then on.
      expect(new Set(times)).toEqual(new Set([1_500]));
      expect(ruled.lines).toEqual([
        expect.stringContaining('cannot connect'),
        expect.stringContaining('connects again'),
      ]);
      expect(ruled.pool.stats().totals).toMatchObject({ connectFailures: 2, closed: { broken: 5 } });
    });

    it('of a leased one, which ends an outage; and whoever is told of that closes the pool', async () => {
      const messages: string[] = [];
      const write = (message: string): void => {
        messages.push(message);
        if (message.includes('connects again')) void pool.close({ timeout: 0 });
      };
      const logger = { log: write, warn: write, error: write };
      const { clock, factory, pool } = ruledPool({ size: 1, logger }, knowsThem);
      factory.next('connect', { fail: new Error('refused') });
      const lease = await clock.run(pool.acquire());
      const { connection } = lease;
      connection.die(gaveUp);
      lease.release();
      expect(messages).toContainEqual(expect.stringContaining('connects again'));
      await clock.run(pool.close());
      expect(connection.closedFor).toHaveLength(1);
      expect(pool.stats()).toMatchObject({ open: 0, closing: 0 });
    });

    it('but a TimeoutError of which it knows nothing may be an outage', async () => {
      const { clock, factory, pings } = await fullPool({ size: 3 }, knowsThem);
      factory.opened[0]!.die(new DOMException('late', 'TimeoutError'));
      await clock.settle();
      expect(pings).toHaveLength(2);
    });
  });

  it('does not even cost the connection if the error is of the user', async () => {
    const ruled = await fullPool({ size: 3, siblingsOnBreak: 'recycle' }, ALL_HOOKS);
    ruled.pool.tryAcquire()!.release(new Error('no such user'));
    await ruled.clock.settle();
    expect(ruled.factory.closed).toEqual([]);
    expect(ruled.pings).toHaveLength(0);
  });
});

/** Connections that are no EventEmitters to the pool, so that nothing tells of their death. */
function withNothingToWatch(factory: RuledPool['factory']): void {
  const connect = factory.connect.bind(factory);
  factory.connect = async (context) => Object.assign(await connect(context), { on: undefined });
}

function rising(): () => number {
  let next = -0.3;
  return () => (next = (next + 0.3) % 1);
}
