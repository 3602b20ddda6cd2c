import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { systemClock } from '../../src/pool/clock.js';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import { AcquireTimeoutError } from '../../src/pool/errors.js';
import { ScriptedFactory } from '../../src/testing/index.js';

afterEach(() => {
  jest.useRealTimers();
});

describe("the system's clock", () => {
  test('tells milliseconds since the epoch, and never goes back', () => {
    const seen = Array.from({ length: 1_000 }, () => systemClock.now());
    expect(Math.abs(seen[0]! - Date.now())).toBeLessThan(60_000);
    expect(seen).toEqual(seen.toSorted((one, other) => one - other));
  });

  test('is not moved when the wall clock is set back', () => {
    const before = systemClock.now();
    const wall = jest.spyOn(Date, 'now').mockReturnValue(0);
    expect(systemClock.now()).toBeGreaterThanOrEqual(before);
    wall.mockRestore();
  });

  test('has timers that can be cleared, and that can let the process end', async () => {
    const fired: string[] = [];
    const cleared = systemClock.setTimeout(() => fired.push('cleared'), 0);
    systemClock.clearTimeout(cleared);
    await new Promise<void>((resolve) => {
      const timer = systemClock.setTimeout(() => {
        fired.push('timer');
        resolve();
      }, 0);
      expect(timer.unref()).toBe(timer);
      expect(timer.ref()).toBe(timer);
    });
    await new Promise<void>((resolve) => {
      systemClock.setImmediate(() => resolve());
    });
    expect(fired).toEqual(['timer']);
  });

  test('draws its randomness from Math.random', () => {
    const random = jest.spyOn(Math, 'random').mockReturnValue(0.25);
    expect(systemClock.random()).toBe(0.25);
    random.mockRestore();
  });

  test('obeys fake timers that a test installs later', () => {
    jest.useFakeTimers();
    const start = systemClock.now();
    const fired: number[] = [];
    systemClock.setTimeout(() => fired.push(systemClock.now() - start), 5_000);
    systemClock.setImmediate(() => fired.push(systemClock.now() - start));
    jest.advanceTimersByTime(4_999);
    expect(fired).toEqual([0]);
    jest.advanceTimersByTime(1);
    expect(fired).toEqual([0, 5_000]);
  });

  test('lets a whole pool run on fake timers', async () => {
    jest.useFakeTimers();
    const factory = new ScriptedFactory({ hooks: ['keepalive'] });
    const pool = new ConnectionPool(factory, { size: 1, keepalive: '30s', acquireTimeout: '2s' });
    await pool.ready();
    await jest.advanceTimersByTimeAsync(31_000);
    expect(factory.calls.keepalive).toBe(1);
    const lease = await pool.acquire();
    const failure = pool.acquire().catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(2_001);
    expect(await failure).toBeInstanceOf(AcquireTimeoutError);
    lease.release();
    await pool.close();
    expect(jest.getTimerCount()).toBe(0);
  });

  test('is the clock of a pool that is given none', async () => {
    const pool = new ConnectionPool(new ScriptedFactory(), { size: 1 });
    expect(await pool.use((connection) => connection.id)).toBe(1);
    await pool.close();
    expect(pool.stats().totals.closed.shutdown).toBe(1);
  });
});
