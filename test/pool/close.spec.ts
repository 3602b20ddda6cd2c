import { EventEmitter } from 'node:events';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ConnectionFactory } from '../../src/pool/connection-factory.js';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import { PoolClosedError, PoolSettingsError } from '../../src/pool/errors.js';
import { VirtualClock } from '../../src/testing/virtual-clock.js';
import { closeReasons, fateOf, fullPool, ruledPool, type RuledPool } from './ruled-pool.js';

/** What must hold of every pool that has been closed. */
async function expectClosed({ clock, factory, pool }: RuledPool): Promise<void> {
  await clock.settle();
  expect(clock.pending).toBe(0);
  for (const connection of factory.opened) {
    expect(connection.closedFor).toHaveLength(1);
    expect(connection.listenerCount('error')).toBe(1);
    expect(connection.listenerCount('close')).toBe(0);
    expect(connection.listenerCount('end')).toBe(0);
    expect(() => connection.die(new Error('late'))).not.toThrow();
  }
  const { totals, ...counts } = pool.stats();
  expect(counts).toMatchObject({ open: 0, idle: 0, leased: 0, checking: 0, connecting: 0, closing: 0, waiting: 0 });
  expect(Object.values(totals.closed).reduce((sum, count) => sum + count)).toBe(totals.connected);
  expect(totals.connected).toBe(factory.opened.length);
  expect(() => pool.tryAcquire()).toThrow(PoolClosedError);
  await expect(pool.acquire()).rejects.toBeInstanceOf(PoolClosedError);
  await expect(pool.use(() => 1)).rejects.toBeInstanceOf(PoolClosedError);
  await expect(pool.ready()).rejects.toBeInstanceOf(PoolClosedError);
  pool.start();
  pool.recycle();
  pool.resize({ min: 1, max: 50 });
  await clock.advance(3_600_000);
  expect(pool.stats().totals).toEqual(totals);
  expect(clock.pending).toBe(0);
}

