import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { fateOf } from '../pool/workbench.js';
import { Benches, closedOf } from './fault-bench.js';
import type { FaultSpec } from './fault-spec.js';
import type { ProxiedConnection } from './proxied-connection.js';
import { until } from '../until.js';

jest.setTimeout(30_000);

describe('keeping connections over a network', () => {
  const benches = new Benches();

  beforeEach(() => benches.begin());
  afterEach(() => benches.end());

  it.each<[string, FaultSpec]>([
    ['meets a half-open connection, and hangs', 'halfOpen'],
    ['is answered with a RST', { fault: 'reset', afterBytes: 1 }],
    ['is answered with a FIN', { fault: 'fin', afterBytes: 1 }],
    ['is cut off in the middle of its reply', { fault: 'fin', afterBytes: 5, way: 'down' }],
    ['is never answered, though it arrives', { fault: 'halfOpen', way: 'down' }],
    ['gets its answer after its time-out', { fault: 'stall', for: 400 }],
    ['is answered with what makes no sense', { fault: 'say', text: 'WHAT?\n' }],
  ])('a ping that %s has its connection replaced', async (_what, fault) => {
    const bench = await benches.full({ size: 3, keepalive: 40, keepaliveTimeout: 60 });
    const [bad] = bench.proxy.connections;
    const client = bench.factory.opened.find(({ socket }) => socket.localPort === bad!.clientPort);
    bad!.apply(fault);
    const fates = (): string[] => bench.factory.closed.flatMap((each) => (each.client === client ? each.reason : []));
    await until(() => fates().length > 0, 'it was found out');
    expect(fates()).toEqual(['broken']);
    await until(
      () => bench.isFull,
      () => `it was replaced: ${bench.describe()}`,
    );
    expect(bench.lines.join('\n')).toMatch(/lost (a connection|\d connections): /);
  });

  it('a ping that hangs makes no caller wait, as long as another connection is free', async () => {
    const bench = await benches.full({ size: 3, keepalive: 30, keepaliveTimeout: 2_000 });
    const [bad] = bench.proxy.connections;
    bad!.apply('halfOpen');
    const swallowed = bad!.up.bytes;
    await until(() => bad!.up.bytes > swallowed, 'the ping is on its way');
    const start = performance.now();
    for (let i = 0; i < 20; i++) expect(await bench.echo(String(i))).toBe(String(i));
    expect(performance.now() - start).toBeLessThan(1_900);
    expect(closedOf(bench.pool.stats())).toBe(0);
  });

  it('a caller who finds the last free connection in a ping gets it after that', async () => {
    const bench = await benches.full({ size: 1, keepalive: 30, hooks: ['keepalive'] });
    bench.proxy.apply({ fault: 'latency', delay: 30 });
    await until(() => bench.pool.stats().checking === 1, 'it is being pinged');
    expect(bench.pool.tryAcquire()).toBeUndefined();
    expect(await bench.echo('after the ping')).toBe('after the ping');
    expect(bench.pool.stats().totals.connected).toBe(1);
  });

  it('a caller who finds the last free connection in a ping that hangs gets the one in its place', async () => {
    const bench = await benches.full({ size: 1, keepalive: 30, keepaliveTimeout: 60 });
    bench.proxy.apply('halfOpen');
    await until(() => bench.pool.stats().checking === 1, 'it is being pinged');
    expect(await bench.echo('on another')).toBe('on another');
    expect(bench.pool.stats().totals.closed.broken).toBeGreaterThan(0);
  });

  it('a caller who leaves while a connection is checked for him loses nothing for those after him', async () => {
    const bench = await benches.full({ size: 1, checkAfterIdle: 0, hooks: ['keepalive'] });
    bench.proxy.apply({ fault: 'latency', delay: 30 });
    const giveUp = new AbortController();
    const gone = fateOf(bench.pool.acquire({ signal: giveUp.signal }));
    const next = bench.echo('next');
    expect(bench.pool.stats().checking).toBe(1);
    giveUp.abort(new Error('no time'));
    expect(await next).toBe('next');
    expect(gone.error).toMatchObject({ message: 'no time' });
    expect(bench.pool.stats().totals.connected).toBe(1);
  });

  it('lifetimes that end under load are no trouble to callers, and are not all over at once', async () => {
    const bench = await benches.full({ size: 4, maxLifetime: 300 });
    let fewest = Infinity;
    let calls = 0;
    const isOver = (): boolean => bench.pool.stats().totals.closed.expired >= 8;
    const caller = async (): Promise<void> => {
      while (!isOver()) {
        expect(await bench.echo(`call ${++calls}`)).toMatch(/^call/);
        fewest = Math.min(fewest, bench.server.sessions.length);
      }
    };
    await Promise.all([caller(), caller()]);
    expect(fewest).toBeGreaterThan(0);
    expect(bench.pool.stats().totals).toMatchObject({ connectFailures: 0, closed: { broken: 0 } });
    // They parted with a FIN, and the server saw them all out.
    await until(() => bench.server.sessions.length <= 4, 'the old ones are gone');
  });

  it('an elastic pool follows its callers, and the server sees it shrink', async () => {
    const bench = await benches.launch({ size: { min: 1, max: 5 }, idleTimeout: 80 });
    await bench.pool.ready();
    await Promise.all(Array.from({ length: 5 }, () => bench.pool.use((client) => client.request('SLOW', '30'))));
    const { logins } = bench.server;
    expect(logins).toBeGreaterThan(1);
    await until(() => bench.server.sessions.length === 1 && bench.proxy.open === 1, 'it has shrunk');
    expect(bench.pool.stats().totals.closed).toMatchObject({ idle: logins - 1, broken: 0 });
    expect(await bench.echo('one is enough')).toBe('one is enough');
  });

  it('resized to less than are leased: each goes when it comes back, and the server sees so many go', async () => {
    const bench = await benches.full({ size: 4 });
    const leases = await Promise.all(Array.from({ length: 4 }, () => bench.pool.acquire()));
    bench.pool.resize(1);
    expect(bench.server.sessions).toHaveLength(4);
    for (const lease of leases) lease.release();
    await bench.full();
    expect(bench.pool.stats().totals.closed.surplus).toBe(3);
    bench.pool.resize(3);
    await bench.full();
  });

  it('recycled while the network fails: all are replaced in the end, and those that hang too', async () => {
    const bench = await benches.full({ size: 4, closeTimeout: 80 });
    const old = [...bench.factory.opened];
    bench.proxy.connections[0]!.apply('halfOpen');
    bench.proxy.connections[1]!.apply({ fault: 'latency', delay: 20 });
    bench.proxy.next('reset', 'fin', { fault: 'halfOpen', afterBytes: 20 });
    bench.pool.recycle();
    await until(() => old.every(({ socket }) => socket.destroyed), 'the old ones are gone');
    // One of those in their place hangs at login, which the time for a connect would end.
    const hanging = (): ProxiedConnection[] =>
      bench.proxy.connections.filter(({ faults }) => faults.includes('halfOpen'));
    await until(() => hanging().length === 1, 'it hangs');
    hanging()[0]!.apply('reset');
    await bench.full();
    expect(bench.factory.live.filter((client) => old.includes(client))).toEqual([]);
  });

  it('an event loop that stalls for longer than they may wait: callers whose connection came back meanwhile get it', async () => {
    const bench = await benches.launch({ size: 1, hooks: [] });
    // Without the proxy between them, a reply of the server is with the client at once.
    bench.factory.address = { ...bench.address, port: bench.server.port };
    await bench.pool.ready();
    const holder = bench.echo('held');
    const caller = bench.pool.use((client) => client.request('ECHO', 'served'), { timeout: 300 });
    await until(() => bench.pool.stats().waiting === 1, 'the caller waits');
    bench.server.sessions[0]!.socket.once('data', () => {
      // The reply has been sent, and nobody has read it yet.
      const end = performance.now() + 450;
      while (performance.now() < end);
    });
    expect(await holder).toBe('held');
    expect(await caller).toBe('served');
  });
});
