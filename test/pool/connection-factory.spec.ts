import { describe, expect, jest, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { inspect } from 'node:util';
import { ConnectionError, isConnectionError } from '../../src/pool/connection-error.js';
import { ConnectionFactory, poolNameOf } from '../../src/pool/connection-factory.js';
import type { CloseReason, ConnectContext, HookContext } from '../../src/pool/connection-factory.js';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import { ConnectTimeoutError, KeepaliveTimeoutError, PoolClosedError } from '../../src/pool/errors.js';
import type { PoolLogger, PoolSettings } from '../../src/pool/settings.js';
import type { PoolStats } from '../../src/pool/stats.js';
import { ScriptedFactory, VirtualClock, type ScriptedConnection } from '../../src/testing/index.js';
import { unhandledDuring } from './rejections.js';

const SILENT: PoolLogger = { log: () => {}, error: () => {}, warn: () => {} };

/** The parts of a factory that a test is about; the rest does what it should. */
type Hooks<C> = Partial<Pick<ConnectionFactory<C>, keyof ConnectionFactory<C>>>;

function factoryOf<C>(
  connect: (context: ConnectContext) => C | Promise<C>,
  hooks: Hooks<C> = {},
): ConnectionFactory<C> {
  class TestFactory extends ConnectionFactory<C> {
    override connect(context: ConnectContext): C | Promise<C> {
      return connect(context);
    }
  }
  return Object.assign(new TestFactory(), hooks);
}

/** A pool of one connection on virtual time, unless the settings say otherwise. */
function poolOf<C>(
  factory: ConnectionFactory<C>,
  settings: PoolSettings = {},
): { pool: ConnectionPool<C>; clock: VirtualClock } {
  const clock = (settings.clock as VirtualClock | undefined) ?? new VirtualClock({ random: () => 0.5 });
  const pool = new ConnectionPool(factory, { name: 'test', size: 1, logger: SILENT, ...settings, clock });
  return { pool, clock };
}

function slots({ idle, leased, checking, connecting, closing }: PoolStats): number {
  return idle + leased + checking + connecting + closing;
}

function total(closed: PoolStats['totals']['closed']): number {
  return Object.values(closed).reduce((sum, count) => sum + count, 0);
}

/** Everything that the factory says went well, so that what a test changes is all there is to it. */
async function closedClean<C>(pool: ConnectionPool<C>, clock: VirtualClock): Promise<void> {
  const closed = pool.close();
  await clock.advance(60_000);
  await closed;
  const stats = pool.stats();
  expect(slots(stats)).toBe(0);
  expect(stats.waiting).toBe(0);
  expect(total(stats.totals.closed)).toBe(stats.totals.connected);
  expect(clock.pending).toBe(0);
}

describe('F1: what a connection may be', () => {
  test('an object that throws when asked for what it does not have is a connection', async () => {
    const shy = new Proxy(
      {},
      {
        get: (_, key) => {
          if (key === 'then') return undefined;
          throw new Error(`no ${String(key)}`);
        },
      },
    );
    const { pool, clock } = poolOf<object>(factoryOf<object>(() => shy, { close: () => {}, watch: () => () => {} }));
    expect((await pool.acquire()).connection === shy).toBe(true);
    await pool.close({ timeout: 0 });
    expect(clock.pending).toBe(0);
  });

  test('an object may come back once it is closed, and gets its error listener once', async () => {
    const client = new EventEmitter();
    const { pool, clock } = poolOf<EventEmitter>(factoryOf<EventEmitter>(() => client));
    for (let lease = 0; lease < 5; lease++) {
      (await pool.acquire()).discard();
      await clock.advance(2_000);
    }
    await pool.close();
    expect(pool.stats().totals.connected).toBeGreaterThanOrEqual(5);
    expect(client.listenerCount('error')).toBe(1);
  });

  test('an object may not come back while it is still being closed', async () => {
    const destroy = jest.fn();
    const client = { destroy };
    const close = jest.fn(() => new Promise<void>(() => {}));
    const factory = factoryOf<object>(() => client, { close });
    const { pool, clock } = poolOf<object>(factory, { closeTimeout: 1_000, reconnect: { jitter: 'none' } });
    (await pool.acquire()).discard();
    await clock.advance(900);
    expect(pool.stats()).toMatchObject({ open: 0, downSince: 0 });
    await clock.advance(5_000);
    expect(destroy).toHaveBeenCalledTimes(1);
    expect(pool.stats()).toMatchObject({ open: 1 });
  });

  test('one that is told dead while it is asked whether it is usable is not lent', async () => {
    let tell: ((error?: unknown) => void) | undefined;
    let connects = 0;
    const factory = factoryOf<object>(() => ({ number: ++connects }), {
      watch: (_, broken) => {
        tell ??= broken;
        return () => {};
      },
      isUsable: () => {
        tell?.(new Error('dead'));
        tell = () => {};
        return true;
      },
    });
    const { pool, clock } = poolOf<object>(factory);
    await pool.ready();
    await clock.advance(2_000);
    const lease = pool.acquire();
    await clock.advance(100);
    expect((await lease).connection).toEqual({ number: 2 });
    expect(pool.stats().totals).toMatchObject({ connectFailures: 0, closed: { broken: 1 } });
  });

  test.each([0, '', false, 'a table handle', Symbol('s'), 7n, () => 'a client'])(
    '%p is a connection',
    async (value) => {
      const { pool, clock } = poolOf<unknown>(factoryOf<unknown>(() => value));
      expect(await pool.use((connection) => connection)).toBe(value);
      await closedClean(pool, clock);
    },
  );

  test('a primitive may be yielded by several connects, for it is no object that the pool holds', async () => {
    const { pool, clock } = poolOf(
      factoryOf(() => 'orders'),
      { size: 3 },
    );
    await pool.ready();
    expect(pool.stats()).toMatchObject({ idle: 3, lastConnectError: undefined });
    await closedClean(pool, clock);
  });

  test.each([null, undefined])('connect() that yields %p has failed, with an error that says so', async (nothing) => {
    const { pool, clock } = poolOf(factoryOf<unknown>(() => nothing));
    pool.start();
    await clock.settle();
    const { lastConnectError, totals, open, downSince } = pool.stats();
    expect(lastConnectError).toBeInstanceOf(ConnectionError);
    expect((lastConnectError as Error).message).toBe(
      `Pool "test": connect() yielded ${String(nothing)}; it must yield the connection, or throw`,
    );
    expect({ open, downSince, failures: totals.connectFailures, connected: totals.connected }).toEqual({
      open: 0,
      downSince: 0,
      failures: 1,
      connected: 0,
    });
    await closedClean(pool, clock);
  });

  test('connect() that yields an object which this pool holds has failed, and the object stays whose it was', async () => {
    const close = jest.fn<(connection: object, reason: CloseReason) => void>();
    const shared = { id: 'shared' };
    const fresh = { id: 'fresh' };
    const yields = [shared, shared, fresh];
    const { pool, clock } = poolOf(
      factoryOf<object>(() => yields.shift()!, { close }),
      { size: 2 },
    );
    const ready = pool.ready();
    await clock.settle();
    expect(pool.stats()).toMatchObject({ open: 1, totals: { connected: 1, connectFailures: 1 } });
    expect((pool.stats().lastConnectError as Error).message).toContain('an object that this pool already holds');
    await clock.advance(1_000);
    await ready;
    expect(pool.stats().open).toBe(2);
    expect(close).not.toHaveBeenCalled();
    await closedClean(pool, clock);
    expect(close.mock.calls).toEqual([
      [shared, 'shutdown'],
      [fresh, 'shutdown'],
    ]);
  });

  test('two pools may hold the same object', async () => {
    const shared = {};
    const first = poolOf(factoryOf(() => shared));
    const second = poolOf(factoryOf(() => shared));
    await Promise.all([first.pool.ready(), second.pool.ready()]);
    expect(second.pool.stats().open).toBe(1);
    await closedClean(first.pool, first.clock);
    await closedClean(second.pool, second.clock);
  });

  test('an object may come again once the pool has closed it', async () => {
    const client = {};
    const { pool, clock } = poolOf(factoryOf(() => client));
    await pool.ready();
    pool.recycle();
    await clock.settle();
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { connected: 2, connectFailures: 0 } });
    await closedClean(pool, clock);
  });

  test('an object that arrives late, while the pool holds it, is left alone', async () => {
    const close = jest.fn<() => void>();
    const client = {};
    let late: ((connection: object) => void) | undefined;
    const connect = (): object | Promise<object> => {
      if (late !== undefined) return client;
      return new Promise<object>((resolve) => (late = resolve));
    };
    const { pool, clock } = poolOf(factoryOf<object>(connect, { close }), { connectTimeout: 100 });
    const ready = pool.ready();
    await clock.advance(1_000);
    await ready;
    late!(client);
    await clock.settle();
    expect(close).not.toHaveBeenCalled();
    expect(await pool.use((connection) => connection)).toBe(client);
    await closedClean(pool, clock);
  });

  test('the same object, yielded late by two connects, is closed once', async () => {
    const close = jest.fn<() => Promise<void>>(() => new Promise(() => {}));
    const client = {};
    const pending: Array<(connection: object) => void> = [];
    const { pool, clock } = poolOf(
      factoryOf<object>(() => new Promise((resolve) => pending.push(resolve)), { close }),
      { size: 2, connectTimeout: 100, reconnect: { delay: '1h', maxDelay: '1h' } },
    );
    pool.start();
    await clock.advance(200);
    for (const resolve of pending) resolve(client);
    await clock.settle();
    expect(close).toHaveBeenCalledTimes(1);
    await closedClean(pool, clock);
  });
});

