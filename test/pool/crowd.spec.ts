import { describe, expect, test } from '@jest/globals';
import { AcquireTimeoutError } from '../../src/pool/errors.js';
import { WaitQueue, type Wait } from '../../src/pool/wait-queue.js';
import { VirtualClock } from '../../src/testing/index.js';
import { fateOf, filled, type Fate } from './workbench.js';

/** So many that those who come after them share their time of arrival. */
const CROWD = 8;

const states = (fates: readonly Fate<unknown>[]): string[] => fates.map(({ state }) => state);

describe('A crowd that waits', () => {
  test('is served in the order in which it came', async () => {
    const { clock, pool } = await filled({ size: 1 });
    const lease = await pool.acquire();
    const served: number[] = [];
    for (let caller = 0; caller < 50; caller++) void pool.use(() => served.push(caller));
    lease.release();
    await clock.settle();
    expect(served).toEqual(Array.from({ length: 50 }, (_, caller) => caller));
  });

  test('is told when its time is up, and not earlier, also where a stall lies between two who came in one turn', async () => {
    const { clock, pool } = await filled({ size: 1, acquireTimeout: 1_000 });
    await pool.acquire();
    const before = Array.from({ length: CROWD }, () => fateOf(pool.acquire({ timeout: Infinity })));
    const first = fateOf(pool.acquire());
    clock.stall(800);
    const last = fateOf(pool.acquire());
    await clock.advance(999);
    expect([first.state, last.state]).toEqual(['pending', 'pending']);
    await clock.advance(1);
    expect([first.state, last.state]).toEqual(['rejected', 'rejected']);
    expect(new Set(states(before))).toEqual(new Set(['pending']));
  });

  test('is told so turn by turn', async () => {
    const { clock, pool } = await filled({ size: 1, acquireTimeout: 1_000 });
    await pool.acquire();
    const turns: Array<Array<Fate<unknown>>> = [];
    for (let turn = 0; turn < 5; turn++) {
      turns.push(Array.from({ length: CROWD }, () => fateOf(pool.acquire())));
      await clock.advance(100);
    }
    await clock.advance(499);
    expect(turns.map((fates) => new Set(states(fates)).size)).toEqual([1, 1, 1, 1, 1]);
    expect(turns.map(([fate]) => fate!.state)).toEqual(['pending', 'pending', 'pending', 'pending', 'pending']);
    await clock.advance(1);
    expect(turns.map(([fate]) => fate!.state)).toEqual(['rejected', 'pending', 'pending', 'pending', 'pending']);
    await clock.advance(250);
    expect(turns.map(([fate]) => fate!.state)).toEqual(['rejected', 'rejected', 'rejected', 'pending', 'pending']);
    await clock.advance(150);
    expect(turns.map((fates) => new Set(states(fates)))).toEqual(turns.map(() => new Set(['rejected'])));
  });

  test('has waited for no time yet in the turn in which it comes, and is reckoned from there', async () => {
    const { clock, pool } = await filled({ size: 1 });
    const lease = await pool.acquire();
    for (let caller = 0; caller < CROWD + 1; caller++) void pool.use(() => undefined);
    lease.release();
    // Those who came first are served before this turn is over.
    for (let job = 0; job < 100; job++) await Promise.resolve();
    void pool.acquire();
    const again = Array.from({ length: CROWD + 1 }, () => fateOf(pool.acquire()));
    expect(pool.stats().longestWait).toBe(0);
    await clock.advance(40);
    expect(pool.stats()).toMatchObject({ waiting: again.length, longestWait: 40 });
  });

  test('of hundreds is told in one instant and in order that its time is up, and hooks may let others go in between', async () => {
    const { clock, pool } = await filled({ size: 1, acquireTimeout: 1_000 });
    await pool.acquire();
    const controller = new AbortController();
    const told: number[] = [];
    const refusals = Array.from({ length: 450 }, (_, caller) =>
      pool.acquire(caller === 100 ? { signal: controller.signal } : undefined).catch((error: unknown) => {
        told.push(caller);
        if (caller === 99) controller.abort(new Error('gone'));
        return error;
      }),
    );
    await clock.advance(1_000);
    expect(told).toEqual(Array.from({ length: 450 }, (_, caller) => caller));
    const errors = await Promise.all(refusals);
    expect(errors[100]).toEqual(new Error('gone'));
    expect(errors.filter((error) => error instanceof AcquireTimeoutError)).toHaveLength(449);
    expect(pool.stats().totals.acquireTimeouts).toBe(449);
  });

  test('may be timed by a clock that calls immediates back at once', async () => {
    class HastyClock extends VirtualClock {
      override setImmediate(callback: () => void): void {
        callback();
      }
    }
    const { clock, pool } = await filled({ size: 1, acquireTimeout: 1_000 }, [], new HastyClock());
    await pool.acquire();
    const fates = Array.from({ length: CROWD * 2 }, () => fateOf(pool.acquire()));
    await clock.advance(1_000);
    expect(new Set(states(fates))).toEqual(new Set(['rejected']));
  });

  test('leaves no timer behind in a pool that is closed in the turn in which it came', async () => {
    const { clock, pool } = await filled({ size: 1 });
    await pool.acquire();
    const fates = Array.from({ length: CROWD * 2 }, () => fateOf(pool.acquire()));
    await pool.close({ timeout: 0 });
    await clock.settle();
    expect(new Set(states(fates))).toEqual(new Set(['rejected']));
    expect(clock.pending).toBe(0);
  });
});

