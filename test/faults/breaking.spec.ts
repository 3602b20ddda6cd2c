import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ConnectionFactory } from '../../src/pool/connection-factory.js';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import { retry } from '../../src/retry/retry.js';
import { unhandledDuring } from '../pool/rejections.js';
import { rejection } from '../pool/workbench.js';
import { Benches, closedOf, type FaultBench } from './fault-bench.js';
import type { FaultSpec } from './fault-spec.js';
import type { LineClient } from './line-client.js';
import { pause, until } from '../until.js';

jest.setTimeout(30_000);

describe('connections that break', () => {
  const benches = new Benches();

  beforeEach(() => benches.begin());
  afterEach(() => benches.end());

  /** The proxy's end of a client's connection. */
  function endOf(bench: FaultBench, client: LineClient): FaultBench['proxy']['connections'][number] {
    return bench.proxy.connections.find(({ clientPort }) => clientPort === client.socket.localPort)!;
  }

  /** Outlives the first second, in which a loss counts as a failed connect: these have served. */
  async function served(bench: FaultBench): Promise<void> {
    const { size } = bench.pool.stats();
    const leases = await Promise.all(Array.from({ length: size }, () => bench.pool.acquire()));
    for (const lease of leases) lease.release();
    await bench.full();
  }

  it.each<[string, FaultSpec, RegExp]>([
    ['reset', 'reset', /ECONNRESET/],
    ['closed by a FIN', 'fin', /closed the connection/],
    // libuv tells of a RST right behind bytes as if it were a FIN.
    ['reset in the middle of the reply', { fault: 'reset', afterBytes: 5, way: 'down' }, /closed the conn|ECONNRESET/],
    ['closed in the middle of the reply', { fault: 'fin', afterBytes: 5, way: 'down' }, /closed the connection/],
  ])('%s while leased: the work fails, the connection is replaced, a retry gets another', async (_how, fault, why) => {
    const bench = await benches.full({ size: 3 });
    await served(bench);
    const used: LineClient[] = [];
    const failures: unknown[] = [];
    const work = (client: LineClient): Promise<string> => {
      used.push(client);
      if (used.length === 1) endOf(bench, client).apply(fault);
      return client.request('SLOW', '1');
    };
    const result = await retry(() => bench.pool.use(work), { onRetry: ({ error }) => void failures.push(error) });
    expect(result).toBe('1');
    expect(failures.map(String)).toEqual([expect.stringMatching(why)]);
    expect(used[1]).not.toBe(used[0]);
    await bench.full();
    expect(bench.pool.stats().totals).toMatchObject({ connected: 4, connectFailures: 0, closed: { broken: 1 } });
  });

  it('cut off between two requests of one lease: the borrower may go on to the end, and nobody gets it after', async () => {
    // Without a reset, which would find out.
    const bench = await benches.full({ size: 1, hooks: [] });
    await served(bench);
    const lease = await bench.pool.acquire();
    bench.proxy.apply('fin');
    await until(() => !lease.connection.isAlive, 'it has ended');
    expect(bench.pool.stats()).toMatchObject({ leased: 1, open: 1 });
    lease.release();
    expect(await bench.echo('another')).toBe('another');
    expect(bench.pool.stats().totals.closed.broken).toBe(1);
  });

  it('half-open while leased: who gives up loses it, and a retry gets a sound one, whatever else is half-open', async () => {
    const bench = await benches.full({ size: 4, keepaliveTimeout: 80 });
    await served(bench);
    bench.proxy.apply('halfOpen');
    const attempt = ({ signal }: { signal: AbortSignal }): Promise<string> =>
      bench.pool.use((client) => client.request('ECHO', 'at last', signal), { signal });
    // Of four that hang at most four can be had, since none of them is lent twice.
    expect(await retry(attempt, { attemptTimeout: 60, maxRetries: 20, delay: 1 })).toBe('at last');
    await Promise.all(
      Array.from({ length: 8 }, () => retry(attempt, { attemptTimeout: 60, maxRetries: 20, delay: 1 })),
    );
    await until(() => bench.pool.stats().totals.closed.broken >= 4, 'they were all replaced');
    await bench.full();
  });

  it('half-open while idle: whoever asks for a check first is not given one of them', async () => {
    const bench = await benches.full({ size: 3, checkAfterIdle: 0, keepaliveTimeout: 60 });
    await served(bench);
    const [dead] = bench.factory.opened;
    endOf(bench, dead!).apply('halfOpen');
    const replies = await Promise.all(Array.from({ length: 9 }, (_, i) => bench.echo(String(i))));
    expect(replies).toEqual(replies.map((_, i) => String(i)));
    await until(() => bench.factory.closed.some(({ client }) => client === dead), 'it was found out');
    await bench.full();
  });

  it('half-open, all of them at once: one ping that times out has its siblings looked at, side by side', async () => {
    const bench = await benches.full({ size: 8, keepaliveTimeout: 100 });
    await served(bench);
    const lease = await bench.pool.acquire();
    bench.proxy.apply('halfOpen');
    lease.release(Object.assign(new Error('read ETIMEDOUT'), { code: 'ETIMEDOUT' }));
    expect(bench.pool.stats().checking).toBe(7);
    await until(() => bench.pool.stats().totals.closed.broken >= 8, 'all are found out');
    await bench.full();
  });

  it.each<[string, FaultSpec]>([
    ['a FIN', 'fin'],
    ['a RST', 'reset'],
    ['a FIN, when it has been idle for a while', { fault: 'fin', afterIdle: 30 }],
  ])('%s while idle: replaced at once, without anybody asking', async (_what, fault) => {
    const bench = await benches.full({ size: 4 });
    await served(bench);
    bench.proxy.connections[2]!.apply(fault);
    await until(() => bench.pool.stats().totals.closed.broken === 1, 'it is lost');
    await bench.full();
    expect(bench.pool.stats().totals).toMatchObject({ connected: 5, connectFailures: 0 });
    expect(bench.lines).toEqual([expect.stringMatching(/lost a connection: (the other side closed it|.*ECONNRESET)/)]);
  });

  it('killed by a server that suffers no idleness: replaced, and nobody who asks is let down', async () => {
    const bench = await benches.full({ size: 3, idleLimit: 100 });
    await until(() => bench.server.logins >= 9, 'they were killed, and killed again');
    const replies = Array.from({ length: 20 }, (_, i) => retry(() => bench.echo(String(i))));
    expect(await Promise.all(replies)).toEqual(replies.map((_, i) => String(i)));
    bench.server.idleLimit = 0;
  });

  it('kept alive by pings: a server that suffers no idleness kills none of them', async () => {
    const bench = await benches.full({ size: 3, idleLimit: 600, keepalive: 60 });
    await pause(800);
    expect(bench.server.logins).toBe(3);
    expect(bench.pool.stats().totals.pings).toBeGreaterThanOrEqual(6);
  });

  it.each([false, true])('lost to a restart of the server (TLS: %s): callers who retry do not notice', async (tls) => {
    const bench = await benches.full({ tls, size: 5 });
    await served(bench);
    let isOver = false;
    const callers = Array.from({ length: 15 }, async (_, caller) => {
      let calls = 0;
      for (; !isOver; calls++) {
        const text = `${caller}.${calls}`;
        // The server echoes, and a retry of an echo does no harm.
        expect(await retry(() => bench.echo(text), { maxRetries: Infinity, delay: 5 })).toBe(text);
      }
      return calls;
    });
    for (let restarts = 0; restarts < 3; restarts++) {
      await pause(40);
      bench.server.stop();
      bench.proxy.down();
      await pause(60);
      await Promise.all([bench.server.start(), bench.proxy.up()]);
      await until(
        () => bench.isFull,
        () => `the pool is full again: ${bench.describe()}`,
      );
    }
    isOver = true;
    for (const calls of await Promise.all(callers)) expect(calls).toBeGreaterThan(0);
    expect(bench.pool.stats().totals.closed.broken).toBeGreaterThanOrEqual(15);
    expect(bench.server.sessions).toHaveLength(5);
  });

  it.each<[string, FaultSpec]>([
    ['closes', { fault: 'fin', afterIdle: 4 }],
    ['resets', { fault: 'reset', after: 15 }],
  ])('lost again as soon as they are open, for the server %s them: it is not hammered', async (_how, fault) => {
    const reconnect = { delay: 20, maxDelay: 10_000, jitter: 'none' } as const;
    const bench = await benches.launch({ size: 4, hooks: [], reconnect });
    bench.proxy.always(fault);
    const start = performance.now();
    bench.pool.start();
    await until(() => bench.pool.stats().totals.connectFailures >= 6, 'they were lost');
    await pause(50);
    const pauses = Math.log2((performance.now() - start) / reconnect.delay + 1);
    // Those four at first, those that each pause allows, and one for each that was lost when the first four had not been.
    expect(bench.proxy.accepted).toBeLessThanOrEqual(4 + Math.ceil(pauses) + 4);
    expect(bench.lines.filter((line) => line.includes('and goes on trying'))).toHaveLength(1);
    await bench.proxy.heal();
    // The one that was opened last may still be cut off.
    expect(await retry(() => bench.echo('stays'))).toBe('stays');
    await bench.full();
  });

  describe("'error' is emitted", () => {
    /** Sockets with a 'close' of their own, to be discarded slowly. */
    class BareSocketFactory extends ConnectionFactory<Socket> {
      readonly opened: Socket[] = [];

      constructor(private readonly port: number) {
        super();
      }

      async connect({ signal }: { readonly signal: AbortSignal }): Promise<Socket> {
        const socket = connect({ port: this.port, host: '127.0.0.1' });
        await once(socket, 'data', { signal });
        this.opened.push(socket);
        return socket;
      }
    }

    it.each(['idle', 'leased', 'discarded', 'parting'] as const)(
      'on one that is %s: nobody but the pool is troubled',
      async (state) => {
        const bench = await benches.launch();
        const factory = new BareSocketFactory(bench.proxy.port);
        const pool = new ConnectionPool(factory, { ...bench.settings, size: 1, closeTimeout: 5_000 });
        // Even for a broken one it only says good-bye, so that an error can still reach it.
        if (state === 'discarded') factory.close = (socket) => void socket.end();
        const errors: unknown[] = [];
        const unhandled = await unhandledDuring(async () => {
          await pool.ready();
          const socket = factory.opened[0]!;
          socket.on('error', (error) => errors.push(error));
          const lease = state === 'idle' ? undefined : await pool.acquire();
          bench.proxy.apply({ fault: 'halfOpen', way: 'up' });
          if (state === 'discarded') lease?.discard();
          if (state === 'parting') {
            pool.recycle();
            lease?.release();
          }
          // Whatever it says now reaches nobody, and then the connection is reset.
          bench.proxy.apply('reset');
          await until(() => socket.closed, 'it is closed');
          lease?.release();
          await until(() => factory.opened.length > 1, 'another is open');
        });
        expect(unhandled).toEqual([]);
        expect(errors).toEqual([expect.objectContaining({ code: 'ECONNRESET' })]);
        expect(closedOf(pool.stats())).toBe(1);
        // The listener of this test aside, only the pool's no-op is left.
        expect(factory.opened[0]!.listenerCount('error')).toBe(2);
        factory.close = undefined;
        await pool.close();
      },
    );

    it('on a client that is leased and has a listener of its own: the work gets that very error', async () => {
      const bench = await benches.full({ size: 1 });
      await served(bench);
      const heard: unknown[] = [];
      const unhandled = await unhandledDuring(async () => {
        const error = await rejection(
          bench.pool.use(async (client) => {
            client.on('error', (error) => heard.push(error));
            const request = client.request('SLOW', '5000');
            bench.proxy.apply('reset');
            return request;
          }),
        );
        expect(heard).toEqual([error]);
        await bench.full();
      });
      expect(unhandled).toEqual([]);
    });
  });
});
