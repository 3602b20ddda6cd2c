import { describe, expect, test } from '@jest/globals';
import { VirtualClock, type Behaviour } from '../../src/testing/index.js';
import { fateOf, filled, later, workbench } from './workbench.js';

const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
const REFUSE: Behaviour = { fail: refused };
const silent = { log: () => undefined, warn: () => undefined, error: () => undefined };

describe('P1: one backoff for the whole pool', () => {
  test('connects that fail at once for ever are tried once per pause, and pauses double up to maxDelay', async () => {
    const { clock, factory, pool } = workbench({ size: 1, reconnect: { jitter: 'none', maxDelay: 1_000 } });
    factory.always('connect', REFUSE);
    pool.start();
    await clock.advance(4_600);
    expect(factory.connectTimes).toEqual([0, 100, 300, 700, 1_500, 2_500, 3_500, 4_500]);
  });

  test('however many connects are in flight at the start, they make one failure of the backoff', async () => {
    const { clock, factory, pool } = workbench({ size: 10, maxConnecting: 5 });
    factory.always('connect', REFUSE);
    pool.start();
    await clock.advance(1_500);
    expect(factory.connectTimes).toEqual([0, 0, 0, 0, 0, 100, 300, 700, 1_500]);
    expect(pool.stats().totals.connectFailures).toBe(9);
  });

  test('the pause grows once per pause, however many connects fail in it', async () => {
    const { clock, factory, pool } = workbench({ size: 10, maxConnecting: 5 });
    // All five are begun at 0 and fail one after the other, within the first pause and the second.
    factory.next('connect', ...[0, 10, 20, 150, 160].map((after) => later(after, REFUSE)));
    factory.always('connect', REFUSE);
    pool.start();
    await clock.advance(700);
    expect(factory.connectTimes.slice(5)).toEqual([100, 300, 700]);
  });

  test('a pause in which no connect failed is followed by one as long', async () => {
    const { clock, factory, pool } = workbench({ size: 5, maxConnecting: 5 });
    factory.next('connect', REFUSE, REFUSE, REFUSE, REFUSE, REFUSE);
    factory.always('connect', 'hang');
    pool.start();
    await clock.advance(1_000);
    // At 100 the pause has grown to 200; the connects hang, so nothing fails, and it stays there.
    expect(factory.connectTimes.slice(5)).toEqual([100, 300, 500, 700, 900]);
  });

  test('connects in flight when the first one fails go on, and what they open is kept', async () => {
    const { clock, factory, pool } = workbench({ size: 3 });
    factory.next('connect', REFUSE, { after: 50 }, { after: 60 });
    factory.always('connect', 'hang');
    pool.start();
    await clock.advance(60);
    expect(factory.connectContexts.map(({ signal }) => signal.aborted)).toEqual([false, false, false]);
    expect(pool.stats()).toMatchObject({ idle: 2, connecting: 0, downSince: 0 });
    await clock.advance(40);
    expect(factory.connectTimes).toEqual([0, 0, 0, 100]);
  });

  test('no more than maxConnecting hang at once while connects fail, and the next is begun as soon as one has ended', async () => {
    const { clock, factory, pool } = workbench({ size: 5, maxConnecting: 2, connectTimeout: 1_000 });
    factory.next('connect', REFUSE);
    factory.always('connect', 'hang');
    pool.start();
    await clock.advance(1_000);
    // At 0 one fails and one hangs, at 100 another hangs; the hanging one of 0 ends at 1000, long after the pause.
    expect(factory.connectTimes).toEqual([0, 0, 100, 1_000]);
    expect(pool.stats().connecting).toBe(2);
  });

  test('callers who come while connects fail begin none', async () => {
    const { clock, factory, pool } = workbench({ size: 3 });
    factory.always('connect', REFUSE);
    const fates = Array.from({ length: 50 }, () => fateOf(pool.acquire()));
    await clock.advance(50);
    fates.push(...Array.from({ length: 50 }, () => fateOf(pool.acquire({ timeout: 10 }))));
    await clock.advance(49);
    expect(factory.connectTimes).toEqual([0, 0, 0]);
    expect(fates.filter(({ state }) => state === 'rejected')).toHaveLength(50);
  });

  test('a pause is never shorter than a millisecond, so that connects that fail at once leave room for the rest', async () => {
    const { clock, factory, pool } = workbench({ size: 1, reconnect: { delay: 0, jitter: 'none' } });
    factory.always('connect', { throw: refused });
    pool.start();
    await clock.advance(20);
    expect(factory.connectTimes).toEqual(Array.from({ length: 21 }, (_, time) => time));
  });

  test('with full jitter the pauses lie between none and their full length', async () => {
    const { clock, factory, pool } = workbench({ size: 1, reconnect: { delay: 1_000, multiplier: 1, jitter: 'full' } });
    factory.always('connect', REFUSE);
    pool.start();
    await clock.advance(100_000);
    const pauses = factory.connectTimes.slice(1).map((time, index) => time - factory.connectTimes[index]!);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(1_000);
    expect(Math.min(...pauses)).toBeLessThan(100);
    expect(Math.max(...pauses)).toBeGreaterThan(900);
    expect(pauses.length).toBeGreaterThan(150);
    expect(pauses.length).toBeLessThan(250);
  });

  test('a connect that throws before it returns a promise is a failed connect like any other', async () => {
    const { clock, factory, pool } = workbench({ size: 2 });
    factory.always('connect', { throw: refused });
    pool.start();
    await clock.advance(300);
    expect(factory.connectTimes).toEqual([0, 0, 100, 300]);
    expect(pool.stats()).toMatchObject({ lastConnectError: refused, downSince: 0, totals: { connectFailures: 4 } });
  });
});