describe('F2: watching', () => {
  const watched = (): {
    factory: ConnectionFactory<object>;
    tell: Array<(error?: unknown) => void>;
    stop: jest.Mock;
  } => {
    const tell: Array<(error?: unknown) => void> = [];
    const stop = jest.fn();
    const watch = (_connection: object, broken: (error?: unknown) => void): (() => void) => {
      tell.push(broken);
      return () => stop(tell.indexOf(broken));
    };
    return { factory: factoryOf<object>(() => ({}), { watch }), tell, stop };
  };

  test('watch is called once after connect and stopped once at close, never per lease', async () => {
    const { factory, tell, stop } = watched();
    const { pool, clock } = poolOf(factory);
    for (let lease = 0; lease < 5; lease++) await pool.use(() => {});
    expect(tell).toHaveLength(1);
    expect(stop).not.toHaveBeenCalled();
    await closedClean(pool, clock);
    expect(stop.mock.calls).toEqual([[0]]);
  });

  test('an idle connection that watch tells dead is replaced at once', async () => {
    const { factory, tell, stop } = watched();
    const { pool, clock } = poolOf(factory);
    await pool.ready();
    await clock.advance(1_000);
    tell[0]!(new Error('gone'));
    expect(pool.stats()).toMatchObject({ idle: 0, connecting: 1, totals: { closed: { broken: 1 } } });
    await clock.settle();
    expect(pool.stats().idle).toBe(1);
    expect(stop.mock.calls).toEqual([[0]]);
    await closedClean(pool, clock);
  });

  test('a leased connection that watch tells dead is discarded on return, however the work went', async () => {
    const { factory, tell } = watched();
    const { pool, clock } = poolOf(factory);
    const lease = await pool.acquire();
    const { connection } = lease;
    tell[0]!();
    tell[0]!();
    expect(lease.connection).toBe(connection);
    expect(pool.stats()).toMatchObject({ leased: 1, totals: { closed: { broken: 0 } } });
    lease.release();
    expect(pool.stats().totals.closed.broken).toBe(1);
    await clock.advance(1_000);
    expect(await pool.use((next) => next)).not.toBe(connection);
    await closedClean(pool, clock);
  });

  test('a word of death that comes twice, or after the close, changes nothing', async () => {
    const { factory, tell, stop } = watched();
    const { pool, clock } = poolOf(factory);
    await pool.ready();
    await clock.advance(2_000);
    tell[0]!();
    tell[0]!();
    await clock.settle();
    tell[0]!();
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { connected: 2, closed: { broken: 1 } } });
    expect(stop).toHaveBeenCalledTimes(1);
    await closedClean(pool, clock);
  });

  test('a connection that watch tells dead at once counts as a failed connect, and its watch is stopped', async () => {
    const stop = jest.fn<() => void>();
    const dead = new Error('born dead');
    const factory = factoryOf<object>(() => ({}), {
      watch: (_connection, broken) => {
        broken(dead);
        return stop;
      },
    });
    const { pool, clock } = poolOf(factory);
    pool.start();
    await clock.settle();
    expect(pool.stats()).toMatchObject({
      open: 0,
      lastConnectError: dead,
      totals: { connected: 1, connectFailures: 1 },
    });
    expect(stop).toHaveBeenCalledTimes(1);
    await closedClean(pool, clock);
  });

  test('watch that throws makes the connection a dead one, closed as broken', async () => {
    const close = jest.fn<() => void>();
    const fault = new Error('cannot watch');
    const factory = factoryOf<object>(() => ({}), {
      close,
      watch: () => {
        throw fault;
      },
    });
    const { pool, clock } = poolOf(factory);
    pool.start();
    await clock.settle();
    expect(pool.stats()).toMatchObject({ open: 0, lastConnectError: fault });
    expect(close).toHaveBeenCalledTimes(1);
    expect(close.mock.calls).toEqual([[expect.anything(), 'broken']]);
    await closedClean(pool, clock);
  });

  test('a stop-watching that throws costs nothing', async () => {
    const factory = factoryOf<object>(() => ({}), {
      watch: () => () => {
        throw new Error('stop failed');
      },
    });
    const { pool, clock } = poolOf(factory);
    await pool.ready();
    pool.recycle();
    await clock.settle();
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { closed: { recycled: 1 } } });
    await closedClean(pool, clock);
  });

  test.each(['close', 'end', 'error'])("without watch, an EventEmitter's '%s' means death", async (event) => {
    const factory = new ScriptedFactory();
    const { pool, clock } = poolOf(factory);
    await pool.ready();
    await clock.advance(1_000);
    factory.opened[0]!.emit(event, new Error('told'));
    expect(factory.closed).toEqual([{ connection: factory.opened[0], reason: 'broken' }]);
    await clock.settle();
    expect(pool.stats().idle).toBe(1);
    await closedClean(pool, clock);
  });

  test.each(['close', 'end', 'error'])(
    "a leased EventEmitter that emits '%s' is discarded on return",
    async (event) => {
      const factory = new ScriptedFactory();
      const { pool, clock } = poolOf(factory);
      await pool.use((connection) => void connection.emit(event));
      expect(factory.closed).toEqual([{ connection: factory.opened[0], reason: 'broken' }]);
      await closedClean(pool, clock);
    },
  );

  test('an EventEmitter whose factory has watch is watched by that alone', async () => {
    const factory = Object.assign(new ScriptedFactory(), { watch: () => () => {} });
    const { pool, clock } = poolOf(factory);
    await pool.ready();
    factory.opened[0]!.die(new Error('means something else here'));
    expect(pool.stats().idle).toBe(1);
    expect(factory.closed).toEqual([]);
    await closedClean(pool, clock);
  });

  test('after its close only the listener that makes late errors harmless is left on a connection', async () => {
    const factory = new ScriptedFactory();
    const { pool, clock } = poolOf(factory);
    await pool.ready();
    const connection = factory.opened[0]!;
    expect(connection.eventNames()).toEqual(['error', 'end', 'close']);
    await closedClean(pool, clock);
    expect(connection.eventNames()).toEqual(['error']);
    expect(connection.listenerCount('error')).toBe(1);
    expect(() => connection.emit('error', new Error('late'))).not.toThrow();
  });

  test("a connection that arrives too late may emit 'error' after its close", async () => {
    const factory = new ScriptedFactory();
    const clock = new VirtualClock();
    Object.assign(factory, { clock });
    factory.next('connect', { after: 500 });
    const { pool } = poolOf(factory, { clock, connectTimeout: 100 });
    pool.start();
    await clock.advance(600);
    const late = factory.opened.find((connection) => connection.closedFor.includes('surplus'));
    expect(late!.emit('error', new Error('late'))).toBe(true);
    await closedClean(pool, clock);
  });
});

