import { describe, expect, test } from '@jest/globals';
import { Alarm } from '../../src/pool/alarm.js';
import type { Clock } from '../../src/pool/clock.js';
import { VirtualClock } from '../../src/testing/index.js';

const MONTH = 30 * 86_400_000;
const LONGEST = 2 ** 31 - 1;

function setUp(keepsAlive = true): { clock: VirtualClock; alarm: Alarm; rings: number[] } {
  const clock = new VirtualClock({ start: 1_000 });
  const rings: number[] = [];
  return { clock, rings, alarm: new Alarm(clock, (now) => rings.push(now), keepsAlive) };
}

describe('Alarm', () => {
  test('rings once, at its time', async () => {
    const { clock, alarm, rings } = setUp();
    alarm.setFor(1_500);
    await clock.advance(499);
    expect(rings).toEqual([]);
    await clock.advance(1_000);
    expect(rings).toEqual([1_500]);
    expect(clock.pending).toBe(0);
  });

  test('keeps the earliest time that it was set for, on one timer', async () => {
    const { clock, alarm, rings } = setUp();
    for (const at of [3_000, 2_000, 2_000, 5_000, Infinity]) alarm.setFor(at);
    expect(clock.pending).toBe(1);
    await clock.advance(10_000);
    expect(rings).toEqual([2_000]);
  });

  test('rings at once for a time that has passed', async () => {
    const { clock, alarm, rings } = setUp();
    alarm.setFor(10);
    await clock.advance(0);
    expect(rings).toEqual([1_000]);
  });

  test('never rings for Infinity, and sets no timer for it', () => {
    const { clock, alarm } = setUp();
    alarm.setFor(Infinity);
    expect(clock.pending).toBe(0);
  });

  test('does not ring once cleared, and can be set again for a later time', async () => {
    const { clock, alarm, rings } = setUp();
    alarm.setFor(2_000);
    alarm.clear();
    expect(clock.pending).toBe(0);
    alarm.clear();
    alarm.setFor(3_000);
    await clock.advance(5_000);
    expect(rings).toEqual([3_000]);
  });

  test('can be set again from its own ring', async () => {
    const clock = new VirtualClock();
    const rings: number[] = [];
    const alarm: Alarm = new Alarm(
      clock,
      (now) => {
        rings.push(now);
        if (rings.length < 3) alarm.setFor(now + 10);
      },
      false,
    );
    alarm.setFor(10);
    await clock.advance(100);
    expect(rings).toEqual([10, 20, 30]);
  });

  test('never asks for a delay that timers do not know, and still rings after months', async () => {
    const { clock, rings } = setUp();
    const delays: number[] = [];
    const spied: Clock = {
      now: () => clock.now(),
      setTimeout: (callback, delay) => (delays.push(delay), clock.setTimeout(callback, delay)),
      clearTimeout: (timer) => clock.clearTimeout(timer),
      setImmediate: (callback) => clock.setImmediate(callback),
      random: () => 0,
    };
    new Alarm(spied, (now) => rings.push(now), true).setFor(1_000 + 2 * MONTH);
    await clock.advance(2 * MONTH - 1);
    expect(rings).toEqual([]);
    await clock.advance(1);
    expect(rings).toEqual([1_000 + 2 * MONTH]);
    expect(delays).toEqual([LONGEST, LONGEST, 2 * MONTH - 2 * LONGEST]);
  });

  test.each<[number, number[]]>([
    // A part of a millisecond early is in time, and told as the time asked for, so that what is due then is due.
    [0.5, [100]],
    // What is earlier is set again.
    [1, []],
    [50, []],
  ])('a timer that fires %p ms early has rung at %p', (early, expected) => {
    const callbacks: Array<() => void> = [];
    let now = 0;
    const timer = { ref: () => {}, unref: () => {} };
    const clock: Clock = {
      now: () => now,
      setTimeout: (callback) => (callbacks.push(callback), timer),
      clearTimeout: () => {},
      setImmediate: () => {},
      random: () => 0,
    };
    const rings: number[] = [];
    new Alarm(clock, (at) => rings.push(at), true).setFor(100);
    now = 100 - early;
    callbacks[0]!();
    expect(rings).toEqual(expected);
    now = 100;
    callbacks[1]?.();
    expect(rings).toEqual([100]);
  });

  test('keeps the process alive only if it is to, also when that changes while it is set', () => {
    const { clock, alarm } = setUp(false);
    alarm.keepAlive(true);
    alarm.keepAlive(false);
    alarm.setFor(2_000);
    expect(clock.holding).toBe(0);
    alarm.keepAlive(true);
    expect(clock.holding).toBe(1);
    alarm.keepAlive(true);
    alarm.setFor(1_500);
    expect([clock.holding, clock.pending]).toEqual([1, 1]);
    alarm.keepAlive(false);
    expect([clock.holding, clock.pending]).toEqual([0, 1]);
  });
});
