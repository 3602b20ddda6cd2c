import { describe, expect, test } from '@jest/globals';
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
