import type { EventEmitter } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import {
  AcquireTimeoutError,
  ConnectTimeoutError,
  ConnectionPool,
  isConnectionError,
  retry,
  type ConnectionFactory,
  type PoolSettings,
} from '../../src/index.js';
import { closeByShape } from '../../src/pool/capabilities.js';
import { unhandledDuring } from '../pool/rejections.js';
import { whereInstalled } from '../servers/binaries.js';
import { PrivateServer } from '../servers/private-server.js';
import type { ServerKind } from '../servers/server-kind.js';
import { establishedTo, heldTo } from '../servers/sockets.js';
import { pause, until } from '../until.js';
import { SilentServer } from './silent-server.js';

/** What a connection may be left with, and how its next borrower would notice. */
export interface Dirt<C> {
  readonly left: string;
  leave(connection: C): Promise<unknown>;
  isGone(connection: C): Promise<boolean> | boolean;
}

/** A factory, its service, and what is done with its connections. */
export interface Subject<C> {
  readonly name: string;
  readonly kind: ServerKind;
  /** Once the server is there. */
  prepare?(server: PrivateServer): Promise<unknown>;
  /** A factory of connections to the service at this port of 127.0.0.1. */
  factory(port: number): ConnectionFactory<C>;
  /** One that does not get in, and what the error says then; none where nobody is asked who he is. */
  readonly stranger?: { factory(port: number): ConnectionFactory<C>; readonly error: RegExp };
  /** A piece of work that succeeds on a connection that is well. */
  serve(connection: C): Promise<unknown>;
  /** One that does not end by itself within ten seconds. */
  dawdle(connection: C): Promise<unknown>;
  /** Work that fails by the user's own fault, which must not cost the connection. */
  readonly mistakes: Readonly<Record<string, (connection: C) => Promise<unknown>>>;
  readonly dirt: ReadonlyArray<Dirt<C>>;
  /** What a borrower may leave that nobody can undo. */
  readonly spoils?: Readonly<Record<string, (connection: C) => unknown>>;
  /** That by which its users hear of events; none where they hear of none. */
  emitter?(connection: C): EventEmitter;
  /** One that is told to undo nothing, where there is the choice. */
  readonly indifferent?: (port: number) => ConnectionFactory<C>;
  /** One that has nothing to undo after this piece of work, and knows it. */
  readonly light?: { factory(port: number): ConnectionFactory<C>; serve(connection: C): Promise<unknown> };
  /** The server ends all sessions, as it does with those that are idle for too long. */
  endSessions(server: PrivateServer): Promise<unknown>;
  /** How many sessions there are, as the server says. Default: as the system says. */
  sessions?(server: PrivateServer): Promise<number>;
}

const SIZE = 3;

/** How long anything is waited for, in milliseconds: for ever, almost, on a machine that has something else to do. */
const PATIENCE = 20_000;