describe('P1: the end of the backoff', () => {
  test('a backend that is down at start and up later is found within one pause, and the pool fills', async () => {
    const { clock, factory, pool } = workbench({ size: 4 });
    factory.always('connect', REFUSE);
    pool.start();
    await clock.advance(1_000);
    expect(pool.stats()).toMatchObject({ open: 0, downSince: 0, lastConnectError: refused });
    factory.always('connect', 'succeed');
    await clock.advance(499);
    expect(pool.stats().open).toBe(0);
    await clock.advance(1);
    expect(pool.stats()).toMatchObject({ open: 1, downSince: 0 });
    // It has held after a second; then all the others are opened at once.
    await clock.advance(999);
    expect(pool.stats()).toMatchObject({ open: 1, downSince: 0 });
    await clock.advance(1);
    expect(pool.stats()).toMatchObject({ open: 4, downSince: undefined });
    expect(factory.connectTimes.slice(-4)).toEqual([1_500, 2_500, 2_500, 2_500]);
    expect(clock.holding).toBe(0);
  });

  test('a second is a second whatever fractions of milliseconds the clock shows: no alarm is set for now again and again', async () => {
    for (let index = 0; index < 100; index++) {
      const clock = new VirtualClock({ start: index * 7.123456789 });
      const { factory, pool } = workbench({ size: 2, reconnect: { delay: 33.3, jitter: 'none' } }, [], clock);
      factory.next('connect', REFUSE, REFUSE);
      pool.start();
      await clock.advance(33.3 + 1_000 + 0.001);
      expect(pool.stats()).toMatchObject({ open: 2, downSince: undefined });
    }
  });

  test('a lease that ends well shows that the connection holds, and the others are opened at once', async () => {
    const { clock, factory, pool } = workbench({ size: 4 });
    factory.next('connect', REFUSE, REFUSE, REFUSE, REFUSE);
    const lease = fateOf(pool.acquire());
    await clock.advance(100);
    expect(pool.stats()).toMatchObject({ leased: 1, connecting: 0, downSince: 0 });
    await clock.advance(20);
    lease.value!.release();
    expect(pool.stats()).toMatchObject({ connecting: 3, downSince: undefined });
    expect(factory.connectTimes.slice(-3)).toEqual([120, 120, 120]);
  });

  test('work that fails for reasons of its own shows that the connection holds, too', async () => {
    const { clock, factory, pool } = workbench({ size: 2 });
    factory.next('connect', REFUSE, REFUSE);
    const work = fateOf(pool.use(() => Promise.reject(new Error('no such mailbox'))));
    await clock.advance(100);
    expect(work.state).toBe('rejected');
    expect(pool.stats()).toMatchObject({ open: 2, downSince: undefined });
  });

  test('a ping that is answered shows that the connection holds', async () => {
    const { clock, factory, pool } = workbench({ size: 3, keepalive: 300 }, ['keepalive']);
    factory.next('connect', REFUSE, REFUSE, REFUSE);
    pool.start();
    await clock.advance(100 + 300);
    expect(factory.calls.keepalive).toBeGreaterThanOrEqual(1);
    expect(pool.stats()).toMatchObject({ open: 3, downSince: undefined });
  });

  test('while connects fail, a new connection that nobody waits for is pinged at once, to know sooner', async () => {
    const { clock, factory, pool } = workbench({ size: 3 }, ['keepalive']);
    factory.next('connect', REFUSE, REFUSE, REFUSE);
    pool.start();
    await clock.advance(100);
    expect(factory.calls.keepalive).toBe(1);
    expect(pool.stats()).toMatchObject({ open: 3, downSince: undefined });
  });

  test('connects that were in flight when the outage began do not end it, or there would be no pause', async () => {
    const { clock, factory, pool } = workbench({ size: 3, reconnect: { jitter: 'none' } }, ['keepalive']);
    factory.next('connect', REFUSE, 'succeed', 'succeed');
    factory.always('connect', 'hang');
    pool.start();
    await clock.advance(99);
    expect(factory.calls.keepalive).toBe(0);
    expect(pool.stats()).toMatchObject({ open: 2, downSince: 0 });
    await clock.advance(10_000);
    expect(factory.connectTimes[3]).toBe(100);
  });

  test('one that fails that ping counts as a failed connect', async () => {
    const { clock, factory, pool } = workbench({ size: 1, reconnect: { jitter: 'none' } }, ['keepalive']);
    factory.next('connect', REFUSE);
    factory.always('keepalive', { fail: new Error('not yet') });
    pool.start();
    await clock.advance(700);
    expect(factory.connectTimes).toEqual([0, 100, 300, 700]);
    expect(pool.stats().totals).toMatchObject({ connectFailures: 4, pings: 3, closed: { broken: 3 } });
  });

  test('a caller who waits gets the new connection, and it is not pinged first', async () => {
    const { clock, factory, pool } = workbench({ size: 1 }, ['keepalive']);
    factory.next('connect', REFUSE);
    const lease = fateOf(pool.acquire());
    await clock.advance(100);
    expect(lease.state).toBe('resolved');
    expect(factory.calls.keepalive).toBe(0);
  });

  test('a lease that ends with the connection discarded shows nothing', async () => {
    const { clock, factory, pool } = workbench({ size: 2 });
    factory.next('connect', REFUSE, REFUSE);
    const lease = fateOf(pool.acquire());
    await clock.advance(100);
    lease.value!.discard();
    expect(pool.stats().downSince).toBe(0);
    expect(factory.connectTimes).toEqual([0, 0, 100]);
  });

  test('a connection opened before the first failure ends no backoff: more may be refused for good', async () => {
    const { clock, factory, pool } = workbench({ size: 3 });
    factory.next('connect', 'succeed');
    factory.always('connect', REFUSE);
    pool.start();
    await clock.settle();
    (await pool.acquire()).release();
    await clock.advance(2_000);
    expect(pool.stats()).toMatchObject({ open: 1, downSince: 0 });
  });

  test('after an outage the next one begins with the first pause again', async () => {
    const { clock, factory, pool } = workbench({ size: 1 });
    factory.next('connect', REFUSE, REFUSE, REFUSE);
    pool.start();
    await clock.advance(700 + 1_000);
    expect(pool.stats().downSince).toBeUndefined();
    factory.always('connect', REFUSE);
    factory.opened[0]!.die();
    await clock.advance(300);
    expect(factory.connectTimes).toEqual([0, 100, 300, 700, 1_700, 1_800, 2_000]);
    expect(pool.stats().downSince).toBe(1_700);
  });

  test('attempts count from 1 those that failed since the last connect that held', async () => {
    const { clock, factory, pool } = workbench({ size: 1 });
    factory.next('connect', REFUSE, REFUSE);
    pool.start();
    await clock.advance(300 + 1_000);
    factory.opened[0]!.die();
    await clock.settle();
    expect(factory.connectContexts.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 1]);
  });

  test('connects begun side by side have the same attempt number', async () => {
    const { clock, factory, pool } = workbench({ size: 3 });
    factory.always('connect', later(10, REFUSE));
    pool.start();
    await clock.advance(150);
    expect(factory.connectContexts.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 4]);
  });
});