describe('F3: being usable', () => {
  const streams = (): { factory: ConnectionFactory<PassThrough>; opened: PassThrough[] } => {
    const opened: PassThrough[] = [];
    const factory = factoryOf<PassThrough>(
      () => {
        const stream = new PassThrough();
        opened.push(stream);
        return stream;
      },
      // What is asked here is isUsable alone.
      { watch: () => () => {} },
    );
    return { factory, opened };
  };

  test.each<[string, (stream: PassThrough) => void]>([
    ['destroyed', (stream) => void stream.destroy()],
    ['no longer writable', (stream) => void stream.end()],
    ['holding bytes that arrived while it was idle', (stream) => void stream.write('250 surprise')],
  ])('an idle stream that is %s is never lent', async (_what, spoil) => {
    const { factory, opened } = streams();
    const { pool, clock } = poolOf(factory);
    await pool.ready();
    await clock.advance(1_000);
    spoil(opened[0]!);
    expect(pool.tryAcquire()).toBeUndefined();
    expect(await pool.use((stream) => stream)).toBe(opened[1]);
    expect(pool.stats().totals.closed.broken).toBe(1);
    await closedClean(pool, clock);
  });

  test('a stream that can no longer be read is never lent', async () => {
    const { factory, opened } = streams();
    const { pool, clock } = poolOf(factory);
    await pool.ready();
    await clock.advance(1_000);
    opened[0]!.push(null);
    opened[0]!.read();
    await clock.settle();
    expect(opened[0]!.readable).toBe(false);
    expect(pool.tryAcquire()).toBeUndefined();
    await closedClean(pool, clock);
  });

  test('bytes that lay unread when the stream became idle do not count', async () => {
    const { factory, opened } = streams();
    const { pool, clock } = poolOf(factory);
    await pool.use((stream) => void stream.write('trailing'));
    expect(await pool.use((stream) => stream)).toBe(opened[0]);
    await closedClean(pool, clock);
  });

  test('bytes that arrived while it was idle count after a ping as before', async () => {
    const { factory, opened } = streams();
    factory.keepalive = () => {};
    const { pool, clock } = poolOf(factory, { keepalive: '30s' });
    await pool.ready();
    opened[0]!.write('surprise');
    await clock.advance(30_000);
    expect(pool.stats().totals.pings).toBe(1);
    expect(await pool.use((stream) => stream)).toBe(opened[1]);
    await closedClean(pool, clock);
  });

  test('unread bytes of a stream that comes back from a lease are no reason to close it', async () => {
    const { factory, opened } = streams();
    const { pool, clock } = poolOf(factory);
    await pool.use((stream) => void stream.write('one'));
    await pool.use((stream) => void stream.write('two'));
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { closed: { broken: 0 } } });
    expect(opened).toHaveLength(1);
    await closedClean(pool, clock);
  });

  test('a stream that is dead when it is returned is closed as broken', async () => {
    const { factory } = streams();
    const { pool, clock } = poolOf(factory);
    await pool.use((stream) => void stream.destroy());
    expect(pool.stats().totals.closed.broken).toBe(1);
    await closedClean(pool, clock);
  });

  test('isUsable is asked at every borrow and at every return, and takes the place of what streams say', async () => {
    const { factory, opened } = streams();
    const isUsable = jest.fn(() => true);
    factory.isUsable = isUsable;
    const { pool, clock } = poolOf(factory);
    await pool.ready();
    isUsable.mockClear();
    opened[0]!.destroy();
    await pool.use(() => {});
    expect(isUsable).toHaveBeenCalledTimes(2);
    await closedClean(pool, clock);
  });

  test.each([false, undefined, new Error('isUsable failed')])(
    'a connection whose isUsable says %p is neither lent nor kept',
    async (answer) => {
      const factory = new ScriptedFactory({ hooks: ['isUsable'] });
      const { pool, clock } = poolOf(factory);
      await pool.ready();
      await clock.advance(1_000);
      factory.opened[0]!.usable = answer;
      expect(await pool.use((connection) => connection.id)).toBe(2);
      factory.opened[1]!.usable = answer;
      await pool.use((connection) => void (connection.usable = answer));
      expect(factory.closed.map(({ reason }) => reason)).toContain('broken');
      await closedClean(pool, clock);
    },
  );
});