describe('P10: close, of a pool that is', () => {
  it('not started: resolves at once, and opens nothing', async () => {
    const ruled = ruledPool({ size: 3 });
    await ruled.pool.close();
    expect(ruled.factory.calls.connect).toBe(0);
    await expectClosed(ruled);
  });

  it('idle: parts from every connection', async () => {
    const ruled = await fullPool({ size: 3, keepalive: 5_000, maxLifetime: 50_000 }, { hooks: ['keepalive'] });
    await ruled.pool.close();
    expect(closeReasons(ruled.factory)).toEqual(['shutdown', 'shutdown', 'shutdown']);
    await expectClosed(ruled);
  });

  it('filling: gives up connects at once, with their signals aborted', async () => {
    const ruled = ruledPool(
      { size: 4, maxConnecting: 3 },
      { prepare: (factory) => factory.next('connect', 'succeed').always('connect', 'obey') },
    );
    ruled.pool.start();
    await ruled.clock.settle();
    expect(ruled.pool.stats()).toMatchObject({ idle: 1, connecting: 3 });
    await ruled.pool.close();
    expect(ruled.factory.connectContexts.map(({ signal }) => signal.aborted)).toEqual([false, true, true, true]);
    expect(ruled.factory.connectContexts[3]!.signal.reason).toBeInstanceOf(PoolClosedError);
    await expectClosed(ruled);
  });

  it('being made ready: rejects those who wait for that', async () => {
    const ruled = ruledPool({ size: 1 }, { prepare: (factory) => factory.always('connect', 'hang') });
    const ready = fateOf(ruled.pool.ready());
    const { signal } = new AbortController();
    const readyToo = fateOf(ruled.pool.ready({ signal }));
    await ruled.pool.close();
    expect(ready.reason).toBeInstanceOf(PoolClosedError);
    expect(readyToo.reason).toBeInstanceOf(PoolClosedError);
    await expectClosed(ruled);
  });

  it('cut off from its backend: ends the pauses', async () => {
    const ruled = ruledPool(
      { size: 2 },
      { prepare: (factory) => factory.always('connect', { fail: new Error('down') }) },
    );
    ruled.pool.start();
    await ruled.clock.advance(10_000);
    expect(ruled.pool.stats().downSince).toBeDefined();
    await ruled.pool.close();
    await expectClosed(ruled);
  });

  it('leased: awaits the leases and closes each when it comes back', async () => {
    const ruled = await fullPool({ size: 2 }, { hooks: ['reset'] });
    const { pool, clock, factory } = ruled;
    const [one, two] = [pool.tryAcquire()!, pool.tryAcquire()!];
    const closed = fateOf(pool.close());
    await clock.advance(9_000);
    one.release();
    await clock.settle();
    expect(factory.closed).toHaveLength(1);
    expect(closed.state).toBe('pending');
    two.release();
    await clock.settle();
    expect(closed.state).toBe('fulfilled');
    expect(closeReasons(factory)).toEqual(['shutdown', 'shutdown']);
    expect(factory.calls.reset).toBe(0);
    expect(ruled.lines).toEqual([]);
    await expectClosed(ruled);
  });

  it('resetting: gives up the reset', async () => {
    const ruled = await fullPool({ size: 1 }, { hooks: ['reset'] });
    const { pool, factory, resets } = ruled;
    factory.always('reset', 'hang');
    pool.tryAcquire()!.release();
    expect(pool.stats().checking).toBe(1);
    await pool.close();
    expect(resets[0]!.signal.aborted).toBe(true);
    expect(closeReasons(factory)).toEqual(['shutdown']);
    await expectClosed(ruled);
  });

  it.each(['succeeds', 'fails'] as const)('pinging, with a ping that %s later', async (end) => {
    const ruled = await fullPool({ size: 1, keepalive: 10_000 }, { hooks: ['keepalive'], clock: { random: () => 0 } });
    const outcome = end === 'succeeds' ? 'succeed' : { fail: new Error('late') };
    ruled.factory.next('keepalive', { after: 3_000, outcome });
    await ruled.clock.advance(9_000);
    expect(ruled.pool.stats().checking).toBe(1);
    await ruled.pool.close();
    expect(ruled.pings[0]!.signal.aborted).toBe(true);
    await ruled.clock.advance(5_000);
    expect(ruled.lines).toEqual([]);
    await expectClosed(ruled);
  });

  it('closing connections already: awaits their farewell too', async () => {
    const ruled = await fullPool({ size: 2 });
    const { pool, clock, factory } = ruled;
    factory.next('close', { after: 3_000 }, { after: 1_000 });
    pool.recycle();
    const closed = fateOf(pool.close());
    await clock.advance(2_999);
    expect(closed.state).toBe('pending');
    await clock.advance(1);
    expect(closed.state).toBe('fulfilled');
    await expectClosed(ruled);
  });

  it('burying a broken connection: awaits that too, though it takes no slot any more', async () => {
    const ruled = await fullPool({ size: 1 });
    const { pool, clock, factory } = ruled;
    factory.next('close', { after: 3_000 });
    pool.tryAcquire()!.discard();
    await clock.settle();
    const closed = fateOf(pool.close());
    await clock.advance(2_999);
    expect(closed.state).toBe('pending');
    await clock.advance(1);
    expect(closed.state).toBe('fulfilled');
    await expectClosed(ruled);
  });

  it('already closed: answers with the same promise', async () => {
    const ruled = await fullPool({ size: 1 });
    const first = ruled.pool.close();
    await first;
    expect(ruled.pool.close({ timeout: 5 })).toBe(first);
    await expectClosed(ruled);
  });
});