/** What every factory keeps, whatever its client is like. */
export function conformance<C>(subject: Subject<C>): void {
  jest.setTimeout(60_000);

  whereInstalled(subject.kind, describe)(`${subject.name} against ${subject.kind.name}`, () => {
    let server: PrivateServer;
    let pools: Array<ConnectionPool<C>> = [];

    beforeAll(async () => {
      server = await PrivateServer.start(subject.kind);
      await subject.prepare?.(server);
    }, 60_000);

    afterAll(() => server?.stop());

    afterEach(async () => {
      server.resume();
      await Promise.all(pools.map((pool) => pool.close({ timeout: 0 })));
      pools = [];
    });

    function poolOf(factory: ConnectionFactory<C>, settings: PoolSettings = {}): ConnectionPool<C> {
      const reconnect = { delay: 20, maxDelay: 200 };
      const pool = new ConnectionPool(factory, {
        name: 'conforming',
        size: SIZE,
        logger: SILENT,
        reconnect,
        ...settings,
      });
      pools.push(pool);
      return pool;
    }

    function open(settings: PoolSettings = {}): ConnectionPool<C> {
      return poolOf(subject.factory(server.port), settings);
    }

    const sessions = (): Promise<number> | number => subject.sessions?.(server) ?? establishedTo(server.port);

    async function nothingIsLeft(): Promise<void> {
      let left = NaN;
      const isNone = async (): Promise<boolean> => (left = await sessions()) === 0;
      await until(isNone, () => `no session is left, of ${left}`, PATIENCE);
      expect(establishedTo(server.port)).toBe(0);
    }

    async function full(pool: ConnectionPool<C>): Promise<void> {
      await until(
        () => pool.stats().idle === SIZE,
        () => `full: ${describeStats(pool)}`,
        PATIENCE,
      );
    }

    async function lost(pool: ConnectionPool<C>, count: number): Promise<void> {
      const isLost = (): boolean => pool.stats().totals.closed.broken >= count;
      await until(isLost, () => `${count} are lost: ${describeStats(pool)}`, PATIENCE);
    }

    async function eachServes(pool: ConnectionPool<C>): Promise<void> {
      const seen = new Set<C>();
      const serve = async (connection: C): Promise<void> => {
        seen.add(connection);
        await subject.serve(connection);
      };
      await Promise.all(Array.from({ length: SIZE }, () => pool.use(serve)));
      expect(seen.size).toBe(SIZE);
    }

    test('opens as many connections as the pool is to have, each of which serves, and leaves none behind', async () => {
      const pool = open();
      await pool.ready();
      await until(async () => (await sessions()) === SIZE, 'the server knows of all', PATIENCE);
      await eachServes(pool);
      await pool.close();
      await nothingIsLeft();
      expect(pool.stats().totals.closed).toMatchObject({ shutdown: SIZE, broken: 0 });
    });

    test('serves on through a kill -9 of the server and its restart', async () => {
      const pool = open();
      await pool.ready();
      let isOver = false;
      let served = 0;
      const call = (): Promise<unknown> =>
        retry(() => pool.use(subject.serve), { maxRetries: 200, delay: 20, maxDelay: 100 });
      const caller = async (): Promise<void> => {
        while (!isOver) {
          await call();
          served++;
          await pause(1);
        }
      };
      const callers = Promise.all(Array.from({ length: 2 * SIZE }, caller));
      await until(() => served > 20, 'calls are answered', PATIENCE);
      await server.kill();
      await pause(50);
      await server.restart();
      const before = served;
      await until(() => served > before + 20, 'calls are answered again', PATIENCE);
      isOver = true;
      await callers;
      await full(pool);
      await until(async () => (await sessions()) === SIZE, 'the server knows of all', PATIENCE);
      expect(pool.stats().totals.closed.broken).toBeGreaterThanOrEqual(SIZE);
    });

    test('work under way when the server dies fails with a connection error', async () => {
      const pool = open();
      await pool.ready();
      const failed = pool.use(subject.dawdle).then(
        () => undefined,
        (error: unknown) => error,
      );
      await pause(100);
      await server.kill();
      const error = await failed;
      await server.restart();
      expect(error).toBeInstanceOf(Error);
      expect(isConnectionError(error)).toBe(true);
      await full(pool);
      await eachServes(pool);
    });

    test('replaces connections that the server ends while they are idle, before anybody gets one', async () => {
      const pool = open();
      await pool.ready();
      await eachServes(pool);
      await subject.endSessions(server);
      await lost(pool, SIZE);
      await full(pool);
      await eachServes(pool);
      expect(pool.stats().totals.closed.broken).toBe(SIZE);
    });

    test('finds out by its pings that the server stands still', async () => {
      const pool = open({ keepalive: 100, keepaliveTimeout: 300, connectTimeout: 500 });
      await pool.ready();
      const { pings } = pool.stats().totals;
      await until(() => pool.stats().totals.pings > pings + SIZE, 'pings are answered', PATIENCE);
      expect(pool.stats().totals.closed.broken).toBe(0);
      server.pause();
      await lost(pool, SIZE);
      await until(() => pool.stats().downSince !== undefined, 'connects fail', PATIENCE);
      server.resume();
      await full(pool);
      await eachServes(pool);
    });

    test('cuts off, while the server stands still, what does not part in time, and leaves nothing open', async () => {
      const pool = open({ closeTimeout: 200 });
      await pool.ready();
      server.pause();
      await pool.close();
      expect(establishedTo(server.port)).toBe(0);
      await until(() => heldTo(server.port) === 0, 'no socket is held any more', PATIENCE);
      server.resume();
      await nothingIsLeft();
    });

    test('closing waits for work under way, and leaves nothing open', async () => {
      const pool = open();
      await pool.ready();
      let go!: () => void;
      const gate = new Promise<void>((resolve) => (go = resolve));
      const working = pool.use(async (connection) => {
        await gate;
        return subject.serve(connection);
      });
      let isClosed = false;
      const closing = pool.close().then(() => (isClosed = true));
      await until(() => pool.stats().open === 1, 'all but that one are closed', PATIENCE);
      expect(isClosed).toBe(false);
      go();
      await working;
      await closing;
      await nothingIsLeft();
    });

    test('closing by force ends work that goes on and on', async () => {
      const pool = open({ closeTimeout: 200 });
      await pool.ready();
      const failed = pool.use(subject.dawdle).then(
        () => undefined,
        (error: unknown) => error,
      );
      await pause(50);
      await pool.close({ timeout: 50 });
      expect(establishedTo(server.port)).toBe(0);
      // Not every client tells those whose answer will never come.
      await Promise.race([failed, pause(500)]);
    });

    test('a server that accepts and is silent costs a connect its time, and no socket', async () => {
      await using silent = await SilentServer.start();
      const pool = poolOf(subject.factory(silent.port), { connectTimeout: 150 });
      await expect(pool.acquire({ timeout: 400 })).rejects.toThrow(AcquireTimeoutError);
      expect(pool.stats().lastConnectError).toBeInstanceOf(ConnectTimeoutError);
      await pool.close();
      await until(
        () => silent.sockets.size === 0,
        () => `no socket is left, of ${silent.sockets.size}`,
        PATIENCE,
      );
    });

    test('a connect that is given up at any moment leaves nothing behind', async () => {
      const factory = subject.factory(server.port);
      const ends = await Promise.all(
        [0, 0, 1, 2, 3, 5, 8, 12].map(async (milliseconds, index) => {
          const controller = new AbortController();
          const reason = new Error(`given up after ${milliseconds} ms`);
          // The very first before anything was begun.
          if (index === 0) controller.abort(reason);
          const connecting = factory.connect({ pool: 'conforming', attempt: 1, signal: controller.signal });
          const settled = Promise.resolve(connecting).then(
            (connection) => ({ connection, error: undefined }),
            (error: unknown) => ({ connection: undefined, error }),
          );
          await pause(milliseconds);
          controller.abort(reason);
          const { connection, error } = await settled;
          // It may have been faster.
          if (connection !== undefined) await closeAsPoolsDo(factory, connection);
          return connection !== undefined || error === reason;
        }),
      );
      expect(ends).toEqual(ends.map(() => true));
      await nothingIsLeft();
    });

    test('nobody there: the error says so', async () => {
      // Taken and given back: nobody listens there now.
      const silent = await SilentServer.start();
      const { port } = silent;
      await silent[Symbol.asyncDispose]();
      const pool = poolOf(subject.factory(port));
      const error: unknown = await pool.acquire({ timeout: 100 }).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(AcquireTimeoutError);
      expect((error as Error).message).toContain('The backend is down');
      expect(isConnectionError((error as Error).cause)).toBe(true);
    });

    const { stranger } = subject;
    if (stranger !== undefined) {
      test('wrong credentials: a clear error, told once, and no storm of connects', async () => {
        const lines: string[] = [];
        const note = (line: unknown): number => lines.push(String(line));
        const logger = { log: note, warn: note, error: note };
        const reconnect = { delay: 20, maxDelay: Infinity, jitter: 'none' as const };
        const begun = performance.now();
        const pool = poolOf(stranger.factory(server.port), { logger, reconnect, maxConnecting: 1 });
        pool.start();
        await until(() => pool.stats().totals.connectFailures > 2, 'three connects have failed', PATIENCE);
        const error: unknown = await pool.acquire({ timeout: 20 }).catch((reason: unknown) => reason);
        const elapsed = performance.now() - begun;
        expect(error).toBeInstanceOf(AcquireTimeoutError);
        expect(String((error as Error).cause)).toMatch(stranger.error);
        expect(lines.filter((line) => stranger.error.test(line))).toHaveLength(1);
        // At 0, 20, 60, 140, 300 ms and so on, at the most.
        expect(pool.stats().totals.connectFailures).toBeLessThanOrEqual(1 + Math.log2(elapsed / 20 + 1));
        await pool.close();
        await nothingIsLeft();
      });
    }

    describe('a mistake of the user costs no connection', () => {
      test.each(Object.entries(subject.mistakes))('%s', async (_, err) => {
        const pool = open({ size: 1 });
        const before = await pool.use((connection) => connection);
        await expect(pool.use(err)).rejects.toThrow();
        await pool.use(subject.serve);
        expect(await pool.use((connection) => connection)).toBe(before);
        expect(pool.stats().totals).toMatchObject({ connected: 1, closed: { broken: 0 } });
      });
    });

    if (subject.dirt.length > 0) {
      describe('the next borrower finds nothing of', () => {
        test.each(subject.dirt.map((dirt) => [dirt.left, dirt] as const))('%s', async (_, { leave, isGone }) => {
          const pool = open({ size: 1 });
          await pool.use(leave);
          expect(await pool.use(isGone)).toBe(true);
          await pool.use(subject.serve);
        });
      });
    }

    const spoils = Object.entries(subject.spoils ?? {});
    if (spoils.length > 0) {
      test.each(spoils)('%s costs a borrower the connection, and nothing else', async (_, spoil) => {
        const pool = open({ size: 1 });
        const own = new Error('his own');
        const spoilt: C[] = [];
        for (let count = 0; count < 3; count++) {
          const work = async (connection: C): Promise<never> => {
            spoilt.push(connection);
            await spoil(connection);
            throw own;
          };
          await expect(pool.use(work)).rejects.toBe(own);
        }
        const last = await pool.use(async (connection) => {
          await subject.serve(connection);
          return connection;
        });
        expect(new Set([...spoilt, last]).size).toBe(4);
        // Neither is his error one to retry, nor the service taken to be down.
        expect(isConnectionError(own)).toBe(false);
        expect(pool.stats().totals).toMatchObject({ connectFailures: 0, closed: { broken: 3 } });
      });
    }

    const { light } = subject;
    if (light !== undefined) {
      test('a return with nothing to undo is over at once', async () => {
        const pool = poolOf(light.factory(server.port), { size: 1 });
        const lease = await pool.acquire();
        const next = pool.acquire();
        await light.serve(lease.connection);
        lease.release();
        expect(pool.stats()).toMatchObject({ leased: 1, checking: 0, waiting: 0 });
        const second = await next;
        await light.serve(second.connection);
        second.release();
        expect(pool.stats()).toMatchObject({ idle: 1, checking: 0 });
      });
    }

    const { emitter } = subject;
    if (emitter !== undefined) {
      const factories = [
        ['listeners that a borrower forgets are taken off, and no others', subject.factory],
        ['so they are where all else is left as it is', subject.indifferent],
      ] as const;
      const given = factories.filter(([, factory]) => factory !== undefined);
      test.each(given)('%s', async (_, factory) => {
        const pool = poolOf(factory!(server.port), { size: 1 });
        const [before, own] = await pool.use(async (connection) => {
          await subject.serve(connection);
          return [connection, listenersOf(emitter(connection))] as const;
        });
        let heard = 0;
        const hear = (): number => heard++;
        const somewhere = Symbol('an event of his own');
        for (let lease = 0; lease < 3; lease++) {
          await pool.use(async (connection) => {
            const client = emitter(connection);
            client
              .on('error', hear)
              .on('news', hear)
              .once('close', hear)
              .prependListener('end', hear)
              .on(somewhere, hear);
            await subject.serve(connection);
            expect(listenersOf(client)).not.toEqual(own);
            // A few at a time, and some taken off by himself.
            client.removeListener('news', hear);
          });
        }
        const [after, left] = await pool.use((connection) => [connection, listenersOf(emitter(connection))] as const);
        expect(left).toEqual(own);
        expect(after).toBe(before);
        // Nor is anybody deaf from then on who takes all of them off.
        await pool.use((connection) => emitter(connection).removeAllListeners());
        await pool.use(subject.serve);
        await subject.endSessions(server);
        await lost(pool, 1);
        await pool.use(subject.serve);
        expect(heard).toBe(0);
      });

      test('nothing looks for such listeners on a connection that is closed', async () => {
        const pool = open({ size: 1 });
        const client = await pool.use((connection) => emitter(connection));
        const watched = listenersOf(client);
        expect(watched).toMatchObject({ newListener: expect.any(Number) });
        await pool.close();
        expect(listenersOf(client)['newListener'] ?? 0).toBe(watched['newListener']! - 1);
      });
    }

    test('nothing of all that reaches the process', async () => {
      const unhandled = await unhandledDuring(async () => {
        const pool = open();
        await pool.ready();
        const failed = pool.use(subject.dawdle).catch(() => undefined);
        await pause(50);
        await server.kill();
        await Promise.race([failed, pause(1_000)]);
        await pool.close({ timeout: 0 });
        await server.restart();
      });
      expect(unhandled).toEqual([]);
    });
  });
}

function closeAsPoolsDo<C>(factory: ConnectionFactory<C>, connection: C): unknown {
  return factory.close === undefined ? closeByShape(connection, 'surplus') : factory.close(connection, 'surplus');
}

/** How many hear of each event. */
function listenersOf(emitter: EventEmitter): Record<string, number> {
  return Object.fromEntries(emitter.eventNames().map((event) => [String(event), emitter.listenerCount(event)]));
}

const SILENT = { log: (): void => {}, warn: (): void => {}, error: (): void => {} };

function describeStats<C>(pool: ConnectionPool<C>): string {
  const { lastConnectError, ...stats } = pool.stats();
  return `${JSON.stringify(stats)}, last connect error: ${String(lastConnectError)}`;
}