describe('F4: closing', () => {
  type Scenario = (
    pool: ConnectionPool<ScriptedConnection>,
    clock: VirtualClock,
    factory: ScriptedFactory,
  ) => Promise<void>;
  const SCENARIOS: Record<CloseReason, [PoolSettings, Scenario]> = {
    broken: [{}, (pool) => pool.acquire().then((lease) => lease.discard())],
    expired: [{ maxUses: 1 }, (pool) => pool.use(() => {})],
    idle: [
      { size: { min: 0, max: 1 }, idleTimeout: 100 },
      (pool, clock) => pool.use(() => {}).then(() => clock.advance(200)),
    ],
    recycled: [{}, async (pool) => pool.recycle()],
    surplus: [{ size: 2 }, async (pool) => pool.resize(1)],
    shutdown: [{}, (pool) => pool.close()],
  };

  test.each(Object.keys(SCENARIOS) as CloseReason[])('close is told %p', async (reason) => {
    const [settings, scenario] = SCENARIOS[reason];
    const clock = new VirtualClock();
    const factory = new ScriptedFactory({ clock });
    const { pool } = poolOf(factory, { ...settings, clock });
    if (reason !== 'idle') await pool.ready();
    await scenario(pool, clock, factory);
    expect(factory.closed[0]).toEqual({ connection: factory.closed[0]!.connection, reason });
    expect(pool.stats().totals.closed[reason]).toBe(1);
    await closedClean(pool, clock);
  });

  test('a broken connection is cut off without a wait: its slot is free before its close is over', async () => {
    const factory = new ScriptedFactory().next('close', 'hang');
    const { pool, clock } = poolOf(factory);
    const lease = await pool.acquire();
    lease.discard();
    expect(pool.stats()).toMatchObject({ closing: 0, connecting: 1 });
    await closedClean(pool, clock);
  });

  test('a connection that parts politely keeps its slot until it has parted', async () => {
    const clock = new VirtualClock();
    const factory = new ScriptedFactory({ clock }).next('close', { after: 300 });
    const { pool } = poolOf(factory, { clock });
    await pool.ready();
    pool.recycle();
    await clock.advance(299);
    expect(pool.stats()).toMatchObject({ closing: 1, connecting: 0, idle: 0 });
    await clock.advance(1);
    expect(pool.stats()).toMatchObject({ closing: 0, idle: 1 });
    await closedClean(pool, clock);
  });

  test('after closeTimeout the slot is free, and destroy is called if there is one', async () => {
    const destroy = jest.fn();
    const warn = jest.fn();
    const factory = factoryOf<object>(() => ({ destroy }), { close: () => new Promise(() => {}) });
    const { pool, clock } = poolOf(factory, { logger: { ...SILENT, warn }, closeTimeout: '2s' });
    await pool.ready();
    pool.recycle();
    await clock.advance(1_999);
    expect(destroy).not.toHaveBeenCalled();
    expect(pool.stats().closing).toBe(1);
    await clock.advance(1);
    expect(destroy).toHaveBeenCalledTimes(1);
    expect(pool.stats()).toMatchObject({ closing: 0, idle: 1 });
    expect(warn).toHaveBeenCalledWith(
      'Pool "test" closing a connection (recycled) took longer than closeTimeout; it was destroyed',
      'ConnectionPool',
    );
    await closedClean(pool, clock);
  });

  test('a close that fails may have left the connection open, so destroy is called', async () => {
    const destroy = jest.fn();
    const warn = jest.fn();
    const factory = factoryOf<object>(() => ({ destroy }), { close: () => Promise.reject(new Error('no answer')) });
    const { pool, clock } = poolOf(factory, { logger: { ...SILENT, warn } });
    await pool.ready();
    pool.recycle();
    await clock.settle();
    expect(destroy).toHaveBeenCalledTimes(1);
    expect(warn).not.toHaveBeenCalled();
    await closedClean(pool, clock);
  });

  test('a connection without destroy that does not part is abandoned, and the log says so', async () => {
    const warn = jest.fn();
    const factory = factoryOf<object>(() => ({}), { close: () => new Promise(() => {}) });
    const { pool, clock } = poolOf(factory, { logger: { ...SILENT, warn } });
    await pool.ready();
    pool.recycle();
    await clock.advance(5_000);
    expect(pool.stats().idle).toBe(1);
    expect(warn.mock.calls[0]![0]).toContain('it has no destroy(), and was abandoned');
    await closedClean(pool, clock);
  });

  test.each<[string, PropertyDescriptor]>([
    [
      'throws',
      {
        value: () => {
          throw new Error('destroy failed');
        },
      },
    ],
    ['rejects', { value: () => Promise.reject(new Error('destroy failed')) }],
  ])('a destroy that %s as the last resort costs no slot', async (_what, destroy) => {
    const factory = factoryOf<object>(() => Object.defineProperty({}, 'destroy', destroy), {
      close: () => new Promise(() => {}),
    });
    const { pool, clock } = poolOf(factory);
    const unhandled = await unhandledDuring(async () => {
      await pool.ready();
      pool.recycle();
      await clock.advance(5_000);
      expect(pool.stats()).toMatchObject({ closing: 0, idle: 1 });
      await closedClean(pool, clock);
    });
    expect(unhandled).toEqual([]);
  });

  test('a factory that knows how to destroy its connections is asked instead', async () => {
    const [own, ofFactory] = [jest.fn(), jest.fn()];
    const connection = { destroy: own };
    const factory = factoryOf<object>(() => connection, { close: () => new Promise(() => {}), destroy: ofFactory });
    const { pool, clock } = poolOf(factory);
    await pool.ready();
    const closing = pool.close();
    await clock.advance(5_000);
    await closing;
    expect(ofFactory.mock.calls).toEqual([[connection]]);
    expect(own).not.toHaveBeenCalled();
  });

  test.each<[string, () => void]>([
    [
      'throws',
      () => {
        throw new Error('destroy failed');
      },
    ],
    ['rejects', () => Promise.reject(new Error('destroy failed'))],
  ])('a factory whose destroy %s costs no slot either', async (_what, destroy) => {
    const factory = factoryOf<object>(() => ({}), { close: () => Promise.reject(new Error('no')), destroy });
    const { pool, clock } = poolOf(factory);
    const unhandled = await unhandledDuring(async () => {
      await pool.ready();
      pool.recycle();
      await clock.settle();
      expect(pool.stats()).toMatchObject({ closing: 0, idle: 1 });
      await closedClean(pool, clock);
    });
    expect(unhandled).toEqual([]);
  });
});

