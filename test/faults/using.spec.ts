import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ConnectionFactory } from '../../src/pool/connection-factory.js';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import { retry } from '../../src/retry/retry.js';
import { fateOf, rejection } from '../pool/workbench.js';
import { Benches, type FaultBench } from './fault-bench.js';
import type { FaultSpec } from './fault-spec.js';
import type { LineClient } from './line-client.js';
import { until } from '../until.js';

jest.setTimeout(30_000);

describe('using over a network', () => {
  const benches = new Benches();

  beforeEach(() => benches.begin());
  afterEach(() => benches.end());

  /** The one session that there is, of a pool of one. */
  function sessionOf(bench: FaultBench): number {
    expect(bench.server.sessions).toHaveLength(1);
    return bench.server.sessions[0]!.id;
  }

  describe('work given up in the middle of a request does not hand its reply to the next borrower,', () => {
    type GivesUp = (bench: FaultBench, giveUp: AbortController) => Promise<unknown>;

    it.each<[string, GivesUp]>([
      [
        'aborted by the signal that the pool was given too',
        ({ pool }, { signal }) => pool.use((client) => client.request('SLOW', '60', signal), { signal }),
      ],
      [
        'aborted by a signal that only the work knows',
        ({ pool }, { signal }) => pool.use((client) => client.request('SLOW', '60', signal)),
      ],
      [
        'failed with something else of its own while it was aborted',
        ({ pool }, { signal }) =>
          pool.use(
            async (client) => {
              await client.request('SLOW', '60', signal).catch(() => {
                throw new TypeError('of no help');
              });
            },
            { signal },
          ),
      ],
      [
        'released by hand with the error that it failed with',
        async ({ pool }, { signal }) => {
          const lease = await pool.acquire();
          try {
            await lease.connection.request('SLOW', '60', signal);
          } catch (error) {
            lease.release(error);
            throw error;
          }
        },
      ],
    ])('%s', async (_how, work) => {
      const bench = await benches.full({ size: 1 });
      const session = sessionOf(bench);
      const giveUp = new AbortController();
      const { requests } = bench.server;
      const outcome = rejection(work(bench, giveUp));
      await until(() => bench.server.requests > requests, 'the request is at the server');
      const next = bench.echo('mine');
      giveUp.abort();
      await outcome;
      expect(await next).toBe('mine');
      await bench.full();
      expect(sessionOf(bench)).toBeGreaterThan(session);
      expect(bench.pool.stats().totals.closed.broken).toBe(1);
      // Nothing was wrong with the backend.
      expect(bench.pool.stats().totals.connectFailures).toBe(0);
    });

    it('timed out', async () => {
      const bench = await benches.full({ size: 1 });
      const slow = bench.pool.use((client) => client.request('SLOW', '5000', AbortSignal.timeout(30)));
      const next = bench.echo('mine');
      await expect(slow).rejects.toMatchObject({ name: 'TimeoutError' });
      expect(await next).toBe('mine');
    });

    it('timed out as one attempt of a retry, whose next attempt gets a reply of its own', async () => {
      const bench = await benches.full({ size: 2 });
      let calls = 0;
      const attempt = ({ signal }: { signal: AbortSignal }): Promise<string> => {
        const [verb, text] = calls++ === 0 ? ['SLOW', '5000'] : ['ECHO', 'second'];
        return bench.pool.use((client) => client.request(verb, text, signal), { signal });
      };
      expect(await retry(attempt, { attemptTimeout: 100 })).toBe('second');
      expect(await Promise.all([bench.echo('a'), bench.echo('b')])).toEqual(['a', 'b']);
    });

    it('though it would, without the pool', async () => {
      const bench = await benches.full({ size: 1 });
      const giveUp = new AbortController();
      const lease = await bench.pool.acquire();
      const client = lease.connection;
      const given = rejection(client.request('SLOW', '20', giveUp.signal));
      giveUp.abort();
      await given;
      await expect(client.request('ECHO', 'mine')).rejects.toThrow('and got');
      // So that the bench has nothing to say about it.
      expect(client.stale.splice(0)).toHaveLength(1);
      lease.discard();
    });
  });

  it('an error of the work itself costs no connection', async () => {
    const bench = await benches.full({ size: 1 });
    const session = sessionOf(bench);
    const work = async (client: LineClient): Promise<void> => {
      await client.request('PING');
      throw new Error('of the work');
    };
    await expect(bench.pool.use(work)).rejects.toThrow('of the work');
    expect(await bench.echo('next')).toBe('next');
    expect(sessionOf(bench)).toBe(session);
  });

  describe('a dirty session', () => {
    const dirty = (client: LineClient): Promise<string> => client.request('SET', 'a transaction that is open');
    const look = (client: LineClient): Promise<string> => client.request('GET');

    it('is reset before its next borrower', async () => {
      const bench = await benches.full({ size: 1 });
      const session = sessionOf(bench);
      await bench.pool.use(dirty);
      expect(await bench.pool.use(look)).toBe('');
      expect(sessionOf(bench)).toBe(session);
    });

    it('stays dirty where there is no reset, which is what this is about', async () => {
      const bench = await benches.full({ size: 1, hooks: [] });
      await bench.pool.use(dirty);
      expect(await bench.pool.use(look)).toBe('a transaction that is open');
    });

    it.each<[string, FaultSpec]>([
      ['hangs', 'halfOpen'],
      ['is cut off', 'reset'],
      ['meets a FIN', 'fin'],
      ['gets its answer too late', { fault: 'stall', for: 200 }],
    ])('is closed if its reset %s: the next borrower gets another', async (_how, fault) => {
      const bench = await benches.full({ size: 1, resetTimeout: 60 });
      const session = sessionOf(bench);
      await bench.pool.use(async (client) => {
        await dirty(client);
        bench.proxy.apply(fault);
      });
      expect(await bench.pool.use(look)).toBe('');
      await bench.full();
      expect(sessionOf(bench)).toBeGreaterThan(session);
      expect(bench.pool.stats().totals.closed.broken).toBeGreaterThan(0);
    });
  });

  it.each<[string, FaultSpec[]]>([
    ['split into single bytes', ['split']],
    ['merged', ['merge']],
    [
      'split, and merged again in other places',
      [
        { fault: 'split', size: 7 },
        { fault: 'merge', window: 4 },
      ],
    ],
    ['sent over a slow line', [{ fault: 'rate', bytesPerSecond: 5_000 }]],
    ['delayed, each by another time', [{ fault: 'latency', delay: 5, jitter: 20 }]],
    ['held back for a while', [{ fault: 'stall', for: 80, afterBytes: 60 }]],
  ])('what is %s arrives as it was said', async (_how, faults) => {
    const bench = await benches.launch({ size: 3 });
    bench.proxy.always(...faults);
    await bench.full();
    const texts = Array.from({ length: 9 }, (_, i) => `text ${i} ${'x'.repeat(i)}`);
    expect(await Promise.all(texts.map((text) => bench.echo(text)))).toEqual(texts);
    expect(bench.pool.stats().totals).toMatchObject({ connected: 3, connectFailures: 0 });
  });

  it('TLS that is split, slow and late is TLS all the same', async () => {
    const bench = await benches.launch({ tls: true, size: 2 });
    bench.proxy.always({ fault: 'split', size: 100 }, { fault: 'latency', delay: 1, jitter: 5 });
    await bench.full();
    expect(await Promise.all(['a', 'b', 'c', 'd'].map((text) => bench.echo(text)))).toEqual(['a', 'b', 'c', 'd']);
    expect(bench.pool.stats().totals.connected).toBe(2);
  });

  describe('a bare socket', () => {
    class BareSocketFactory extends ConnectionFactory<Socket> {
      constructor(private readonly port: number) {
        super();
      }

      async connect({ signal }: { readonly signal: AbortSignal }): Promise<Socket> {
        const socket = connect({ port: this.port, host: '127.0.0.1', signal });
        // The greeting.
        await once(socket, 'data', { signal });
        return socket;
      }
    }

    it('that has received what nobody asked for is not lent', async () => {
      const bench = await benches.launch();
      const pool = new ConnectionPool(new BareSocketFactory(bench.proxy.port), { ...bench.settings, size: 1 });
      await pool.ready();
      const socket = await pool.use((socket) => socket);
      const { bytesRead } = socket;
      bench.proxy.apply({ fault: 'say', text: 'somebody else’s reply\n' });
      await until(() => socket.bytesRead > bytesRead, 'it has arrived');
      const other = await pool.use((socket) => socket, { timeout: 5_000 });
      expect(other).not.toBe(socket);
      expect(socket.destroyed).toBe(true);
      await pool.close();
    });

    it('that met a FIN in the hands of one borrower is not lent to another', async () => {
      const bench = await benches.launch();
      const pool = new ConnectionPool(new BareSocketFactory(bench.proxy.port), { ...bench.settings, size: 2 });
      await pool.ready();
      const leases = [await pool.acquire(), await pool.acquire()];
      bench.proxy.connections[0]!.apply('fin');
      const ended = leases[0]!.connection;
      await until(() => !ended.readable || ended.readableEnded, 'the FIN is there');
      for (const lease of leases) lease.release();
      const lent = await Promise.all([pool.acquire(), pool.acquire()]);
      expect(lent.map(({ connection }) => connection)).not.toContain(ended);
      for (const lease of lent) lease.release();
      await pool.close();
    });
  });

  it('a caller who waits is not served by a connection that broke unnoticed in the hands of the one before', async () => {
    const bench = await benches.full({ size: 1, hooks: [] });
    const lease = await bench.pool.acquire();
    const waiting = fateOf(bench.echo('served'));
    bench.proxy.apply('reset');
    await until(() => !lease.connection.isAlive, 'it is broken');
    // The borrower has not noticed, and returns it as if nothing had happened.
    lease.release();
    await until(() => waiting.state !== 'pending', 'the caller is answered');
    expect(waiting.value).toBe('served');
  });
});