describe('P10: close and its deadline', () => {
  it('closes what is still leased when time is up, logs it, and makes the late release mean nothing', async () => {
    const ruled = await fullPool({ size: 2, shutdownTimeout: 4_000 });
    const { pool, clock, factory, lines } = ruled;
    const lease = pool.tryAcquire()!;
    pool.tryAcquire();
    const closed = fateOf(pool.close());
    await clock.advance(3_999);
    expect(closed.state).toBe('pending');
    expect(factory.closed).toEqual([]);
    await clock.advance(1);
    expect(closed.state).toBe('fulfilled');
    expect(closeReasons(factory)).toEqual(['shutdown', 'shutdown']);
    expect(lines).toEqual([
      'Pool "scripted" closes 2 connections that are still leased: not returned within 4 s of close()',
    ]);
    lease.release();
    lease.discard(new Error('late'));
    expect(factory.closed).toHaveLength(2);
    await expectClosed(ruled);
  });

  it('takes the time-out given rather than its setting', async () => {
    const ruled = await fullPool({ size: 1 });
    ruled.pool.tryAcquire();
    const closed = fateOf(ruled.pool.close({ timeout: '2s' }));
    await ruled.clock.advance(1_999);
    expect(closed.state).toBe('pending');
    await ruled.clock.advance(1);
    expect(closed.state).toBe('fulfilled');
    expect(ruled.lines[0]).toContain('a connection that is still leased');
    await expectClosed(ruled);
  });

  it('waits for nobody with a time-out of 0', async () => {
    const ruled = await fullPool({ size: 1 });
    ruled.pool.tryAcquire();
    const waiter = fateOf(ruled.pool.acquire());
    await ruled.pool.close({ timeout: 0 });
    expect(ruled.clock.now()).toBe(1_000);
    expect(waiter.reason).toBeInstanceOf(PoolClosedError);
    await expectClosed(ruled);
  });

  it.each([Infinity, false] as const)('waits for ever with a time-out of %s', async (timeout) => {
    const ruled = await fullPool({ size: 1 });
    const lease = ruled.pool.tryAcquire()!;
    const closed = fateOf(ruled.pool.close({ timeout }));
    await ruled.clock.advance(1e9);
    expect(closed.state).toBe('pending');
    lease.release();
    await ruled.clock.settle();
    expect(closed.state).toBe('fulfilled');
    await expectClosed(ruled);
  });

  it('is brought forward by an earlier deadline', async () => {
    const ruled = await fullPool({ size: 1 });
    const { pool, clock, lines } = ruled;
    pool.tryAcquire();
    const promise = pool.close({ timeout: 10_000 });
    const closed = fateOf(promise);
    await clock.advance(2_000);
    expect(pool.close({ timeout: 1_000 })).toBe(promise);
    await clock.advance(999);
    expect(closed.state).toBe('pending');
    await clock.advance(1);
    expect(closed.state).toBe('fulfilled');
    expect(lines[0]).toContain('not returned within 1 s');
    await expectClosed(ruled);
  });

  it('is not put off by a later deadline', async () => {
    const ruled = await fullPool({ size: 1 });
    const { pool, clock } = ruled;
    pool.tryAcquire();
    const promise = pool.close({ timeout: 2_000 });
    const closed = fateOf(promise);
    expect(pool.close({ timeout: 60_000 })).toBe(promise);
    expect(pool.close({ timeout: Infinity })).toBe(promise);
    await clock.advance(2_000);
    expect(closed.state).toBe('fulfilled');
    await expectClosed(ruled);
  });

  it('is brought forward to now by a time-out of 0, and forces only once', async () => {
    const ruled = await fullPool({ size: 1 });
    const { pool, clock, factory, lines } = ruled;
    factory.always('close', { after: 3_000 });
    pool.tryAcquire();
    const closed = fateOf(pool.close({ timeout: 1_000 }));
    await clock.advance(500);
    void pool.close({ timeout: 0 });
    await clock.advance(2_999);
    expect(closed.state).toBe('pending');
    await clock.advance(1);
    expect(closed.state).toBe('fulfilled');
    expect(lines).toHaveLength(1);
    await expectClosed(ruled);
  });

  it('by asyncDispose has the setting for its deadline', async () => {
    const ruled = await fullPool({ size: 1, shutdownTimeout: 700 });
    const { pool, clock } = ruled;
    pool.tryAcquire();
    const closed = fateOf(pool[Symbol.asyncDispose]());
    await clock.advance(699);
    expect(closed.state).toBe('pending');
    await clock.advance(1);
    expect(closed.state).toBe('fulfilled');
    await expectClosed(ruled);
  });

  it('rejects a time-out that is none, and closes nothing', async () => {
    const { pool } = await fullPool({ size: 1 });
    await expect(pool.close({ timeout: 'soon' })).rejects.toBeInstanceOf(PoolSettingsError);
    expect(pool.tryAcquire()).toBeDefined();
  });
});

