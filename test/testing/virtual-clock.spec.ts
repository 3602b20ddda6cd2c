import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { setTimeout as realTimeout } from 'node:timers/promises';
import { VirtualClock } from '../../src/testing/index.js';

describe('VirtualClock', () => {
  test('stands still until it is moved', async () => {
    const clock = new VirtualClock({ start: 500 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(clock.now()).toBe(500);
    await clock.advance(250.5);
    expect(clock.now()).toBe(750.5);
    expect(new VirtualClock().now()).toBe(0);
  });

  test('fires timers at their times, in the order of their times, and equal ones in the order in which they were set', async () => {
    const clock = new VirtualClock();
    const fired: Array<[string, number]> = [];
    const set = (name: string, delay: number): void =>
      void clock.setTimeout(() => fired.push([name, clock.now()]), delay);
    set('c', 30);
    set('a', 10);
    set('b1', 20);
    set('b2', 20);
    set('at once', 0);
    set('negative', -5);
    await clock.advance(20);
    expect(fired).toEqual([
      ['at once', 0],
      ['negative', 0],
      ['a', 10],
      ['b1', 20],
      ['b2', 20],
    ]);
    expect(clock.pending).toBe(1);
    await clock.advance(10);
    expect(fired.at(-1)).toEqual(['c', 30]);
  });

  test('does what a timer sets off before the next timer', async () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    clock.setTimeout(() => {
      order.push('first');
      void Promise.resolve()
        .then(() => {})
        .then(() => order.push('its promise'));
      clock.setImmediate(() => order.push('its immediate'));
      clock.setTimeout(() => order.push(`its timer at ${clock.now()}`), 5);
    }, 10);
    clock.setTimeout(() => order.push('second'), 20);
    await clock.advance(20);
    expect(order).toEqual(['first', 'its promise', 'its immediate', 'its timer at 15', 'second']);
  });

  test('does not fire a timer that was cleared, and does not mind one that has fired', async () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    const one = clock.setTimeout(() => fired.push('one'), 5);
    const other = clock.setTimeout(() => fired.push('other'), 5);
    clock.clearTimeout(other);
    await clock.advance(5);
    clock.clearTimeout(one);
    expect([fired, clock.pending]).toEqual([['one'], 0]);
  });

  test('of timers that are due together, one may clear another', async () => {
    const clock = new VirtualClock();
    const fired: string[] = [];
    clock.setTimeout(() => clock.clearTimeout(other), 5);
    const other = clock.setTimeout(() => fired.push('other'), 5);
    clock.setTimeout(() => fired.push('third'), 5);
    await clock.advance(5);
    expect([fired, clock.pending]).toEqual([['third'], 0]);
  });

  test('a stall moves the time and runs nothing; what fell due comes after, late', async () => {
    const clock = new VirtualClock();
    const fired: number[] = [];
    clock.setTimeout(() => fired.push(clock.now()), 10);
    clock.stall(1_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect([fired, clock.now()]).toEqual([[], 1_000]);
    await clock.advance(0);
    expect([fired, clock.now()]).toEqual([[1_000], 1_000]);
  });

  test('never goes back, even if the loop stalls while it advances', async () => {
    const clock = new VirtualClock();
    clock.setTimeout(() => clock.stall(500), 10);
    await clock.advance(20);
    expect(clock.now()).toBe(510);
  });

  test('settles what needs no time: promises, immediates, and what those set off', async () => {
    const clock = new VirtualClock();
    const order: string[] = [];
    clock.setImmediate(() => {
      order.push('immediate');
      void Promise.resolve().then(() => clock.setImmediate(() => order.push('the next')));
    });
    clock.setTimeout(() => order.push('timer'), 1);
    await clock.settle();
    expect(order).toEqual(['immediate', 'the next']);
    expect(clock.now()).toBe(0);
  });

  test('counts its timers, and those that hold the process', () => {
    const clock = new VirtualClock();
    const timer = clock.setTimeout(() => {}, 5);
    clock.setTimeout(() => {}, 5);
    timer.unref();
    expect([clock.pending, clock.holding]).toEqual([2, 1]);
    timer.ref();
    expect(clock.holding).toBe(2);
  });

  test('draws the same numbers from the same seed, others from another, all from 0 to less than 1', () => {
    const draw = (seed?: number): number[] => {
      const clock = new VirtualClock(seed === undefined ? {} : { seed });
      return Array.from({ length: 1_000 }, () => clock.random());
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw()).toEqual(draw(1));
    expect(draw(7)).not.toEqual(draw(8));
    const numbers = draw(7);
    expect(Math.min(...numbers)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...numbers)).toBeLessThan(1);
    const mean = numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.05);
    expect(new VirtualClock({ random: () => 0.25 }).random()).toBe(0.25);
  });
});