// What the hooks do ------------------------------------------------------------------------------------------------------

/** How a hook misbehaves. */
const MISDEEDS: Record<string, (clock: VirtualClock) => unknown> = {
  'throws synchronously': () => {
    throw new Error('misdeed');
  },
  'throws undefined': () => {
    // What nobody should throw, and somebody does.
    throw undefined;
  },
  'throws an object without a prototype': () => {
    throw Object.create(null);
  },
  'throws an error that cannot be looked at': () => {
    throw new Proxy(new Error('hidden'), {
      get: () => {
        throw new Error('hands off');
      },
    });
  },
  'throws errors that contain each other': () => {
    const [one, other] = [new AggregateError([]), new AggregateError([])];
    one.errors.push(other);
    other.errors.push(one);
    throw one;
  },
  rejects: () => Promise.reject(new Error('misdeed')),
  hangs: () => new Promise(() => {}),
  'rejects after its time-out': (clock) =>
    new Promise((_, reject) => clock.setTimeout(() => reject(new Error('late')), 20_000)),
  'resolves after its time-out': (clock) => new Promise((resolve) => clock.setTimeout(() => resolve({}), 20_000)),
};

const HOOKS = [
  'connect',
  'close',
  'keepalive',
  'isUsable',
  'reset',
  'watch',
  'stopWatching',
  'isConnectionError',
] as const;
type Hook = (typeof HOOKS)[number];

/** A factory that has every hook; `before` runs in each before it does what it should. */
class EveryHookFactory extends ConnectionFactory<EventEmitter> {
  readonly opened: EventEmitter[] = [];
  readonly closed: EventEmitter[] = [];
  watches = 0;
  before: (hook: Hook, connection: EventEmitter | undefined) => unknown = () => undefined;

  override connect(_context: ConnectContext): Promise<EventEmitter> | EventEmitter {
    return this.first('connect', undefined, () => {
      const connection = new EventEmitter();
      this.opened.push(connection);
      return connection;
    });
  }

  override close(connection: EventEmitter): void | Promise<void> {
    this.closed.push(connection);
    return this.first('close', connection, () => {});
  }

  override keepalive(connection: EventEmitter, _context: HookContext): void | Promise<void> {
    return this.first('keepalive', connection, () => {});
  }

  override isUsable(connection: EventEmitter): boolean {
    return this.first<boolean>('isUsable', connection, () => true);
  }

  override reset(connection: EventEmitter, _context: HookContext): void | Promise<void> {
    return this.first('reset', connection, () => {});
  }

  override watch(connection: EventEmitter, _broken: (error?: unknown) => void): () => void {
    this.watches++;
    return this.first<() => void>('watch', connection, () => () => {
      this.watches--;
      return this.first('stopWatching', connection, () => {});
    });
  }

  override isConnectionError(_error: unknown): boolean {
    return this.first<boolean>('isConnectionError', undefined, () => false);
  }