describe('Callers with time-outs of their own', () => {
  test('and those with the usual one are each told when their own time is up', async () => {
    const { clock, pool } = await filled({ size: 1, acquireTimeout: 1_000 });
    await pool.acquire();
    const ask = (timeout?: number): Fate<unknown> =>
      fateOf(pool.acquire(timeout === undefined ? undefined : { timeout }));
    const fates = [ask(Infinity), ask(), ask(300), ask(5_000), ask(), ask(Infinity), ask(1_000)];
    await clock.advance(300);
    expect(states(fates)).toEqual(['pending', 'pending', 'rejected', 'pending', 'pending', 'pending', 'pending']);
    const late = ask();
    await clock.advance(700);
    expect(states(fates)).toEqual(['pending', 'rejected', 'rejected', 'pending', 'rejected', 'pending', 'rejected']);
    expect(late.state).toBe('pending');
    await clock.advance(300);
    expect(late.state).toBe('rejected');
    await clock.advance(3_700);
    expect(states(fates)).toEqual(['pending', 'rejected', 'rejected', 'rejected', 'rejected', 'pending', 'rejected']);
  });

  test('who leave in the middle of others being told do not disturb that', async () => {
    const clock = new VirtualClock();
    const usual: Wait = { timeout: 1_000, signal: undefined, origin: undefined, span: undefined };
    const { signal, ...controller } = abortable();
    const queue = new WaitQueue<object>(clock, usual, {
      returned: () => 0,
      timeUp: () => () => 'time is up',
      demandChanged: () => undefined,
      // What a hook may do that is called when somebody has left.
      deserted: () => controller.abort('gone'),
    });
    const told: unknown[] = [];
    const join = (wait: Wait, name: string): void => {
      queue.join(wait).catch((error: unknown) => told.push([name, error]));
    };
    join(usual, 'first');
    join({ ...usual, signal }, 'second');
    join(usual, 'third');
    await clock.advance(1_000);
    expect(told).toEqual([
      ['first', 'time is up'],
      ['second', 'gone'],
      ['third', 'time is up'],
    ]);
    expect([queue.length, queue.first]).toEqual([0, undefined]);
  });
});

function abortable(): { readonly signal: AbortSignal; abort(reason: unknown): void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: (reason) => controller.abort(reason) };
}
