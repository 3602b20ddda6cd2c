import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { performance } from 'node:perf_hooks';
import { connect, type LookupFunction } from 'node:net';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import { AcquireTimeoutError, ConnectTimeoutError } from '../../src/pool/errors.js';
import { fateOf, rejection } from '../pool/workbench.js';
import { BlackHole } from './black-hole.js';
import { Benches, type FaultBench } from './fault-bench.js';
import type { FaultSpecs } from './fault-spec.js';
import { LineFactory } from './line-factory.js';
import { pause, until } from '../until.js';

jest.setTimeout(30_000);

describe('opening over a network', () => {
  const benches = new Benches();

  beforeEach(() => benches.begin());
  afterEach(() => benches.end());

  /** Starts the pool, and waits until so many connects have failed. */
  async function failing(bench: FaultBench, failures = 3): Promise<void> {
    bench.pool.start();
    const failed = (): boolean => bench.pool.stats().totals.connectFailures >= failures;
    await until(failed, () => `connects have failed: ${bench.describe()}`);
  }

  /** The network is sound again: the pool must fill, and serve. */
  async function expectRecovery(bench: FaultBench): Promise<void> {
    await bench.proxy.heal();
    await bench.full();
    expect(await bench.echo('well again')).toBe('well again');
    await until(() => bench.pool.stats().downSince === undefined, 'the outage is over');
    const told = (what: string): number => bench.lines.filter((line) => line.includes(what)).length;
    await until(() => told('connects again') === told('cannot connect'), 'the log tells of it');
    expect(told('cannot connect')).toBeGreaterThan(0);
    // Once an outage, not once an attempt.
    expect(told('cannot connect')).toBeLessThan(bench.pool.stats().totals.connectFailures);
  }

  it('is refused: callers are told that the backend is down and why, and are served once it is back', async () => {
    const bench = await benches.launch({ size: 3 });
    bench.proxy.down();
    const waiting = fateOf(bench.echo('patience'));
    await failing(bench);
    const error = (await rejection(bench.pool.acquire({ timeout: 30 }))) as AcquireTimeoutError;
    expect(error).toBeInstanceOf(AcquireTimeoutError);
    expect(error.message).toMatch(/The backend is down: connects have been failing .* connect ECONNREFUSED/);
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
    expect(waiting.state).toBe('pending');
    expect(bench.proxy.accepted).toBe(0);
    await expectRecovery(bench);
    await until(() => waiting.value === 'patience', 'the caller who waited is served');
  });

  it('is black-holed, SYN after SYN: connects time out, one after another', async () => {
    const hole = await BlackHole.open();
    try {
      const bench = await benches.launch({ size: 2, connectTimeout: 40 });
      const { address } = bench;
      const other = connect(hole.port, hole.host);
      bench.factory.address = { port: hole.port, host: hole.host };
      await failing(bench);
      expect(other.connecting).toBe(true);
      other.destroy();
      expect(bench.pool.stats().lastConnectError).toBeInstanceOf(ConnectTimeoutError);
      expect(bench.proxy.accepted).toBe(0);
      bench.factory.address = address;
      await expectRecovery(bench);
    } finally {
      await hole.close();
    }
  });

  /** Short where it is what ends the connect; else out of the way, however slow the machine is. */
  const timeoutFor = (reason: RegExp): number => (reason.source.includes('did not finish') ? 60 : 10_000);

  const HELLO = 'HELLO\n'.length;

  it.each<[string, FaultSpecs, RegExp]>([
    ['is accepted and then met with silence', 'silent', /connect\(\) did not finish within 60 ms/],
    ['is accepted and then closed', 'fin', /closed the connection/],
    ['is accepted and then reset', 'reset', /ECONNRESET/],
    ['is greeted, and then hangs at login', { fault: 'halfOpen', afterBytes: HELLO, way: 'down' }, /did not finish/],
    ['is closed in the middle of the greeting', { fault: 'fin', afterBytes: 3, way: 'down' }, /closed the connection/],
    ['is closed at login', { fault: 'fin', afterBytes: HELLO + 2, way: 'down' }, /closed the connection/],
    ['is greeted with what makes no sense', { fault: 'say', text: 'SSH-2.0-what\n' }, /greets with "SSH-2.0-what"/],
  ])('%s: as often as it is tried, until the network is sound', async (_what, faults, reason) => {
    const bench = await benches.launch({ size: 3, connectTimeout: timeoutFor(reason) });
    bench.proxy.always(...[faults].flat());
    await failing(bench);
    expect(String(bench.pool.stats().lastConnectError)).toMatch(reason);
    expect(bench.pool.stats().open).toBe(0);
    await expectRecovery(bench);
  });

  describe('and TLS', () => {
    it.each<[string, FaultSpecs]>([
      ['reset before a byte was answered', { fault: 'reset', afterBytes: 100, way: 'up' }],
      ['reset after one byte', { fault: 'reset', afterBytes: 1, way: 'down' }],
      ['reset in the middle of the certificate', { fault: 'reset', afterBytes: 400, way: 'down' }],
      ['closed before a byte was answered', { fault: 'fin', afterBytes: 100, way: 'up' }],
      ['closed in the middle of the certificate', { fault: 'fin', afterBytes: 400, way: 'down' }],
      ['answered by nobody', 'silent'],
      ['silent after one byte', { fault: 'halfOpen', afterBytes: 1, way: 'down' }],
      ['silent in the middle of the certificate', { fault: 'halfOpen', afterBytes: 400, way: 'down' }],
      ['answered in the clear', { fault: 'say', text: 'HELLO\n' }],
    ])('is %s: the connect fails, and nothing of it is left', async (_what, faults) => {
      // For the first handshake of a process takes its time.
      const bench = await benches.launch({ tls: true, size: 2, connectTimeout: 150 });
      bench.proxy.always(...[faults].flat());
      await failing(bench, 2);
      expect(bench.server.logins).toBe(0);
      expect(bench.pool.stats().open).toBe(0);
      await expectRecovery(bench);
    });

    it('is slow and in pieces: it opens all the same', async () => {
      const bench = await benches.launch({ tls: true, size: 3 });
      bench.proxy.always({ fault: 'split', size: 60 }, { fault: 'latency', delay: 5, jitter: 5 });
      await bench.full();
      expect(await bench.echo('in pieces')).toBe('in pieces');
      expect(bench.pool.stats().totals.connectFailures).toBe(0);
    });
  });

  describe('and DNS', () => {
    const failsWith =
      (code: string): LookupFunction =>
      (host, _options, done) =>
        setImmediate(done, Object.assign(new Error(`getaddrinfo ${code} ${host}`), { code }), '', 4);
    const hangs: LookupFunction = () => {};

    it.each<[string, LookupFunction, RegExp]>([
      ['knows no such name', failsWith('ENOTFOUND'), /ENOTFOUND backend\.invalid/],
      ['fails for now', failsWith('EAI_AGAIN'), /EAI_AGAIN backend\.invalid/],
      ['does not answer', hangs, /did not finish within 60 ms/],
    ])('%s: it is asked again', async (_what, lookup, reason) => {
      const bench = await benches.launch({ size: 2, connectTimeout: timeoutFor(reason) });
      const { address } = bench;
      bench.factory.address = { ...address, host: 'backend.invalid', lookup };
      await failing(bench);
      expect(String(bench.pool.stats().lastConnectError)).toMatch(reason);
      // The name is known now. Asked with `all`, as Node does, one answers with a list.
      const answers: LookupFunction = (_host, _options, done) => {
        setImmediate(done, null, [{ address: address.host, family: 4 }]);
      };
      bench.factory.address = { ...bench.factory.address, lookup: answers };
      await expectRecovery(bench);
    });
  });

  it('hangs once: the other connects go on, callers are served, and its slot is used once its time is up', async () => {
    const bench = await benches.launch({ size: 4, connectTimeout: 500 });
    bench.proxy.next('silent');
    bench.pool.start();
    await until(() => bench.pool.stats().open === 3, 'the others are open');
    expect(bench.pool.stats()).toMatchObject({ connecting: 1, downSince: undefined });
    expect(await bench.echo('meanwhile')).toBe('meanwhile');
    await bench.full();
    expect(bench.pool.stats().totals.connectFailures).toBe(1);
  });

  it('finds the backend down at start and up later: start, ready and callers wait for it', async () => {
    const bench = await benches.launch({ size: 5 });
    bench.proxy.down();
    const ready = fateOf(bench.pool.ready());
    const callers = Array.from({ length: 20 }, (_, i) => bench.echo(`caller ${i}`));
    await failing(bench);
    expect(ready.state).toBe('pending');
    await bench.proxy.up();
    expect(await Promise.all(callers)).toEqual(callers.map((_, i) => `caller ${i}`));
    await bench.full();
    expect(ready.state).toBe('resolved');
  });

  it('is told "too many connections": those there are serve, and more are tried for at a measured pace', async () => {
    const reconnect = { delay: 30, maxDelay: 1_000, jitter: 'none' } as const;
    const bench = await benches.launch({ size: 6, maxSessions: 2, reconnect });
    const start = performance.now();
    await failing(bench, 5);
    expect(String(bench.pool.stats().lastConnectError)).toContain('too many connections');
    const replies = await Promise.all(Array.from({ length: 30 }, (_, i) => bench.echo(String(i))));
    expect(replies).toEqual(replies.map((_, i) => String(i)));
    expect(bench.server.sessions).toHaveLength(2);
    // Five at once at first, and then one a pause; how long that took tells how many pauses there were at most.
    const pauses = Math.log2((performance.now() - start) / reconnect.delay + 1);
    expect(bench.factory.attempts).toBeLessThanOrEqual(2 + 5 + Math.ceil(pauses));
    bench.server.maxSessions = 6;
    await bench.full();
  });

  it('is tried by twenty pools after a failover: no more often than their pauses allow, and all are full in the end', async () => {
    const bench = await benches.launch({ size: 2 });
    const reconnect = { delay: 40, maxDelay: 10_000, jitter: 'none' } as const;
    const pools = Array.from({ length: 20 }, (_, i) => {
      const factory = new LineFactory(bench.address);
      return new ConnectionPool(factory, { name: `pool ${i}`, size: 2, reconnect: { ...reconnect, maxDelay: 200 } });
    });
    bench.proxy.always('reset');
    const start = performance.now();
    for (const pool of pools) pool.start();
    await until(() => bench.proxy.accepted > 80, 'all have tried');
    await pause(100);
    const elapsed = performance.now() - start;
    // For each pool two at once, then one a pause: after 40 ms, 80, 160, 200, 200, …
    const each = 2 + Math.min(3, Math.log2(elapsed / 40 + 1)) + Math.max(0, (elapsed - 280) / 200) + 1;
    expect(bench.proxy.accepted).toBeLessThanOrEqual(pools.length * Math.ceil(each));
    await bench.proxy.heal();
    await Promise.all(pools.map((pool) => pool.ready()));
    expect(bench.proxy.open).toBe(40);
    await Promise.all(pools.map((pool) => pool.close()));
  });

  it('succeeds too late, for it does not obey its signal: what it yields is closed', async () => {
    const bench = await benches.launch({ size: 1, connectTimeout: 50 });
    bench.proxy.next({ fault: 'stall', for: 150 });
    const { factory } = bench;
    const connect = factory.connect.bind(factory);
    const never = new AbortController().signal;
    factory.connect = (context) => connect(factory.attempts === 0 ? { ...context, signal: never } : context);
    await bench.full();
    await until(() => factory.opened.length >= 2, 'the late one is open too');
    await until(() => bench.pool.stats().totals.closed.surplus === 1, 'it was closed');
    await until(() => bench.server.sessions.length === 1, 'it is gone');
    expect(bench.proxy.open).toBe(1);
  });
});