  /** Where the misdeed yields nothing, the hook goes on as it should. */
  private first<T>(hook: Hook, connection: EventEmitter | undefined, then: () => T): T {
    const outcome = this.before(hook, connection);
    return outcome === undefined ? then() : (outcome as T);
  }
}

/** Uses all that calls hooks: leases that succeed and fail, pings, resets, discards. */
async function everyday(
  pool: ConnectionPool<EventEmitter>,
  clock: VirtualClock,
): Promise<PromiseSettledResult<unknown>[]> {
  const callers: Array<Promise<unknown>> = [];
  for (let round = 0; round < 4; round++) {
    callers.push(
      pool.use(() => 'done'),
      pool.use(() => Promise.reject(new Error("the work's own"))),
      pool.use(() => Promise.reject(new Error("the work's own"))),
      pool.use(() => Promise.reject(new ConnectionError('broken'))),
      pool.acquire().then((lease) => lease.discard()),
    );
    for (const caller of callers) caller.catch(() => {});
    await clock.advance(3_000);
    pool.recycle();
    await clock.advance(30_000);
  }
  await clock.advance(120_000);
  return Promise.allSettled(callers);
}

const BUSY: PoolSettings = {
  size: 3,
  keepalive: '2s',
  connectTimeout: '10s',
  acquireTimeout: '60s',
  reconnect: { delay: 10, maxDelay: 50 },
};

/** The work's own errors, and those of the pool that say why there was no connection. */
function expectSettledWell(results: PromiseSettledResult<unknown>[]): void {
  for (const result of results) {
    if (result.status === 'fulfilled') continue;
    const { name, message } = result.reason as Error;
    expect(message).not.toContain('bug:');
    expect(['Error', 'ConnectionError', 'AcquireTimeoutError', 'PoolClosedError']).toContain(name);
    if (name === 'Error') expect(message).toBe("the work's own");
  }
}

/** A hook with an `async` too many. */
const REJECTING = (): never => Promise.reject(new Error('async')) as never;