describe('P10: close and callers', () => {
  it('turns new ones away at once', async () => {
    const { pool } = await fullPool({ size: 2 });
    pool.tryAcquire();
    void pool.close();
    await expect(pool.acquire()).rejects.toBeInstanceOf(PoolClosedError);
    await expect(pool.ready()).rejects.toBeInstanceOf(PoolClosedError);
    expect(() => pool.tryAcquire()).toThrow(PoolClosedError);
  });

  it('serves those in the queue, in order, while time remains; then tells the others', async () => {
    const ruled = await fullPool({ size: 1 });
    const { pool, clock } = ruled;
    const lease = pool.tryAcquire()!;
    const fates = [fateOf(pool.acquire()), fateOf(pool.acquire()), fateOf(pool.acquire())];
    const closed = fateOf(pool.close({ timeout: 5_000 }));
    await clock.advance(1_000);
    lease.release();
    await clock.settle();
    expect(fates.map(({ state }) => state)).toEqual(['fulfilled', 'pending', 'pending']);
    fates[0]!.value!.release();
    await clock.settle();
    expect(fates.map(({ state }) => state)).toEqual(['fulfilled', 'fulfilled', 'pending']);
    await clock.advance(4_000);
    expect(fates[2]!.reason).toBeInstanceOf(PoolClosedError);
    expect(closed.state).toBe('fulfilled');
    await expectClosed(ruled);
  });

  it('goes on connecting for them, and for them only', async () => {
    const ruled = ruledPool(
      { size: 10, keepalive: 20_000, maxLifetime: 100_000, maxConnecting: 1 },
      { hooks: ['keepalive'], prepare: (factory) => factory.always('connect', { after: 100 }) },
    );
    const { pool, clock, factory } = ruled;
    const fates = [fateOf(pool.acquire()), fateOf(pool.acquire())];
    const closed = fateOf(pool.close());
    await clock.advance(100);
    expect(fates[0]!.state).toBe('fulfilled');
    await clock.advance(100);
    expect(fates[1]!.state).toBe('fulfilled');
    await clock.advance(1_000);
    expect(factory.calls.connect).toBe(2);
    for (const fate of fates) fate.value!.release();
    await clock.settle();
    expect(closed.state).toBe('fulfilled');
    await expectClosed(ruled);
  });

  it('goes on through an outage for them, until the backend is back', async () => {
    const ruled = ruledPool(
      { size: 2, reconnect: { jitter: 'none' } },
      { prepare: (factory) => factory.always('connect', { fail: new Error('down') }) },
    );
    const { pool, clock, factory } = ruled;
    const fate = fateOf(pool.acquire());
    await clock.advance(1_000);
    const closed = fateOf(pool.close());
    factory.always('connect', 'succeed');
    await clock.advance(3_000);
    expect(fate.state).toBe('fulfilled');
    fate.value!.release();
    await clock.settle();
    expect(closed.state).toBe('fulfilled');
    await expectClosed(ruled);
  });

  it('replaces what breaks under them, and closes when the last has gone', async () => {
    const ruled = await fullPool({ size: 1 });
    const { pool, clock, factory } = ruled;
    const lease = pool.tryAcquire()!;
    const fate = fateOf(pool.acquire());
    const closed = fateOf(pool.close());
    lease.discard(new Error('broken'));
    await clock.settle();
    expect(fate.value!.connection).toBe(factory.opened[1]);
    fate.value!.release();
    await clock.settle();
    expect(closed.state).toBe('fulfilled');
    expect(closeReasons(factory)).toEqual(['broken', 'shutdown']);
    await expectClosed(ruled);
  });

  it('resets between them, but not after the last', async () => {
    const ruled = await fullPool({ size: 1 }, { hooks: ['reset'] });
    const { pool, clock, factory } = ruled;
    const lease = pool.tryAcquire()!;
    const fate = fateOf(pool.acquire());
    const closed = fateOf(pool.close());
    lease.release();
    expect(factory.calls.reset).toBe(1);
    await clock.settle();
    fate.value!.release();
    await clock.settle();
    expect(factory.calls.reset).toBe(1);
    expect(closed.state).toBe('fulfilled');
    await expectClosed(ruled);
  });

  it.each(['connect', 'reset'] as const)('gives up the %s for a caller whom another has served', async (hook) => {
    const ruled = await fullPool({ size: 2 }, { hooks: ['reset'] });
    const { pool, clock, factory, resets } = ruled;
    factory.always('connect', 'obey').next('reset', hook === 'reset' ? 'hang' : 'succeed');
    const [one, two] = [pool.tryAcquire()!, pool.tryAcquire()!];
    const fate = fateOf(pool.acquire());
    const closed = fateOf(pool.close());
    if (hook === 'reset') one.release();
    else one.discard();
    await clock.settle();
    const signal = hook === 'reset' ? resets[0]!.signal : factory.connectContexts.at(-1)!.signal;
    expect(signal.aborted).toBe(false);
    two.release();
    await clock.settle();
    expect(fate.state).toBe('fulfilled');
    expect(signal.aborted).toBe(true);
    expect(pool.stats()).toMatchObject({ checking: 0, connecting: 0, leased: 1 });
    fate.value!.release();
    await clock.settle();
    expect(closed.state).toBe('fulfilled');
    await expectClosed(ruled);
  });

  it('gives up what was being opened or reset for a caller who leaves', async () => {
    const ruled = await fullPool({ size: 2 }, { hooks: ['reset'] });
    const { pool, clock, factory, resets } = ruled;
    factory.always('connect', 'obey').always('reset', 'hang');
    const [one, two] = [pool.tryAcquire()!, pool.tryAcquire()!];
    const controller = new AbortController();
    const aborted = fateOf(pool.acquire({ signal: controller.signal }));
    const late = fateOf(pool.acquire({ timeout: 2_000 }));
    const closed = fateOf(pool.close());
    one.release();
    two.discard();
    await clock.settle();
    expect(pool.stats()).toMatchObject({ checking: 1, connecting: 1, waiting: 2 });
    controller.abort(new Error('left'));
    await clock.advance(2_000);
    expect(aborted.reason).toEqual(new Error('left'));
    expect(late.state).toBe('rejected');
    expect(closed.state).toBe('fulfilled');
    expect(resets[0]!.signal.aborted).toBe(true);
    expect(factory.connectContexts[2]!.signal.aborted).toBe(true);
    await expectClosed(ruled);
  });

  it('serves a caller who waits when the pool was never started', async () => {
    const ruled = ruledPool({ size: { min: 2, max: 4 } });
    const fate = fateOf(ruled.pool.acquire());
    const closed = fateOf(ruled.pool.close());
    await ruled.clock.settle();
    expect(fate.state).toBe('fulfilled');
    fate.value!.release();
    await ruled.clock.settle();
    expect(closed.state).toBe('fulfilled');
    await expectClosed(ruled);
  });
});

