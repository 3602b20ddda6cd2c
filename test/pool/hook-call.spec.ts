// Hooks may return thenables, and some of those misbehave.
// oxlint-disable unicorn/no-thenable
import { describe, expect, test } from '@jest/globals';
import { Deadlines } from '../../src/pool/deadlines.js';
import { HookCall, silence, type HookOutcome } from '../../src/pool/hook-call.js';
import { VirtualClock } from '../../src/testing/index.js';
import { unhandledDuring } from './rejections.js';

type Told = Array<[keyof HookOutcome<unknown>, unknown]>;

function setUp(timeout = 100, hasLate = true): { clock: VirtualClock; told: Told; call: HookCall<unknown> } {
  const clock = new VirtualClock();
  const told: Told = [];
  const deadlines = new Deadlines<HookCall<never>>(clock, timeout, (call) => call.timeOut(), false);
  const call = new HookCall<unknown>(deadlines, () => 'timed out', {
    done: (value) => told.push(['done', value]),
    failed: (error) => told.push(['failed', error]),
    ...(hasLate ? { late: (value: unknown) => void told.push(['late', value]) } : {}),
  });
  return { clock, told, call };
}

describe('a call of a hook', () => {
  test.each<[string, () => unknown, Told]>([
    ['returns a value', () => 7, [['done', 7]]],
    ['returns a promise', () => Promise.resolve(7), [['done', 7]]],
    ['returns a thenable', () => ({ then: (resolve: (value: number) => void) => resolve(7) }), [['done', 7]]],
    ['rejects', () => Promise.reject('no'), [['failed', 'no']]],
    [
      'throws',
      () => {
        throw 'no';
      },
      [['failed', 'no']],
    ],
    [
      'returns a thenable that throws',
      () => ({
        then: () => {
          throw 'no';
        },
      }),
      [['failed', 'no']],
    ],
  ])(
    'that %s is told of once, never inside the call, and leaves no timer behind that matters',
    async (_what, hook, expected) => {
      const { clock, told, call } = setUp();
      call.run(hook);
      expect(told).toEqual([]);
      await clock.advance(1_000);
      expect(told).toEqual(expected);
      expect(clock.pending).toBe(0);
    },
  );

  test('that hangs fails at its time-out, and its signal says why', async () => {
    const { clock, told, call } = setUp();
    let signal!: AbortSignal;
    call.run(() => {
      signal = call.signal;
      return new Promise(() => {});
    });
    await clock.advance(99);
    expect([signal.aborted, told]).toEqual([false, []]);
    await clock.advance(1);
    expect([signal.aborted, signal.reason, told]).toEqual([true, 'timed out', [['failed', 'timed out']]]);
  });

  test('with a time-out of Infinity is waited for as long as it takes', async () => {
    const { clock, told, call } = setUp(Infinity);
    let finish!: (value: string) => void;
    call.run(() => new Promise((resolve) => (finish = resolve)));
    await clock.advance(1e12);
    expect([told, clock.pending]).toEqual([[], 0]);
    finish('at last');
    await clock.settle();
    expect(told).toEqual([['done', 'at last']]);
  });

  test.each([
    [
      'its value is told as late',
      true,
      'resolve',
      [
        ['failed', 'timed out'],
        ['late', 'v'],
      ],
    ],
    ['its value is dropped if nobody asks for it', false, 'resolve', [['failed', 'timed out']]],
    ['its failure is dropped', true, 'reject', [['failed', 'timed out']]],
  ] as const)('that settles after its time-out: %s', async (_what, hasLate, how, expected) => {
    const { clock, told, call } = setUp(100, hasLate);
    const settle: { resolve?: (value: string) => void; reject?: (error: string) => void } = {};
    const unhandled = await unhandledDuring(async () => {
      call.run(() => new Promise((resolve, reject) => Object.assign(settle, { resolve, reject })));
      await clock.advance(100);
      settle[how]!('v');
      await clock.settle();
    });
    expect(told).toEqual(expected);
    expect(unhandled).toEqual([]);
  });

  test.each(['timed out', 'not wanted'])(
    'whose signal is asked for only after it was over (%s) has it aborted',
    async (why) => {
      const { clock, call } = setUp();
      call.run(() => new Promise(() => {}));
      if (why === 'timed out') await clock.advance(100);
      else call.giveUp(why);
      expect([call.signal.aborted, call.signal.reason]).toEqual([true, why]);
      expect(call.signal).toBe(call.signal);
    },
  );

  test('that is given up has its signal aborted, tells nobody, and hands over a late value', async () => {
    const { clock, told, call } = setUp();
    let signal!: AbortSignal;
    let finish!: (value: string) => void;
    call.run(() => {
      signal = call.signal;
      return new Promise((resolve) => (finish = resolve));
    });
    call.giveUp('not wanted');
    call.giveUp('again');
    expect(signal.reason).toBe('not wanted');
    await clock.advance(1_000);
    expect(told).toEqual([]);
    finish('late');
    await clock.settle();
    expect(told).toEqual([['late', 'late']]);
  });

  test('whose reply lay in the socket while the event loop stalled was in time', async () => {
    const { clock, told, call } = setUp();
    let reply!: (value: string) => void;
    call.run(() => new Promise((resolve) => (reply = resolve)));
    // As Node does it: the timer that is long due runs first, then replies are read, then comes what was put off.
    const putOff = clock.setImmediate.bind(clock);
    clock.setImmediate = (callback) => {
      putOff(() => {
        reply('read after the stall');
        putOff(callback);
      });
    };
    clock.stall(5_000);
    await clock.advance(0);
    expect(told).toEqual([['done', 'read after the stall']]);
  });

  test('many calls share one timer, and each has its own time', async () => {
    const clock = new VirtualClock();
    const failed: number[] = [];
    const deadlines = new Deadlines<HookCall<never>>(clock, 100, (call) => call.timeOut(), false);
    for (let id = 0; id < 3; id++) {
      const outcome = { done: () => {}, failed: () => void failed.push(id) };
      new HookCall<void>(deadlines, () => 'timed out', outcome).run(() => new Promise(() => {}));
      await clock.advance(40);
    }
    expect([clock.pending, failed]).toEqual([1, [0]]);
    await clock.advance(20);
    expect(failed).toEqual([0, 1]);
    await clock.advance(40);
    expect(failed).toEqual([0, 1, 2]);
    expect(clock.pending).toBe(0);
  });
});

describe('silence', () => {
  test.each<[string, () => unknown]>([
    ['a promise that rejects', () => Promise.reject(new Error('unseen'))],
    ['a thenable that rejects', () => ({ then: (_: unknown, reject: (error: string) => void) => reject('unseen') })],
    ['a value', () => true],
    ['null', () => null],
  ])('takes %s', async (_what, answer) => {
    expect(await unhandledDuring(() => silence(answer()))).toEqual([]);
  });
});