describe('F5: whatever a hook does', () => {
  test('the listener of these tests does see a rejection that nobody handles', async () => {
    const lost = new Error('nobody looks');
    expect(await unhandledDuring(() => void Promise.reject(lost))).toEqual([lost]);
  });

  describe.each(HOOKS)('%s', (hook) => {
    test.each(Object.keys(MISDEEDS))('that %s, at every other call, loses no slot and no caller', async (misdeed) => {
      const clock = new VirtualClock();
      const factory = new EveryHookFactory();
      const { pool } = poolOf(factory, { ...BUSY, clock });
      let calls = 0;
      factory.before = (called) => (called === hook && ++calls % 2 === 0 ? MISDEEDS[misdeed]!(clock) : undefined);
      const unhandled = await unhandledDuring(async () => {
        expectSettledWell(await everyday(pool, clock));
        expect(calls).toBeGreaterThan(3);
        expect(slots(pool.stats())).toBeLessThanOrEqual(3);
        factory.before = () => undefined;
        await clock.advance(60_000);
        // Whole again once its hooks are.
        expect(pool.stats()).toMatchObject({ idle: 3, leased: 0, checking: 0, connecting: 0, closing: 0, waiting: 0 });
        await closedClean(pool, clock);
      });
      expect(unhandled).toEqual([]);
      for (const connection of factory.opened) {
        expect(factory.closed.filter((closed) => closed === connection)).toHaveLength(1);
      }
    });
  });

  describe.each(HOOKS)('%s that calls the pool', (hook) => {
    type Deed = (pool: ConnectionPool<EventEmitter>) => unknown;
    const DEEDS: Record<string, Deed> = {
      stats: (pool) => pool.stats(),
      start: (pool) => pool.start(),
      tryAcquire: (pool) => pool.tryAcquire()?.release(),
      'acquire and release': (pool) =>
        void pool.acquire({ timeout: 500 }).then(
          (lease) => lease.release(),
          () => {},
        ),
      'acquire and discard': (pool) =>
        void pool.acquire({ timeout: 500 }).then(
          (lease) => lease.discard(),
          () => {},
        ),
      use: (pool) =>
        void pool.use(() => Promise.reject(new ConnectionError('in a hook')), { timeout: 500 }).catch(() => {}),
      'ready, unawaited': (pool) => void pool.ready().catch(() => {}),
      recycle: (pool) => pool.recycle(),
      'resize to less and back': (pool) => {
        pool.resize(1);
        pool.resize(3);
      },
      'resize to elastic and back': (pool) => {
        pool.resize({ min: 0, max: 2 });
        pool.resize(3);
      },
    };

    test.each(Object.keys(DEEDS))('%s', async (deed) => {
      const clock = new VirtualClock();
      const factory = new EveryHookFactory();
      const { pool } = poolOf(factory, { ...BUSY, clock });
      let calls = 0;
      let deeds = 0;
      let depth = 0;
      let most = 0;
      const unhandled = await unhandledDuring(async () => {
        factory.before = (called) => {
          // Noted and not asserted: what a hook throws, the pool keeps to itself.
          most = Math.max(most, slots(pool.stats()));
          // Not every time, nor from within itself, nor for ever, so that a day comes to an end.
          if (called !== hook || depth > 0 || deeds === 10 || calls++ % 3 !== 1) return undefined;
          depth++;
          deeds++;
          DEEDS[deed]!(pool);
          depth--;
          return undefined;
        };
        expectSettledWell(await everyday(pool, clock));
        expect(deeds).toBeGreaterThan(0);
        expect(most).toBe(3);
        factory.before = () => undefined;
        await clock.advance(60_000);
        expect(pool.stats()).toMatchObject({ idle: 3, leased: 0, checking: 0, connecting: 0, closing: 0, waiting: 0 });
        await closedClean(pool, clock);
      });
      expect(unhandled).toEqual([]);
      expect(factory.watches).toBe(0);
      for (const connection of factory.opened) {
        expect(factory.closed.filter((closed) => closed === connection)).toHaveLength(1);
      }
    });

    const ENDS: Record<string, Deed> = {
      close: (pool) => void pool.close(),
      'close at once': (pool) => void pool.close({ timeout: 0 }),
      'resize to one, then close': (pool) => {
        pool.resize(1);
        void pool.close();
      },
      'close at once, then everything else': (pool) => {
        void pool.close({ timeout: 0 });
        pool.resize(1);
        pool.resize(3);
        pool.recycle();
        pool.start();
        void pool.close({ timeout: '1s' });
        void pool.acquire().catch(() => {});
      },
    };
    const moments = Object.keys(ENDS).flatMap((end) => [1, 2, 3, 4, 5, 7].map((nth) => [end, nth] as const));

    test.each(moments)('%s, in its call %i', async (end, nth) => {
      const clock = new VirtualClock();
      const factory = new EveryHookFactory();
      const { pool } = poolOf(factory, { ...BUSY, clock });
      let calls = 0;
      let ended = false;
      let pendingAtEnd: number | undefined;
      const unhandled = await unhandledDuring(async () => {
        factory.before = (called) => {
          if (called === hook && ++calls === nth) {
            ended = true;
            // What is said of timers holds from the moment at which close() resolves.
            void pool
              .close({ timeout: '1h' })
              .then(() => clock.settle())
              .then(() => (pendingAtEnd = clock.pending));
            ENDS[end]!(pool);
          }
          return undefined;
        };
        expectSettledWell(await everyday(pool, clock));
        expect(ended).toBe(true);
        expect(pendingAtEnd).toBe(0);
        expect(clock.pending).toBe(0);
        await closedClean(pool, clock);
        await expect(pool.acquire()).rejects.toThrow(PoolClosedError);
      });
      expect(unhandled).toEqual([]);
      expect(factory.watches).toBe(0);
      for (const connection of factory.opened) {
        expect(factory.closed.filter((closed) => closed === connection)).toHaveLength(1);
      }
    });
  });

  test('a connect that closes the pool while a caller waits for it leaves no timer, and the caller is told', async () => {
    const clock = new VirtualClock();
    const factory = new EveryHookFactory();
    const { pool } = poolOf(factory, { ...BUSY, clock });
    factory.before = (hook) => {
      if (hook === 'connect') void pool.close({ timeout: 0 });
      return undefined;
    };
    await expect(pool.acquire()).rejects.toThrow(PoolClosedError);
    await clock.settle();
    expect(clock.pending).toBe(0);
    expect(factory.closed).toEqual(factory.opened);
  });

  test('a connect that calls close() from its abort listener is given up once', async () => {
    const clock = new VirtualClock();
    const aborts: unknown[] = [];
    const factory = factoryOf<object>(
      ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            aborts.push(signal.reason);
            void pool.close({ timeout: 0 });
            reject(signal.reason as Error);
          });
        }),
    );
    const { pool } = poolOf(factory, { clock, size: 3 });
    const unhandled = await unhandledDuring(async () => {
      pool.start();
      pool.resize(1);
      await clock.settle();
      await closedClean(pool, clock);
    });
    expect(unhandled).toEqual([]);
    expect(aborts).toHaveLength(3);
  });

  test('connects that fail at once, for ever, leave room for everything else', async () => {
    const factory = new ScriptedFactory().always('connect', { throw: new Error('refused') });
    const { pool, clock } = poolOf(factory, { reconnect: { delay: 0, jitter: 'none' } });
    pool.start();
    await clock.advance(100);
    expect(factory.calls.connect).toBeLessThanOrEqual(101);
    expect(factory.calls.connect).toBeGreaterThan(50);
    await closedClean(pool, clock);
  });

  test('a connection whose own on() throws is a dead one, and is closed', async () => {
    const close = jest.fn<() => void>();
    const odd = (): object => ({
      on: () => {
        throw new Error('on failed');
      },
      emit: () => {},
      removeListener: () => {},
    });
    const { pool, clock } = poolOf(factoryOf<object>(odd, { close }), { reconnect: { delay: '1h', maxDelay: '1h' } });
    const unhandled = await unhandledDuring(async () => {
      pool.start();
      await clock.settle();
      expect(pool.stats()).toMatchObject({ connecting: 0, open: 0, totals: { connected: 1, connectFailures: 1 } });
      expect(close).toHaveBeenCalledTimes(1);
      await closedClean(pool, clock);
    });
    expect(unhandled).toEqual([]);
  });

  test('a connection that throws whatever is asked of it costs no slot, in time or late', async () => {
    const hostile = (): object =>
      new Proxy(
        {},
        {
          get: (_, key) => {
            if (key === 'then') return undefined;
            throw new Error('hostile');
          },
        },
      );
    const clock = new VirtualClock();
    const factory = factoryOf<object>(
      () =>
        new Promise((resolve) =>
          clock.setTimeout(() => resolve(hostile()), pool.stats().totals.connectFailures === 0 ? 50 : 5_000),
        ),
    );
    const { pool } = poolOf(factory, { clock, connectTimeout: 1_000 });
    const unhandled = await unhandledDuring(async () => {
      pool.start();
      await clock.advance(60_000);
      expect(slots(pool.stats())).toBeLessThanOrEqual(1);
      await closedClean(pool, clock);
    });
    expect(unhandled).toEqual([]);
  });

  test('a connect that settles after the pool has closed has its connection closed', async () => {
    const clock = new VirtualClock();
    const factory = new ScriptedFactory({ clock }).always('connect', { after: 3_000 });
    const { pool } = poolOf(factory, { clock, size: 2 });
    pool.start();
    await pool.close();
    expect(factory.connectContexts.map(({ signal }) => signal.aborted)).toEqual([true, true]);
    await clock.advance(3_000);
    expect(factory.closed.map(({ reason }) => reason)).toEqual(['surplus', 'surplus']);
    expect(factory.live).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('each hook that times out has its signal aborted with an error that says so', async () => {
    const clock = new VirtualClock();
    const reasons: Record<string, unknown> = {};
    const hang = (name: string, { signal }: { signal: AbortSignal }): Promise<never> => {
      signal.addEventListener('abort', () => (reasons[name] = signal.reason));
      return new Promise(() => {});
    };
    let connects = 0;
    let pings = 0;
    const factory = factoryOf<object>((context) => (connects++ === 0 ? hang('connect', context) : {}), {
      // The first ping proves that the service is back after the connect that hung.
      keepalive: (_, context) => (pings++ === 0 ? undefined : hang('keepalive', context)),
      reset: (_, context) => hang('reset', context),
    });
    const { pool } = poolOf(factory, { clock, keepalive: '30s' });
    const ready = pool.ready();
    await clock.advance(11_000);
    await ready;
    expect(reasons['connect']).toBeInstanceOf(ConnectTimeoutError);
    await pool.use(() => {});
    await clock.advance(5_000);
    expect(reasons['reset']).toBeInstanceOf(ConnectionError);
    expect((reasons['reset'] as Error).message).toBe('Pool "test": reset() did not finish within 5 s (resetTimeout)');
    await clock.advance(40_000);
    expect(reasons['keepalive']).toBeInstanceOf(KeepaliveTimeoutError);
    await closedClean(pool, clock);
  });

  test.each<[string, Hooks<object>]>([
    ['isUsable', { isUsable: REJECTING }],
    ['isConnectionError', { isConnectionError: REJECTING }],
    ['watch', { watch: REJECTING }],
    ['stop-watching', { watch: () => REJECTING }],
  ])('%s that should be synchronous, and rejects, does not reach unhandledRejection', async (_what, hooks) => {
    const { pool, clock } = poolOf(
      factoryOf<object>(() => ({}), hooks),
      { reconnect: { delay: '1h', maxDelay: '1h' } },
    );
    const unhandled = await unhandledDuring(async () => {
      await pool.use(() => Promise.reject(new Error("the work's own")), { timeout: 0 }).catch(() => {});
      await clock.settle();
      await pool.use(() => Promise.reject(new Error("the work's own")), { timeout: 0 }).catch(() => {});
      await clock.settle();
      await closedClean(pool, clock);
    });
    expect(unhandled).toEqual([]);
  });

  test('a connection error that only the factory knows becomes one for everybody', async () => {
    class Bye extends Error {}
    const factory = Object.assign(new ScriptedFactory(), {
      isConnectionError: (error: unknown) => error instanceof Bye,
    });
    const { pool, clock } = poolOf(factory);
    const bye = new Bye('421');
    expect(isConnectionError(bye)).toBe(false);
    await expect(pool.use(() => Promise.reject(bye))).rejects.toBe(bye);
    expect(isConnectionError(bye)).toBe(true);
    expect(factory.closed.map(({ reason }) => reason)).toEqual(['broken']);
    await closedClean(pool, clock);
  });
});