describe('P1: a backend that accepts, then kicks', () => {
  test('a connection lost within its first second, before a lease or ping, counts as a failed connect', async () => {
    const { clock, factory, pool } = await filled({ size: 1 });
    await clock.advance(999);
    factory.opened[0]!.die(refused);
    expect(pool.stats()).toMatchObject({ downSince: 999, lastConnectError: refused, connecting: 0 });
    expect(pool.stats().totals).toMatchObject({ connected: 1, connectFailures: 1 });
    await clock.advance(100);
    expect(factory.connectTimes).toEqual([0, 1_099]);
  });

  test('lost without a word, it is an error that says so', async () => {
    const { factory, pool } = await filled({ size: 1 });
    factory.opened[0]!.die();
    expect(String(pool.stats().lastConnectError)).toContain('The other side closed it');
  });

  test('a connection lost after its first second is replaced at once', async () => {
    const { clock, factory, pool } = await filled({ size: 1 });
    await clock.advance(1_000);
    factory.opened[0]!.die();
    await clock.settle();
    expect(factory.connectTimes).toEqual([0, 1_000]);
    expect(pool.stats().totals.connectFailures).toBe(0);
  });

  test('a connection lost after its first lease is replaced at once, however young', async () => {
    const { clock, factory, pool } = await filled({ size: 1 });
    (await pool.acquire()).release();
    await clock.advance(10);
    factory.opened[0]!.die();
    await clock.settle();
    expect(factory.connectTimes).toEqual([0, 10]);
    expect(pool.stats().totals.connectFailures).toBe(0);
  });

  test('one that dies during its first lease counts as a failed connect, once', async () => {
    const { clock, factory, pool } = await filled({ size: 1 });
    const work = fateOf(
      pool.use(async (connection) => {
        connection.die(refused);
        throw refused;
      }),
    );
    await clock.settle();
    expect(work.error).toBe(refused);
    expect(pool.stats()).toMatchObject({ downSince: 0, totals: { connectFailures: 1, closed: { broken: 1 } } });
    await clock.advance(99);
    expect(factory.calls.connect).toBe(1);
  });

  test('a backend that always kicks is asked once per pause, and pauses grow', async () => {
    const { clock, factory, pool } = workbench({ size: 5 });
    pool.start();
    const times: number[] = [];
    for (let step = 0; step < 400; step++) {
      await clock.advance(5);
      times.push(...factory.live.map(() => clock.now()));
      for (const connection of factory.live) connection.die();
    }
    expect(factory.connectTimes.slice(0, 5)).toEqual([0, 0, 0, 0, 0]);
    expect(factory.connectTimes.slice(5)).toEqual([105, 305, 705, 1_505]);
    expect(pool.stats().totals.connectFailures).toBe(9);
    expect(times).toHaveLength(9);
  });

  test('those that were kicked while leased do not end the backoff either', async () => {
    const { clock, factory, pool } = workbench({ size: 2, acquireTimeout: Infinity });
    const outcomes = Array.from({ length: 6 }, () =>
      fateOf(pool.use((connection) => Promise.reject(kick(connection)))),
    );
    await clock.advance(1_500);
    expect(factory.connectTimes).toEqual([0, 0, 100, 300, 700, 1_500]);
    expect(outcomes.map(({ error }) => error)).toEqual(Array.from({ length: 6 }, () => refused));
  });
});

