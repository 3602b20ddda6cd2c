import { channel, tracingChannel } from 'node:diagnostics_channel';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ConnectionError } from '../../src/pool/connection-error.js';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import type { PoolSettings } from '../../src/pool/settings.js';
import { retry } from '../../src/retry/retry.js';
import { CELL_STATES, type Frame, type HappeningKind } from '../../src/dashboard/frames.js';
import { Sampler } from '../../src/dashboard/sampler.js';
import { ScriptedFactory, VirtualClock } from '../../src/testing/index.js';

const QUIET = { log: () => {}, warn: () => {}, error: () => {} };

const INTERVAL = 500;

const CHANNELS = ['keepalive', 'leak', 'retry', 'give-up'].map((name) => channel(`nestjs-connection-pool:${name}`));

function isAnythingSubscribed(): boolean {
  const traced = ['acquire', 'use', 'connect'].map((name) => tracingChannel(`nestjs-connection-pool:${name}`));
  const all = traced.flatMap(({ start, end, asyncStart, asyncEnd, error }) => [
    start,
    end,
    asyncStart,
    asyncEnd,
    error,
  ]);
  return [...all, ...CHANNELS].some(({ hasSubscribers }) => hasSubscribers);
}

const stops: Array<() => void> = [];

afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** A pool that has filled itself, and a sampler that looks at it, both in virtual time. */
async function bench(settings: PoolSettings = {}) {
  const clock = new VirtualClock();
  const factory = new ScriptedFactory({ clock, hooks: ['keepalive'] });
  const pool = new ConnectionPool(factory, {
    name: 'mail',
    clock,
    logger: QUIET,
    reconnect: { jitter: 'none' },
    ...settings,
  });
  pool.start();
  await clock.settle();
  const pools = [pool];
  const sampler = new Sampler(pools, clock, INTERVAL);
  const frames: Frame[] = [];
  sampler.start((frame) => void frames.push(frame));
  stops.push(() => sampler.stop());
  /** The frame after the next look. */
  const next = async (): Promise<Frame> => {
    await clock.advance(INTERVAL);
    return frames.at(-1)!;
  };
  const told = (kind: HappeningKind): string[] =>
    frames.flatMap(({ happenings }) => happenings.filter((each) => each.kind === kind).map(({ text }) => text));
  return { clock, factory, pool, pools, sampler, frames, next, told };
}

/** The changes of a frame's first pool, in words. */
function changesOf({ pools: [pool] }: Frame): string[] {
  const { changes } = pool!;
  const many = changes.length / 4;
  return Array.from({ length: many }, (_, index) => {
    const [slot, code, uses] = changes.slice(index * 4);
    return `${slot} ${CELL_STATES[code!]} ${uses}`;
  });
}