describe("the pool's name", () => {
  test.each<[string, { name: string; poolName?: string }, string | undefined]>([
    ['poolName', { name: 'MailConnectionFactory', poolName: 'post' }, 'post'],
    ['the class without ConnectionFactory', { name: 'MailConnectionFactory' }, 'mail'],
    ['the class without Factory', { name: 'ImapClientFactory' }, 'imapClient'],
    ['the class as it is', { name: 'SMTP' }, 'sMTP'],
    ['nothing of a class called Factory', { name: 'Factory' }, undefined],
    ['nothing of a class called ConnectionFactory', { name: 'ConnectionFactory' }, undefined],
    ['nothing of a class without a name', { name: '' }, undefined],
    ['what is before the suffix alone', { name: 'FactoryFloor' }, 'factoryFloor'],
  ])('is %s', (_what, factory, name) => {
    expect(poolNameOf(factory)).toBe(name);
  });
});

describe('What a hook is told', () => {
  test('may be handed on with something added: a copy has all of it, the signal too', async () => {
    const copies: Array<Partial<ConnectContext>> = [];
    const copy = (context: HookContext): Promise<void> => {
      copies.push({ ...context });
      return new Promise(() => {});
    };
    const connect = (context: ConnectContext): object => {
      copies.push({ ...context });
      return {};
    };
    const hooks: Hooks<object> = {
      keepalive: (_, context) => copy(context),
      reset: (_, context) => copy(context),
    };
    const { pool, clock } = poolOf<object>(factoryOf<object>(connect, hooks), { size: 2, keepalive: 2_000 });
    const lease = await pool.acquire();
    await clock.advance(2_000);
    lease.release();
    await pool.close();
    const signal = expect.any(AbortSignal);
    expect(copies).toMatchObject([
      { pool: 'test', attempt: 1, signal },
      { pool: 'test', signal },
      { signal },
      { signal },
    ]);
    expect(copies.map((each) => each.signal!.aborted)).toEqual([false, false, true, true]);
  });

  test('is nothing but that, for whoever compares it or prints it', async () => {
    const contexts: object[] = [];
    const note = (context: object): void => void contexts.push(context);
    const hooks: Hooks<object> = { keepalive: (_, context) => note(context), reset: (_, context) => note(context) };
    const connect = (context: ConnectContext): object => {
      note(context);
      return {};
    };
    const { pool, clock } = poolOf<object>(factoryOf<object>(connect, hooks), { keepalive: 2_000 });
    await pool.use(() => {});
    await clock.advance(2_000);
    await pool.close();
    const signal = expect.any(AbortSignal);
    expect(contexts).toEqual([{ pool: 'test', attempt: 1, signal }, { signal }, { signal }]);
    expect(inspect(contexts[0])).toBe("{ pool: 'test', attempt: 1, signal: [Getter] }");
  });

  test('may stand behind something of the factory’s own', async () => {
    const seen: boolean[] = [];
    const connect = (context: ConnectContext): object => {
      const behind = [new Proxy(context, {}), Object.create(context) as ConnectContext];
      seen.push(...behind.map(({ signal }) => signal === context.signal));
      return {};
    };
    const { pool } = poolOf<object>(factoryOf<object>(connect));
    await pool.ready();
    expect(seen).toEqual([true, true]);
    await pool.close();
  });
});