describe('P10: close and hooks that misbehave', () => {
  it.each([
    ['throws', { throw: new Error('no') }],
    ['rejects', { fail: new Error('no') }],
    ['rejects with undefined', { fail: undefined }],
  ] as const)('resolves though close %s', async (_name, behaviour) => {
    const ruled = await fullPool({ size: 3 });
    ruled.factory.always('close', behaviour);
    await ruled.pool.close();
    expect(ruled.clock.now()).toBe(1_000);
    await expectClosed(ruled);
  });

  it.each([
    ['hangs', 'hang'],
    ['fails late', { after: 9_000, outcome: { fail: new Error('late') } }],
    ['succeeds late', { after: 9_000 }],
  ] as const)('resolves after closeTimeout, and says so, though close %s', async (_name, behaviour) => {
    const ruled = await fullPool({ size: 2, closeTimeout: 3_000 });
    const { factory, pool, clock, lines } = ruled;
    factory.always('close', behaviour);
    const closed = fateOf(pool.close());
    await clock.advance(2_999);
    expect(closed.state).toBe('pending');
    expect(pool.stats().closing).toBe(2);
    await clock.advance(1);
    expect(closed.state).toBe('fulfilled');
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(/^Pool "scripted" closing a connection \(shutdown\) took longer than closeTimeout/);
    await clock.advance(10_000);
    await expectClosed(ruled);
  });

  it('destroys a connection whose close hangs, once its time is up', async () => {
    const ruled = await fullPool({ size: 2, closeTimeout: 3_000 });
    const destroyed: number[] = [];
    for (const connection of ruled.factory.opened) {
      Object.assign(connection, {
        destroy: () => {
          destroyed.push(connection.id);
          throw new Error('destroy fails too');
        },
      });
    }
    ruled.factory.always('close', 'hang');
    const closed = fateOf(ruled.pool.close());
    await ruled.clock.advance(2_999);
    expect(destroyed).toEqual([]);
    await ruled.clock.advance(1);
    expect(destroyed).toEqual([1, 2]);
    expect(closed.state).toBe('fulfilled');
    await expectClosed(ruled);
  });

  it('warns the process where there is no logger, of forced closes of both kinds', async () => {
    const emitWarning = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    try {
      const { pool, clock, factory } = await fullPool({ size: 1, closeTimeout: 3_000, logger: undefined });
      factory.always('close', 'hang');
      pool.tryAcquire();
      const closed = fateOf(pool.close({ timeout: 1_000 }));
      await clock.advance(4_000);
      expect(closed.state).toBe('fulfilled');
      expect(emitWarning.mock.calls).toEqual([
        [expect.stringContaining('Pool "scripted" closes a connection that is still leased'), 'ConnectionPoolWarning'],
        [expect.stringContaining('took longer than closeTimeout'), 'ConnectionPoolWarning'],
      ]);
    } finally {
      emitWarning.mockRestore();
    }
  });

  it('closes a connection whose connect ignores its signal, when that settles', async () => {
    const ruled = ruledPool({ size: 2 }, { prepare: (factory) => factory.always('connect', { after: 30_000 }) });
    const { pool, clock, factory } = ruled;
    pool.start();
    await pool.close();
    expect(factory.opened).toEqual([]);
    await clock.advance(30_000);
    expect(closeReasons(factory)).toEqual(['surplus', 'surplus']);
    expect(pool.stats().totals).toMatchObject({ connected: 2, closed: { surplus: 2 } });
    await expectClosed(ruled);
  });

  it('leaves no timer when the close of such a late one hangs', async () => {
    const ruled = ruledPool(
      { size: 1, closeTimeout: 2_000 },
      { prepare: (factory) => factory.always('connect', { after: 30_000 }).always('close', 'hang') },
    );
    ruled.pool.start();
    await ruled.pool.close();
    await ruled.clock.advance(30_000);
    expect(ruled.clock.holding).toBe(0);
    await ruled.clock.advance(2_000);
    await expectClosed(ruled);
  });

  it('says nothing of a connect that fails, or yields nothing, after the pool closed', async () => {
    const ruled = ruledPool(
      { size: 2 },
      {
        prepare: (factory) =>
          factory.next(
            'connect',
            { after: 500, outcome: { fail: new Error('late') } },
            { after: 500, outcome: { yield: null } },
          ),
      },
    );
    ruled.pool.start();
    await ruled.pool.close();
    await ruled.clock.advance(500);
    expect(ruled.lines).toEqual([]);
    expect(ruled.pool.stats().totals.connectFailures).toBe(0);
    await expectClosed(ruled);
  });

  it.each(['recycle', 'resize', 'close', 'acquire'] as const)(
    'survives a close that calls %s of its pool',
    async (verb) => {
      const ruled = await fullPool({ size: 4 });
      const { pool, factory } = ruled;
      const { close } = factory;
      factory.close = (connection, reason) => {
        if (verb === 'recycle') pool.recycle();
        if (verb === 'resize') pool.resize(1);
        if (verb === 'close') void pool.close({ timeout: 0 });
        if (verb === 'acquire') void pool.acquire().catch(() => {});
        return close.call(factory, connection, reason);
      };
      await pool.close();
      expect(factory.closed).toHaveLength(4);
      await expectClosed(ruled);
    },
  );

  it.each([0, 1, 2])('closes once what dies while it is being closed (hook %i of the last moments)', async (moment) => {
    const ruled = await fullPool({ size: 3 });
    const { pool, factory, clock } = ruled;
    factory.always('close', { after: 1_000 });
    const dying = factory.opened[1]!;
    const held = pool.tryAcquire()!;
    if (moment === 0) dying.die(new Error('before'));
    const closed = fateOf(pool.close());
    if (moment === 1) dying.die(new Error('during'));
    held.connection.die(new Error('on loan'));
    await clock.advance(500);
    if (moment === 2) dying.die(new Error('later'));
    held.release();
    await clock.advance(1_000);
    expect(closed.state).toBe('fulfilled');
    expect(held).toBeDefined();
    await expectClosed(ruled);
  });
});

