import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { PoolClosedError } from '../../src/pool/errors.js';
import { fateOf, rejection } from '../pool/workbench.js';
import { Benches, type FaultBench } from './fault-bench.js';
import type { FaultSpec } from './fault-spec.js';
import { until } from '../until.js';

jest.setTimeout(30_000);

/** What holds once a pool is closed: nobody has a connection, not the pool, not the proxy, not the server. */
async function expectNobody(bench: FaultBench): Promise<void> {
  expect(bench.pool.stats()).toMatchObject({ open: 0, connecting: 0, closing: 0, waiting: 0 });
  expect(bench.audit()).toEqual([]);
  expect(bench.clock.pending).toBe(0);
  await until(
    () => bench.factory.live.length === 0,
    () => `the clients are closed: ${bench.describe()}`,
  );
  await until(
    () => bench.proxy.open === 0,
    () => `the proxy has nobody: ${bench.describe()}`,
  );
  await until(
    () => bench.server.connections === 0,
    () => `the server has nobody: ${bench.describe()}`,
  );
  await expect(bench.echo('too late')).rejects.toBeInstanceOf(PoolClosedError);
}

describe.each([false, true])('closing over a network, with TLS: %s,', (tls) => {
  const benches = new Benches();

  beforeEach(() => benches.begin());
  afterEach(() => benches.end());

  it('while idle: each parts with a FIN that the server answers', async () => {
    const bench = await benches.full({ tls, size: 4 });
    await bench.pool.close();
    expect(bench.pool.stats().totals.closed.shutdown).toBe(4);
    await expectNobody(bench);
  });

  it.each<[string, FaultSpec]>([
    ['are met with silence', 'silent'],
    ['are half through', { fault: 'halfOpen', afterBytes: tls ? 500 : 10 }],
    ['are slow', { fault: 'latency', delay: 20 }],
  ])('while filling, with connects that %s: they are given up', async (_how, fault) => {
    const bench = await benches.launch({ tls, size: 5 });
    bench.proxy.next('none').always(fault);
    const ready = fateOf(bench.pool.ready());
    await until(() => bench.pool.stats().open > 0 && bench.proxy.accepted >= 5, 'one is open, and the others are not');
    await bench.pool.close();
    await until(() => ready.state !== 'pending', 'who waits is told');
    expect(ready.error).toBeInstanceOf(PoolClosedError);
    await expectNobody(bench);
  });

  it('while leased: it waits for the work, whose reply still comes', async () => {
    const bench = await benches.full({ tls, size: 3 });
    const { requests } = bench.server;
    const work = bench.pool.use((client) => client.request('SLOW', '60'));
    await until(() => bench.server.requests > requests, 'the work is under way');
    const closed = fateOf(bench.pool.close());
    expect(await work).toBe('60');
    await until(() => closed.state === 'resolved', 'it is closed');
    await expectNobody(bench);
  });

  it('while pinging: the pings are given up, also those that hang', async () => {
    const bench = await benches.full({ tls, size: 3, keepalive: 20, keepaliveTimeout: 10_000 });
    bench.proxy.connections[0]!.apply({ fault: 'latency', delay: 100 });
    bench.proxy.connections[1]!.apply('halfOpen');
    await until(() => bench.pool.stats().checking >= 2, 'they are pinged');
    const start = performance.now();
    await bench.pool.close();
    expect(performance.now() - start).toBeLessThan(5_000);
    await expectNobody(bench);
  });

  it('with callers who wait: they are served while time remains', async () => {
    const bench = await benches.full({ tls, size: 2 });
    const callers = Array.from({ length: 12 }, (_, i) => bench.echo(`caller ${i}`));
    await bench.pool.close();
    expect(await Promise.all(callers)).toEqual(callers.map((_, i) => `caller ${i}`));
    await expectNobody(bench);
  });

  it('with a lease that is never returned: it is closed when time is up, and whoever has it notices', async () => {
    const bench = await benches.full({ tls, size: 2 });
    const lease = await bench.pool.acquire();
    const work = rejection(lease.connection.request('SLOW', '60000'));
    await bench.pool.close({ timeout: 50 });
    expect(String(await work)).toMatch(/closed the connection/);
    expect(bench.lines.join('\n')).toContain('closes a connection that is still leased');
    lease.release();
    await expectNobody(bench);
  });

  it('where the peer never answers the FIN: each is destroyed when its time is up', async () => {
    const bench = await benches.full({ tls, size: 3, closeTimeout: 80 });
    const sockets = bench.factory.opened.map(({ socket }) => socket);
    bench.proxy.apply('halfOpen');
    const start = performance.now();
    const closed = bench.pool.close();
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([false, false, false]);
    await closed;
    expect(performance.now() - start).toBeGreaterThan(78);
    expect(sockets.map(({ destroyed }) => destroyed)).toEqual([true, true, true]);
    expect(bench.lines.filter((line) => line.includes('took longer than closeTimeout; it was destroyed'))).toHaveLength(
      3,
    );
    await expectNobody(bench);
  });
});

