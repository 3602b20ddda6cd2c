import { describe, expect, test } from '@jest/globals';
import { VirtualClock } from '../../src/testing/index.js';

const NEVER = new Promise(() => {});

/** A clock with code under test that sets timer after timer of no delay, from 5 ms on. */
function clockOfLoop(): VirtualClock {
  const clock = new VirtualClock();
  const loop = (): void => void clock.setTimeout(loop, 0);
  clock.setTimeout(loop, 5);
  return clock;
}

const TIMERS =
  'more than 100000 timers within one instant, while now() is 5. The code under test probably loops without a pause: ' +
  'a timer of delay 0 that sets the next.';

describe('VirtualClock and code that never lets time pass', () => {
  test('sees through timers of delay 0 that each set the next', async () => {
    const clock = clockOfLoop();
    await expect(clock.run(NEVER, { within: 10 })).rejects.toThrow(`VirtualClock.run(): ${TIMERS}`);
    expect([clock.now(), clock.pending]).toEqual([5, 1]);
  });

  test('sees through a sleep of 0 in a loop', async () => {
    const clock = new VirtualClock();
    const poll = async (): Promise<never> => {
      for (;;) await clock.sleep(0);
    };
    await expect(clock.run(poll())).rejects.toThrow('while now() is 0');
  });

  test('sees through a delay so small that it is lost in the sum', async () => {
    const clock = new VirtualClock({ start: Date.UTC(2030) });
    const loop = (): void => void clock.setTimeout(loop, 1e-6);
    loop();
    await expect(clock.advance(1)).rejects.toThrow(`while now() is ${Date.UTC(2030)}`);
  });

  test('sees through immediates that each set the next, or the next two', async () => {
    const clock = new VirtualClock();
    const loop = (): void => clock.setImmediate(loop);
    loop();
    await expect(clock.settle()).rejects.toThrow(
      'VirtualClock.settle(): more than 100000 immediates within one instant, while now() is 0. The code under test ' +
        'probably loops without a pause: an immediate that sets the next.',
    );
    const other = new VirtualClock();
    const growing = (): void => {
      other.setImmediate(growing);
      other.setImmediate(growing);
    };
    growing();
    await expect(other.advance(5)).rejects.toThrow('VirtualClock.advance(): ');
  });

  test('sees through immediates that each come of a turn of the real event loop', async () => {
    const clock = new VirtualClock();
    const poll = async (): Promise<never> => {
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve));
        await new Promise<void>((resolve) => clock.setImmediate(resolve));
      }
    };
    await expect(clock.run(poll())).rejects.toThrow('VirtualClock.run(): more than 100000 immediates');
  });

  test('takes no crowd for a loop: 20,000 timers may wait for one instant', async () => {
    const clock = new VirtualClock();
    let fired = 0;
    for (let timer = 0; timer < 20_000; timer++) clock.setTimeout(() => fired++, 5);
    await clock.advance(5);
    expect(fired).toBe(20_000);
  });

  test('takes no long test for a loop: it counts anew when time passes, and when the clock is asked again', async () => {
    const clock = new VirtualClock();
    let ran = 0;
    const crowd = (): void => {
      for (let each = 0; each < 40_000; each++) clock.setImmediate(() => ran++);
    };
    for (const at of [1, 2, 3]) clock.setTimeout(crowd, at);
    await clock.advance(3);
    expect(ran).toBe(120_000);
    for (let call = 0; call < 3; call++) {
      crowd();
      await clock.settle();
    }
    expect(ran).toBe(240_000);
  });
});