function kick(connection: { die(error: Error): void }): Error {
  connection.die(refused);
  return refused;
}

describe('P1: "too many connections"', () => {
  test('a pool that gets fewer than its size serves with those, and goes on trying for the rest, once per pause', async () => {
    const { clock, factory, pool } = workbench({ size: 5, reconnect: { jitter: 'none', maxDelay: 400 } });
    const tooMany = new Error('too many connections');
    factory.next('connect', 'succeed', 'succeed');
    factory.always('connect', { fail: tooMany });
    pool.start();
    await clock.advance(1_500);
    expect(pool.stats()).toMatchObject({ idle: 2, lastConnectError: tooMany, downSince: 0 });
    expect(factory.connectTimes).toEqual([0, 0, 0, 0, 0, 100, 300, 700, 1_100, 1_500]);
    for (let lease = 0; lease < 10; lease++) await pool.use(() => undefined);
    expect(factory.calls.connect).toBe(10);
    factory.always('connect', 'succeed');
    await clock.advance(400 + 1_000);
    expect(pool.stats()).toMatchObject({ idle: 5, downSince: undefined });
  });

  test('one that is lost meanwhile is replaced by the next that is due', async () => {
    const { clock, factory, pool } = workbench({ size: 3 });
    factory.next('connect', 'succeed', 'succeed', REFUSE);
    pool.start();
    await clock.advance(10);
    factory.opened[0]!.die();
    await clock.advance(89);
    expect(pool.stats()).toMatchObject({ idle: 1, connecting: 0 });
    await clock.advance(1);
    expect(pool.stats()).toMatchObject({ idle: 2 });
  });
});