describe('P10: close and listeners', () => {
  it('leaves no listener on the signals of those who waited', async () => {
    const { pool, clock } = ruledPool({ size: 1 }, { prepare: (factory) => factory.always('connect', 'hang') });
    const added: string[] = [];
    const { signal } = new AbortController();
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...given: Parameters<typeof add>) => {
      added.push(given[0]);
      add(...given);
    };
    signal.removeEventListener = (...given: Parameters<typeof remove>) => {
      added.pop();
      remove(...given);
    };
    const fates = [fateOf(pool.acquire({ signal })), fateOf(pool.ready({ signal }))];
    expect(added).toHaveLength(2);
    await pool.close({ timeout: 0 });
    await clock.settle();
    expect(fates.map(({ state }) => state)).toEqual(['rejected', 'rejected']);
    expect(added).toEqual([]);
  });

  it('stops each watch once', async () => {
    const clock = new VirtualClock();
    const stopped: number[] = [];
    let opened = 0;
    class Watched extends ConnectionFactory<{ id: number }> {
      connect(): { id: number } {
        return { id: ++opened };
      }
      override watch(connection: { id: number }): () => void {
        return () => {
          stopped.push(connection.id);
          throw new Error('stopping fails');
        };
      }
    }
    const pool = new ConnectionPool(new Watched(), { clock, size: 3 });
    const ready = pool.ready();
    await clock.settle();
    await ready;
    await pool.close();
    expect(stopped.toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
  });

  describe('on sockets', () => {
    let server: Server;
    const atServer = new Set<Socket>();

    beforeEach(async () => {
      server = createServer({ allowHalfOpen: false }, (socket) => {
        atServer.add(socket);
        socket.on('close', () => atServer.delete(socket));
        socket.resume();
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    });

    afterEach(async () => {
      await new Promise((resolve) => server.close(resolve));
    });

    it('leaves nothing but the listener for late errors', async () => {
      const sockets: Socket[] = [];
      const before: Array<Record<string, number>> = [];
      class Sockets extends ConnectionFactory<Socket> {
        async connect(): Promise<Socket> {
          const socket = dial((server.address() as AddressInfo).port, '127.0.0.1');
          await new Promise<void>((resolve, reject) => {
            socket.once('connect', resolve).once('error', reject);
          });
          socket.removeAllListeners('error');
          sockets.push(socket);
          before.push(listenersOf(socket));
          return socket;
        }
      }
      const pool = new ConnectionPool(new Sockets(), { size: 2 });
      await pool.ready();
      await pool.close();

      expect(sockets).toHaveLength(2);
      for (const [index, socket] of sockets.entries()) {
        expect(socket.closed).toBe(true);
        expect({ ...listenersOf(socket), end: 0 }).toEqual({ ...before[index], error: 1, end: 0 });
      }
    });
  });
});

function listenersOf(emitter: EventEmitter): Record<string, number> {
  const names = ['error', 'close', 'end', 'data', 'readable', 'finish'];
  return Object.fromEntries(names.map((name) => [name, emitter.listenerCount(name)]));
}