describe('closing over a network', () => {
  const benches = new Benches();

  beforeEach(() => benches.begin());
  afterEach(() => benches.end());

  it('while it is down: ends the pauses, and tells those who wait', async () => {
    const bench = await benches.launch({ size: 3 });
    bench.proxy.down();
    const waiting = rejection(bench.echo('never'));
    await until(() => bench.pool.stats().totals.connectFailures > 2, 'it is down');
    await bench.pool.close({ timeout: 30 });
    expect(await waiting).toBeInstanceOf(PoolClosedError);
    await expectNobody(bench);
  });

  it('while it is down, and up again before time is up: those who wait are served', async () => {
    const bench = await benches.launch({ size: 3 });
    bench.proxy.down();
    const callers = Array.from({ length: 6 }, (_, i) => bench.echo(String(i)));
    await until(() => bench.pool.stats().totals.connectFailures > 0, 'it is down');
    const closed = bench.pool.close({ timeout: 10_000 });
    await bench.proxy.up();
    expect(await Promise.all(callers)).toEqual(['0', '1', '2', '3', '4', '5']);
    await closed;
    await expectNobody(bench);
  });

  it('while a reset is under way: it is given up', async () => {
    const bench = await benches.full({ size: 2 });
    await bench.pool.use(() => void bench.proxy.apply('halfOpen'));
    expect(bench.pool.stats().checking).toBe(1);
    await bench.pool.close();
    await expectNobody(bench);
  });

  it.each<[string, FaultSpec]>([
    ['are reset', 'reset'],
    ['meet a FIN', 'fin'],
  ])('while its connections %s: each is closed once', async (_how, fault) => {
    const bench = await benches.full({ size: 5 });
    const leases = [await bench.pool.acquire(), await bench.pool.acquire()];
    bench.proxy.connections[0]!.apply(fault);
    const closed = bench.pool.close();
    bench.proxy.apply(fault);
    await until(() => leases.every(({ connection }) => !connection.isAlive), 'all are cut off');
    for (const lease of leases) lease.release();
    await closed;
    await expectNobody(bench);
  });

  it('twice, and brought forward: what hangs is destroyed earlier', async () => {
    const bench = await benches.full({ size: 2 });
    const lease = await bench.pool.acquire();
    bench.proxy.apply('halfOpen');
    const closed = bench.pool.close({ timeout: 60_000 });
    expect(bench.pool.close({ timeout: 20 })).toBe(closed);
    await closed;
    expect(() => lease.connection.destroy()).not.toThrow();
    await expectNobody(bench);
  });

  it('with a connection on its way that obeys no signal: it is closed when it arrives', async () => {
    const bench = await benches.launch({ size: 1 });
    const { factory, proxy } = bench;
    const connect = factory.connect.bind(factory);
    factory.connect = (context) => connect({ ...context, signal: new AbortController().signal });
    proxy.always({ fault: 'stall', for: 100 });
    bench.pool.start();
    await until(() => proxy.accepted === 1, 'it is on its way');
    await bench.pool.close();
    expect(factory.opened).toHaveLength(0);
    await until(() => bench.pool.stats().totals.closed.surplus === 1, 'it has arrived');
    await until(() => factory.live.length === 0 && bench.clock.pending === 0, 'it is closed');
    await expectNobody(bench);
  });
});