describe('VirtualClock.run', () => {
  test('lets time pass until the promise has settled, and no longer; comes out as it does', async () => {
    const clock = new VirtualClock();
    const value = new Promise((resolve) => clock.setTimeout(() => resolve('value'), 5_000));
    clock.setTimeout(() => {}, 6_000);
    expect(await clock.run(value)).toBe('value');
    expect([clock.now(), clock.pending]).toEqual([5_000, 1]);
    const failure = new Error('failure');
    await expect(clock.run(Promise.reject(failure))).rejects.toBe(failure);
    expect(await clock.run(Promise.resolve(1), { within: 0 })).toBe(1);
    expect(clock.now()).toBe(5_000);
  });

  test('follows whatever the promise waits for next, timers, promises and immediates', async () => {
    const clock = new VirtualClock();
    const work = async (): Promise<number> => {
      for (let round = 0; round < 3; round++) {
        await clock.sleep('1m');
        await new Promise<void>((resolve) => clock.setImmediate(resolve));
      }
      return clock.now();
    };
    expect(await clock.run(work())).toBe(180_000);
  });

  test('ends at its limit, an hour unless another is given, so that upkeep for ever is no test for ever', async () => {
    const clock = new VirtualClock();
    const everyTenMinutes = (): void => void clock.setTimeout(everyTenMinutes, 600_000);
    everyTenMinutes();
    const never = new Promise(() => {});
    await expect(clock.run(never)).rejects.toThrow(
      "VirtualClock.run(): the promise has not settled within 60 min of the clock's time",
    );
    expect(clock.now()).toBe(3_600_000);
    await expect(clock.run(never, { within: '25 min' })).rejects.toThrow('within 25 min');
    expect(clock.now()).toBe(3_600_000 + 1_200_000);
  });

  test('a promise that rejects after the limit is not unhandled', async () => {
    const clock = new VirtualClock();
    let reject!: (error: Error) => void;
    const late = new Promise((_, rejects) => (reject = rejects));
    clock.setTimeout(() => reject(new Error('late')), 1_000);
    await expect(clock.run(late, { within: 10 })).rejects.toThrow('within 10 ms');
    // Jest fails the test if this becomes an unhandled rejection.
    await clock.advance(1_000);
    await expect(late).rejects.toThrow('late');
  });

  test('fires what a stall has left behind', async () => {
    const clock = new VirtualClock();
    const slept = clock.sleep(10);
    clock.stall(1_000);
    await clock.run(slept);
    expect(clock.now()).toBe(1_000);
  });

  test('once no timer is left it waits for the world outside, and says so if nothing comes of that', async () => {
    const clock = new VirtualClock();
    const outside = async (): Promise<number> => {
      await realTimeout(5);
      await clock.sleep(100);
      return clock.now();
    };
    expect(await clock.run(outside())).toBe(100);
    const immediately = realTimeout(5).then(() => new Promise<void>((resolve) => clock.setImmediate(resolve)));
    await clock.run(immediately);
    await expect(clock.run(new Promise(() => {}))).rejects.toThrow(
      'VirtualClock.run(): no timer is left, and the promise has not settled. It waits for what no passing of time brings',
    );
  });
});

describe('VirtualClock.sleep', () => {
  test('resolves when so much time has passed', async () => {
    const clock = new VirtualClock();
    const done: number[] = [];
    void clock.sleep('2s').then(() => done.push(clock.now()));
    void clock.sleep(0, new AbortController().signal).then(() => done.push(clock.now()));
    await clock.advance(1_999);
    expect(done).toEqual([0]);
    await clock.advance(1);
    expect(done).toEqual([0, 2_000]);
  });

  test('rejects with the reason of its signal as soon as that is aborted, and leaves no timer', async () => {
    const clock = new VirtualClock();
    const controller = new AbortController();
    const reason = new Error('read ECONNRESET');
    const sleeping = clock.sleep(100, controller.signal);
    controller.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
    await expect(clock.sleep(100, controller.signal)).rejects.toBe(reason);
    expect(clock.pending).toBe(0);
  });

  test('leaves no listener behind when it is over', async () => {
    const clock = new VirtualClock();
    const { signal } = new AbortController();
    const [added, removed] = [jest.spyOn(signal, 'addEventListener'), jest.spyOn(signal, 'removeEventListener')];
    await clock.run(clock.sleep(5, signal));
    expect(removed.mock.calls.map(([, listener]) => listener)).toEqual(
      added.mock.calls.map(([, listener]) => listener),
    );
    expect(added).toHaveBeenCalledTimes(1);
  });
});

describe('VirtualClock beside fake timers', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  test('goes on, for it needs none of the globals that they replace', async () => {
    jest.useFakeTimers();
    const clock = new VirtualClock();
    await clock.run(clock.sleep('1h'));
    expect(clock.now()).toBe(3_600_000);
  });
});