describe('the sampler', () => {
  test('costs nothing before it is started and after it is stopped: no timer, no subscriber, nothing kept', async () => {
    const clock = new VirtualClock();
    const sampler = new Sampler([], clock, INTERVAL);
    expect(clock.pending).toBe(0);
    expect(isAnythingSubscribed()).toBe(false);
    expect(sampler.snapshot()).toBeUndefined();

    sampler.start(() => undefined);
    expect(isAnythingSubscribed()).toBe(true);
    expect(clock.pending).toBe(1);
    await clock.advance(INTERVAL * 3);
    expect(sampler.snapshot()!.times).toHaveLength(3);

    sampler.stop();
    expect(clock.pending).toBe(0);
    expect(isAnythingSubscribed()).toBe(false);
    expect(sampler.snapshot()).toBeUndefined();
  });

  test('sends of the connections those that have changed, each in the place that it had', async () => {
    const { pool, next, sampler } = await bench({ size: 4 });
    expect(sampler.snapshot()!.pools[0]).toMatchObject({ name: 'mail', slots: 4 });
    expect(changesOf(sampler.snapshot() as unknown as Frame)).toEqual(['0 idle 0', '1 idle 0', '2 idle 0', '3 idle 0']);
    expect(changesOf(await next())).toEqual([]);

    const [first, second] = [pool.tryAcquire()!, pool.tryAcquire()!];
    expect(changesOf(await next())).toEqual(['0 leased 1', '1 leased 1']);
    first.release();
    expect(changesOf(await next())).toEqual(['0 idle 1']);
    // The successor takes the place of the one that is gone.
    second.discard();
    expect(changesOf(await next())).toEqual(['1 idle 0']);
  });

  test('sends next to nothing while nothing changes, however many connections there are', async () => {
    const { next, sampler } = await bench({ size: 1_000, maxConnecting: 1_000 });
    expect(JSON.stringify(sampler.snapshot()).length).toBeGreaterThan(10_000);
    expect(JSON.stringify(await next()).length).toBeLessThan(1_000);
  });

  test('leaves a place empty while nobody takes it, and drops it where it is the last', async () => {
    const { pool, clock, next } = await bench({ size: 3 });
    const leases = [pool.tryAcquire()!, pool.tryAcquire()!, pool.tryAcquire()!];
    await next();
    pool.resize(1);
    leases[0]!.release();
    await clock.settle();
    const frame = await next();
    expect(changesOf(frame)).toEqual(['0 none 0']);
    expect(frame.pools[0]!.slots).toBe(3);
    leases[2]!.release();
    await clock.settle();
    expect((await next()).pools[0]!.slots).toBe(2);
  });

  test('says when each connection was opened, and does not change its mind', async () => {
    const { pool, clock, next, sampler } = await bench({ size: 1 });
    const birth = sampler.snapshot()!.pools[0]!.changes[3];
    expect(birth).toBe(Math.round(clock.now()));
    await clock.advance(333);
    pool.tryAcquire()!.release();
    expect((await next()).pools[0]!.changes).toEqual([0, 2, 1, birth]);
  });

  test('tells what the lines are drawn of, and how many leases there are in a second', async () => {
    const { pool, next } = await bench({ size: 3, acquireTimeout: '1m' });
    const leases = [pool.tryAcquire()!, pool.tryAcquire()!, pool.tryAcquire()!];
    const waiting = [pool.acquire(), pool.acquire()];
    const { pools } = await next();
    expect(pools[0]!.point).toMatchObject({ leased: 3, idle: 0, waiting: 2, p50: null, p99: null });
    expect(pools[0]!.figures).toMatchObject({ min: 3, max: 3, open: 3, waiting: 2, longestWait: 500, rate: 6 });
    for (const lease of leases) lease.release();
    const served = (await next()).pools[0]!;
    expect(served.figures).toMatchObject({ waiting: 0, rate: 4, acquired: 5 });
    expect(served.point.p50! / 500).toBeCloseTo(1, 1);
    for (const each of waiting) (await each).release();
  });

  test('tells percentiles of what callers waited since the last look, 0 for those who did not wait', async () => {
    const { pool, clock, next } = await bench({ size: 1 });
    for (let call = 0; call < 98; call++) await pool.use(() => undefined);
    const lease = await pool.acquire();
    const late = pool.use(() => undefined);
    const later = pool.use(() => undefined);
    await clock.advance(200);
    lease.release();
    await Promise.all([late, later]);
    const { point } = (await next()).pools[0]!;
    expect(point.p50).toBe(0);
    expect(point.p99! / 200).toBeCloseTo(1, 1);
    expect((await next()).pools[0]!.point).toMatchObject({ p50: null, p99: null });
  });

  test('remembers ten minutes for who comes later, and no more', async () => {
    const { clock, pool, sampler } = await bench({ size: 2 });
    const begin = clock.now();
    await clock.advance(60_000);
    pool.tryAcquire();
    await clock.advance(1_000);
    const early = sampler.snapshot()!;
    expect(early.since).toBe(Math.round(begin));
    expect(early.times).toHaveLength(122);
    expect(early.pools[0]!.history.leased.slice(-3)).toEqual([0, 1, 1]);
    await clock.advance(600_000);
    const { times, pools } = sampler.snapshot()!;
    expect(times).toHaveLength(1_200);
    expect(times.at(-1)! - times[0]!).toBeLessThan(600_000);
    for (const line of Object.values(pools[0]!.history)) expect(line).toHaveLength(times.length);
    expect(pools[0]!.history.leased[0]).toBe(1);
  });

  test('follows pools that come and go', async () => {
    const { clock, pools, next, sampler } = await bench({ size: 2 });
    await next();
    const other = new ConnectionPool(new ScriptedFactory({ clock }), { name: 'late', clock, size: 1 });
    pools.push(other);
    expect((await next()).pools.map(({ name }) => name)).toEqual(['mail', 'late']);
    expect(sampler.snapshot()!.pools[1]!.history.idle).toEqual([null, 0]);
    pools.shift();
    expect((await next()).pools.map(({ name }) => name)).toEqual(['late']);
  });

  test('tells of an outage: what was lost and why, that it is down and why, that it is back, what was replaced', async () => {
    const { clock, factory, pool, next, told } = await bench({ size: 3 });
    await clock.advance(2_000);
    const refused = Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' });
    factory.always('connect', { fail: refused });
    const work = pool.use(() => Promise.reject(new ConnectionError('the peer said goodbye')));
    await expect(work).rejects.toThrow('goodbye');
    const frame = await next();
    expect(frame.pools[0]!.figures.down).toEqual({
      since: expect.any(Number),
      error: expect.stringMatching('refused'),
    });
    expect(told('lost')).toEqual(['1 connection lost: the peer said goodbye']);
    expect(told('down')).toEqual(['cannot connect: connect refused (ECONNREFUSED)']);
    await next();
    expect(told('down')).toHaveLength(1);
    expect(told('back')).toEqual([]);

    factory.always('connect', 'succeed');
    await clock.advance(10_000);
    expect(told('back')).toEqual([expect.stringMatching(/^connects again, after [\d.]+ s and \d+ failed connects$/)]);
    expect(told('replaced')).toEqual(['1 lost connection replaced']);
    expect(told('failed connect')).toEqual([]);
  });

  test('tells by what connections were lost that died while nobody used them, and leaves their places empty', async () => {
    const { factory, next, told } = await bench({ size: 3 });
    await next();
    factory.always('connect', { after: 60_000 });
    for (const connection of factory.opened) connection.die(new Error('kicked out'));
    const { pools } = await next();
    expect(told('lost')).toEqual(['3 connections lost: kicked out']);
    expect(pools[0]!.slots).toBe(3);
  });

  test('tells of a failed ping as what a connection was lost by', async () => {
    const { clock, factory, told } = await bench({ size: 1, keepalive: '10s', siblingsOnBreak: 'keep' });
    factory.next('keepalive', { fail: new Error('no pong') });
    await clock.advance(11_000);
    expect(told('lost')).toEqual(['1 connection lost: no pong']);
  });

  test('tells of connections that are renewed, and of those that nobody needs', async () => {
    const { pool, next, told } = await bench({ size: 2 });
    pool.recycle();
    await next();
    pool.resize(1);
    await next();
    expect(told('renewed')).toEqual(['2 connections closed to be renewed (recycled)']);
    expect(told('closed')).toEqual(['1 connection closed that nobody needs']);
    expect(told('lost')).toEqual([]);
  });

  test('tells of connections that have outlived their time, and of leases that nobody can give back any more', async () => {
    const { clock, pool, next, told } = await bench({ size: 1, maxLifetime: '1m' });
    await clock.advance(60_000);
    await next();
    expect(told('renewed')).toEqual(['1 connection closed to be renewed (expired)']);
    const event = { pool: pool.name, poolId: pool.id, heldFor: 3_000, origin: 'at mail.js:1', collected: true };
    channel('nestjs-connection-pool:leak').publish(event);
    await next();
    expect(told('leak')).toEqual(['a lease was garbage-collected after 3 s']);
  });

  test('tells of callers that waited in vain', async () => {
    const { pool, next, told } = await bench({ size: 1, acquireTimeout: 100 });
    pool.tryAcquire();
    const failed = [pool.acquire(), pool.acquire()].map((each) => expect(each).rejects.toThrow('within 100 ms'));
    await next();
    await Promise.all(failed);
    expect(told('time-out')).toEqual(['2 callers waited in vain']);
  });

  test('tells of leaks with the calls that led to them, of its own pools alone', async () => {
    const { clock, pool, frames } = await bench({ size: 1, leakDetection: '5s' });
    const other = new ConnectionPool(new ScriptedFactory({ clock }), {
      name: 'other',
      clock,
      logger: QUIET,
      leakDetection: '5s',
    });
    function keepsIt(from: { tryAcquire(): unknown }): void {
      from.tryAcquire();
    }
    other.start();
    await clock.settle();
    keepsIt(pool);
    keepsIt(other);
    await clock.advance(6_000);
    const leaks = frames.flatMap(({ happenings }) => happenings.filter(({ kind }) => kind === 'leak'));
    expect(leaks).toEqual([expect.objectContaining({ subject: 'mail', text: 'a lease has been held for 5 s' })]);
    expect(leaks[0]!.stack).toContain('keepsIt');
  });

  test('tells of retries and of calls that were given up, once a method and look', async () => {
    const { next, frames } = await bench({ size: 1 });
    async function fetchMail(): Promise<never> {
      throw new ConnectionError('reset by peer');
    }
    const calls = [1, 2].map(() => retry(fetchMail, { maxRetries: 1, delay: 0, logger: false }));
    await Promise.allSettled(calls);
    await next();
    const told = frames.at(-1)!.happenings.map(({ kind, subject, text }) => [kind, subject, text]);
    expect(told).toEqual([
      ['retry', 'fetchMail', '2 retries; attempt 1 failed: reset by peer'],
      ['give-up', 'fetchMail', '2 calls given up; attempt 2 failed: reset by peer'],
    ]);
    expect((await next()).happenings).toEqual([]);
  });

  test('tells of connects that fail while others hold', async () => {
    const { factory, pool, next, told } = await bench({ size: { min: 0, max: 5 } });
    await next();
    factory.next('connect', { fail: new Error('refused') }, 'succeed');
    const lease = pool.acquire();
    for (let looks = 0; looks < 10; looks++) await next();
    (await lease).release();
    expect([...told('failed connect'), ...told('down')]).toEqual([expect.stringContaining('refused')]);
  });

  test.each(['other', 'mail'])('minds its own pools alone, whatever one that is called %s says', async (name) => {
    const { clock, next, told } = await bench();
    const settings = { name, clock, size: 1, logger: QUIET, leakDetection: 10 };
    const other = new ConnectionPool(new ScriptedFactory({ clock }), settings);
    await clock.run(other.ready());
    const waiting = other.acquire();
    const broken = other.use(() => Promise.reject(new ConnectionError('broken'))).catch(() => undefined);
    (await waiting).release();
    await broken;
    const leaked = await clock.run(other.acquire());
    await clock.advance(20);
    const { pools } = await next();
    expect([told('lost'), told('leak')]).toEqual([[], []]);
    expect(pools[0]!.point).toMatchObject({ p50: null, p99: null });
    leaked.release();
    await clock.run(other.close());
  });

  test('tells the first cause of a loss, and none that broke nothing', async () => {
    const { pool, next, told } = await bench({ size: 3 });
    const fail = (reason: Error): Promise<unknown> => pool.use(() => Promise.reject(reason)).catch(() => undefined);
    await fail(new Error('no such user'));
    await Promise.all([fail(new ConnectionError('first')), fail(new ConnectionError('second'))]);
    await next();
    expect(told('lost')).toEqual(['2 connections lost: first']);
  });

  test('tells of a wait only if it has seen how it began', async () => {
    const { pool, sampler, frames, next } = await bench({ size: 1 });
    const lease = await pool.acquire();
    // Somebody else listens, so that the pool tells of it.
    const other = tracingChannel('nestjs-connection-pool:acquire');
    const deaf = { start: () => undefined } as unknown as Parameters<typeof other.subscribe>[0];
    sampler.stop();
    other.subscribe(deaf);
    const waiting = pool.acquire();
    sampler.start((frame) => void frames.push(frame));
    lease.release();
    (await waiting).release();
    other.unsubscribe(deaf);
    expect((await next()).pools[0]!.point).toMatchObject({ p50: null, p99: null });
  });

  test('tells of a result that was tried again', async () => {
    const { next, told } = await bench();
    await retry(() => 7, { retryOnResult: (result) => result === 7, maxRetries: 1, delay: 0 });
    await next();
    expect(told('retry')).toEqual(['1 retry; attempt 1 had a result to retry']);
  });

  test('cuts errors that go on for ever', async () => {
    const { factory, pool, next, told } = await bench({ size: 1 });
    factory.always('connect', { fail: new Error('x'.repeat(10_000)) });
    pool.tryAcquire()!.discard();
    await next();
    expect(told('down')[0]!.length).toBeLessThan(600);
  });
});
