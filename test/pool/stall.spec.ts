import { describe, expect, test } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import { AcquireTimeoutError } from '../../src/pool/errors.js';
import { ScriptedFactory, VirtualClock } from '../../src/testing/index.js';
import { fateOf, filled, workbench } from './workbench.js';

/** A clock on which replies that came in during a stall are read where Node reads them: after timers, before immediates. */
class StalledClock extends VirtualClock {
  private readonly arrived: Array<() => void> = [];

  /** This happens when the event loop gets to read what came in. */
  arrive(reply: () => void): void {
    this.arrived.push(reply);
  }

  override setImmediate(callback: () => void): void {
    super.setImmediate(() => {
      for (const reply of this.arrived.splice(0)) reply();
      // What the replies set off is done before.
      super.setImmediate(callback);
    });
  }
}

describe('P13: a stalled event loop', () => {
  test('does not time out a caller whose connection comes back in the same turn', async () => {
    const clock = new StalledClock();
    const { pool } = await filled({ size: 1, acquireTimeout: 1_000 }, [], clock);
    const lease = await pool.acquire();
    const fate = fateOf(pool.acquire());
    clock.stall(60_000);
    clock.arrive(() => lease.release());
    await clock.advance(0);
    expect(fate.state).toBe('resolved');
    expect(pool.stats().totals.acquireTimeouts).toBe(0);
  });

  test('times out the others who are due: they had their time, and no connection came', async () => {
    const clock = new StalledClock();
    const { pool } = await filled({ size: 1, acquireTimeout: 1_000 }, [], clock);
    const lease = await pool.acquire();
    const fates = [fateOf(pool.acquire()), fateOf(pool.acquire()), fateOf(pool.acquire({ timeout: 90_000 }))];
    clock.stall(60_000);
    clock.arrive(() => lease.release());
    await clock.advance(0);
    expect(fates.map(({ state }) => state)).toEqual(['resolved', 'rejected', 'pending']);
    expect(fates[1]!.error).toBeInstanceOf(AcquireTimeoutError);
  });

  test('does not time out a caller whose connect was done meanwhile', async () => {
    const clock = new StalledClock();
    const { factory, pool } = workbench({ size: 1, acquireTimeout: 1_000, connectTimeout: 2_000 }, [], clock);
    let connected = (): void => undefined;
    factory.always('connect', { yield: new Promise((resolve) => (connected = () => resolve({ an: 'object' }))) });
    factory.pool = undefined;
    const fate = fateOf(pool.acquire());
    clock.stall(1_500);
    connected();
    await clock.advance(0);
    expect(fate.state).toBe('resolved');
    expect(pool.stats()).toMatchObject({ leased: 1, totals: { connectFailures: 0, acquireTimeouts: 0 } });
  });

  test('does not time out a connect, a ping or a reset that was done meanwhile', async () => {
    const clock = new StalledClock();
    const { factory, pool } = workbench({ size: 1, keepalive: 10_000 }, ['keepalive', 'reset'], clock);
    let reply = (): void => undefined;
    const answer = (): Promise<void> => new Promise((resolve) => (reply = resolve));
    await pool.ready();
    factory.keepalive = answer;
    await clock.advance(10_000);
    expect(pool.stats().checking).toBe(1);
    clock.stall(60_000);
    clock.arrive(reply);
    await clock.advance(0);
    expect(pool.stats()).toMatchObject({ idle: 1, checking: 0 });
    factory.reset = answer;
    (await pool.acquire()).release();
    expect(pool.stats().checking).toBe(1);
    clock.stall(60_000);
    clock.arrive(reply);
    await clock.advance(0);
    expect(pool.stats()).toMatchObject({ idle: 1, checking: 0, totals: { closed: { broken: 0 }, connected: 1 } });
  });

  test('a caller who comes after the stall, while time-outs have their grace, has all its time', async () => {
    const clock = new StalledClock();
    const { pool } = await filled({ size: 1, acquireTimeout: 1_000 }, [], clock);
    await pool.acquire();
    const early = fateOf(pool.acquire());
    let late: ReturnType<typeof fateOf> | undefined;
    clock.stall(5_000);
    clock.arrive(() => (late = fateOf(pool.acquire())));
    await clock.advance(0);
    expect(early.state).toBe('rejected');
    await clock.advance(999);
    expect(late!.state).toBe('pending');
    await clock.advance(1);
    expect(late!.state).toBe('rejected');
  });

  test('in real time: blocked for longer than the time-out, with the release due in the same turn', async () => {
    const pool = new ConnectionPool(new ScriptedFactory(), { size: 1, acquireTimeout: 50 });
    const lease = await pool.acquire();
    // Set after the caller's time-out, so that it fires after it in the turn in which both are overdue.
    const fate = fateOf(pool.acquire());
    const released = sleep(60).then(() => lease.release());
    const until = performance.now() + 110;
    while (performance.now() < until);
    await released;
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(fate.error).toBeUndefined();
    expect(fate.state).toBe('resolved');
    fate.value!.release();
    await pool.close();
  });
});