describe('P1: an outage that no connect can end, as none is wanted', () => {
  /** A pool that had to open a second connection, and could not; the caller who wanted it has gone. */
  async function outageOfTheSecond() {
    const bench = await filled({ size: { min: 1, max: 2 }, acquireTimeout: 20 });
    const { clock, factory, pool } = bench;
    await clock.advance(2_000);
    factory.always('connect', REFUSE);
    const lease = await pool.acquire();
    const inVain = fateOf(pool.acquire());
    await clock.advance(20);
    expect(inVain.error).toMatchObject({ code: 'ERR_POOL_ACQUIRE_TIMEOUT', cause: refused });
    expect(pool.stats().downSince).toBe(2_000);
    return { ...bench, lease };
  }

  test('is not said to be one while what there is serves', async () => {
    const { factory, pool, lease } = await outageOfTheSecond();
    lease.release();
    expect(pool.stats()).toMatchObject({ idle: 1, downSince: undefined, lastConnectError: refused });
    expect(factory.calls.connect).toBe(2);
  });

  test('is one again as soon as a connect is wanted, and whoever asks in vain is told so', async () => {
    const { clock, pool, lease } = await outageOfTheSecond();
    lease.release();
    await pool.acquire();
    const atOnce = fateOf(pool.acquire({ timeout: 0 }));
    const inVain = fateOf(pool.acquire());
    expect(pool.stats().downSince).toBe(2_000);
    await clock.advance(20);
    for (const { error } of [atOnce, inVain]) expect(error).toMatchObject({ cause: refused });
  });

  test('is one still if nothing has served since the last failure, or only lived out its time', async () => {
    const { clock, factory, pool } = await filled({ size: { min: 0, max: 2 }, acquireTimeout: 20, idleTimeout: 500 });
    const first = fateOf(pool.use(() => undefined));
    await clock.settle();
    expect([first.state, pool.stats().idle]).toEqual(['resolved', 1]);
    await clock.advance(100);
    factory.always('connect', REFUSE);
    const lease = await pool.acquire();
    const inVain = fateOf(pool.acquire({ timeout: 200 }));
    await clock.advance(250);
    lease.release();
    expect([inVain.state, pool.stats().downSince]).toEqual(['rejected', undefined]);
    const [held, again] = [await pool.acquire(), fateOf(pool.acquire({ timeout: 1_000 }))];
    await clock.advance(1_100);
    expect([again.state, pool.stats()]).toMatchObject(['rejected', { downSince: 100 }]);
    held.discard();
    await clock.advance(10_000);
    expect(pool.stats()).toMatchObject({ open: 0, downSince: 100 });
  });

  test.each<[string, Behaviour, number]>([
    ['refuses', REFUSE, 0],
    ['refuses after a while', later(400, REFUSE), 0],
    ['accepts and kicks', 'succeed', 5],
  ])(
    'keeps its pauses, whatever waves of callers come and go, from a backend that %s',
    async (_what, behaviour, kick) => {
      const { clock, factory, pool } = await filled({ size: { min: 2, max: 20 }, acquireTimeout: 150, logger: silent });
      await clock.advance(2_000);
      factory.always('connect', behaviour);
      if (kick > 0) {
        factory.onHook = (hook) => hook === 'connect' && clock.setTimeout(() => factory.opened.at(-1)?.die(), kick);
      }
      for (let wave = 0; wave < 300; wave++) {
        for (let caller = 0; caller < 6; caller++) fateOf(pool.use(() => clock.sleep(30)));
        await clock.advance(200);
      }
      // 5 at once, then after 100 ms, 200 ms, … 30 s: in a minute no more than 10 pauses begin.
      expect(factory.calls.connect - 2).toBeLessThanOrEqual(20);
    },
  );
});
