import { performance } from 'node:perf_hooks';
import { setImmediate } from 'node:timers';
import type { Clock, Timer } from '../pool/clock.js';
import { formatDuration } from '../pool/duration.js';
import { func, numberFrom, objectWith, rule, type RulesFor } from '../pool/rules.js';
import { readArgument, readOptions, SPAN } from './arguments.js';
import { BusyLoopAlarm } from './busy-loop.js';
import { seededRandom } from './seeded-random.js';

/** As it is when this is loaded: fake timers that a test installs later are not to stop this clock. */
const nextTurn = setImmediate;

/** A timer of a {@link VirtualClock}. */
class VirtualTimer implements Timer {
  refed = true;

  constructor(
    readonly due: number,
    readonly callback: () => void,
  ) {}

  ref(): void {
    this.refed = true;
  }

  unref(): void {
    this.refed = false;
  }
}

export interface VirtualClockOptions {
  /** What `now()` says first, in milliseconds. Default: 0. */
  readonly start?: number;
  /** Seeds `random()`, a whole number: the same seed gives the same numbers. Default: 1. */
  readonly seed?: number;
  /** Takes the place of the seeded numbers: `() => 0.5`. Has to yield numbers from 0 to less than 1. */
  readonly random?: () => number;
}

const OPTION_RULES: RulesFor<VirtualClockOptions> = {
  start: numberFrom(0),
  seed: rule('a whole number', (value) => (Number.isSafeInteger(value) ? value : undefined)),
  random: func('a function that yields numbers from 0 to less than 1'),
};

/** What a timer may be set to. Like Node's it fires at once if that lies behind; unlike Node's it never fires if not. */
const DELAY = rule('a number of milliseconds', (value) =>
  typeof value === 'number' && !Number.isNaN(value) ? value : undefined,
);
const CALLBACK = func('a function to call back');

/** What `random()` may draw. */
const DRAWN = rule('a number from 0 to less than 1', (value) =>
  typeof value === 'number' && value >= 0 && value < 1 ? value : undefined,
);

const SIGNAL = objectWith<AbortSignal>('an AbortSignal', 'throwIfAborted', 'addEventListener', 'removeEventListener');
const PROMISE = objectWith<PromiseLike<unknown>>('a promise', 'then');

/** How much virtual time `run()` lets pass, in milliseconds. */
const WITHIN = 3_600_000;

/** How long `run()` waits for the world outside when no timer is left, in milliseconds of real time. */
const GRACE = 1_000;

/**
 * A clock that stands still until a test moves it, so that a pool's hours pass in milliseconds and always alike.
 *
 * The idea is that of Tokio's paused clock and of RxJS's virtual time: whoever asks for time is handed it, and nothing
 * else in the process is touched, so no global has to be faked.
 *
 * @example
 * const clock = new VirtualClock();
 * const pool = new ConnectionPool(factory, { clock, keepalive: '30s' });
 * await clock.run(pool.ready());
 * await clock.advance('30s');
 */
export class VirtualClock implements Clock {
  private time: number;
  private readonly timers: VirtualTimer[] = [];
  private immediates: Array<() => void> = [];
  private readonly nextRandom: () => number;

  /** @throws PoolSettingsError which lists every fault of the options */
  constructor(options: VirtualClockOptions = {}) {
    const { start, seed, random } = readOptions<VirtualClockOptions>(OPTION_RULES, options, 'VirtualClock');
    this.time = start ?? 0;
    this.nextRandom = random ?? seededRandom(seed ?? 1);
  }

  now(): number {
    return this.time;
  }

  /** @throws PoolSettingsError if there is nothing to call, or the delay is no number */
  setTimeout(callback: () => void, delay: number): Timer {
    readArgument(CALLBACK, callback, 'callback', 'VirtualClock.setTimeout()');
    const wait = Math.max(0, readArgument(DELAY, delay, 'delay', 'VirtualClock.setTimeout()'));
    const timer = new VirtualTimer(this.time + wait, callback);
    this.timers.splice(this.placeFor(timer.due), 0, timer);
    return timer;
  }

  clearTimeout(timer: Timer): void {
    const place = this.timers.indexOf(timer as VirtualTimer);
    if (place >= 0) this.timers.splice(place, 1);
  }

  /** @throws PoolSettingsError if there is nothing to call */
  setImmediate(callback: () => void): void {
    readArgument(CALLBACK, callback, 'callback', 'VirtualClock.setImmediate()');
    this.immediates.push(callback);
  }

  /** @throws PoolSettingsError if the option `random` yields what is no number from 0 to less than 1 */
  random(): number {
    return readArgument(DRAWN, this.nextRandom(), 'random()', 'VirtualClock.random()');
  }

  /**
   * Lets so much time pass: each timer fires at its time, and what it sets off is done before the next.
   * @param duration milliseconds, or text such as `'30s'`
   * @throws PoolSettingsError if that is no time that can pass
   * @throws Error if the code under test never lets it pass: more than 100,000 timers, or immediates, in one instant
   */
  async advance(duration: number | string): Promise<void> {
    const method = 'VirtualClock.advance()';
    await this.advanceTo(this.time + readArgument(SPAN, duration, 'duration', method), new BusyLoopAlarm(method));
  }

  /**
   * Lets time pass until the promise has settled, and no longer; comes out as the promise does. What has no clock (a
   * socket, a file) is waited for only once no timer is left; while there are timers, time passes without it.
   *
   * @param options.within the most time to let pass: milliseconds, or text such as `'30s'`. Default: an hour.
   * @throws Error if the promise has not settled by then, if no timer is left that could settle it, or if the code under
   * test never lets time pass, as with {@link advance}
   */
  async run<T>(promise: PromiseLike<T>, options: { readonly within?: number | string } = {}): Promise<T> {
    const method = 'VirtualClock.run()';
    readArgument(PROMISE, promise, 'promise', method);
    const { within = WITHIN } = readOptions<{ within: number }>({ within: SPAN }, options, method);
    const end = this.time + within;
    const alarm = new BusyLoopAlarm(method);
    let settled = false;
    const settle = (): void => void (settled = true);
    promise.then(settle, settle);
    for (;;) {
      await this.drain(alarm);
      if (settled) return promise;
      const [timer] = this.timers;
      if (timer === undefined) await this.waitForTheWorld(() => settled);
      else if (timer.due <= end) await this.advanceTo(Math.max(this.time, timer.due), alarm);
      else throw inVain(`the promise has not settled within ${formatDuration(within)} of the clock's time`);
    }
  }

  /**
   * Resolves when so much time has passed; rejects with the signal's reason as soon as that is aborted. What a fake
   * connection's work takes.
   * @param duration milliseconds, or text such as `'20ms'`
   * @throws PoolSettingsError if that is no time that can pass, or there is a signal that is none
   */
  sleep(duration: number | string, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const delay = readArgument(SPAN, duration, 'duration', 'VirtualClock.sleep()');
      if (signal !== undefined) readArgument(SIGNAL, signal, 'signal', 'VirtualClock.sleep()');
      signal?.throwIfAborted();
      const wake = (): void => {
        signal?.removeEventListener('abort', stop);
        resolve();
      };
      const timer = this.setTimeout(wake, delay);
      const stop = (): void => {
        this.clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  /**
   * Lets everything happen that needs no time to pass: promise jobs, and what waits for the event loop's next turn.
   * @throws Error if that has no end, as with {@link advance}
   */
  async settle(): Promise<void> {
    await this.drain(new BusyLoopAlarm('VirtualClock.settle()'));
  }

  /**
   * Moves the time without running anything, as a stalled event loop does. The timers that fell due fire later.
   * @param duration milliseconds, or text such as `'2s'`
   * @throws PoolSettingsError if that is no time that can pass
   */
  stall(duration: number | string): void {
    this.time += readArgument(SPAN, duration, 'duration', 'VirtualClock.stall()');
  }

  /** How many timers are pending. */
  get pending(): number {
    return this.timers.length;
  }

  /** How many of them keep the process alive. */
  get holding(): number {
    return this.timers.filter((timer) => timer.refed).length;
  }

  private async drain(alarm: BusyLoopAlarm): Promise<void> {
    await promiseJobs();
    while (this.immediates.length > 0) {
      const due = this.immediates;
      alarm.add(due.length, 'immediates', this.time);
      this.immediates = [];
      for (const callback of due) callback();
      await promiseJobs();
    }
  }

  private async advanceTo(end: number, alarm: BusyLoopAlarm): Promise<void> {
    await this.drain(alarm);
    for (let timer = this.timers[0]; timer !== undefined && timer.due <= end; timer = this.timers[0]) {
      this.time = Math.max(this.time, timer.due);
      await this.runDueTimers(alarm);
      await this.drain(alarm);
    }
    // What ran may have stalled the clock beyond it.
    this.time = Math.max(this.time, end);
  }

  /** Until something has come of it, or has set a timer. */
  private async waitForTheWorld(isOver: () => boolean): Promise<void> {
    const patience = performance.now() + GRACE;
    while (!isOver() && this.timers.length === 0 && this.immediates.length === 0) {
      if (performance.now() > patience) throw inVain('no timer is left, and the promise has not settled');
      await promiseJobs();
    }
  }

  /** All that are due, before anything that waits for the event loop's next turn: as Node does after a stall. */
  private async runDueTimers(alarm: BusyLoopAlarm): Promise<void> {
    for (const timer of this.timers.filter(({ due }) => due <= this.time)) {
      const place = this.timers.indexOf(timer);
      // One of them may have cleared another.
      if (place < 0) continue;
      alarm.add(1, 'timers', this.time);
      this.timers.splice(place, 1);
      timer.callback();
      await promiseJobs();
    }
  }

  /** Behind all timers that are due no later, so that equal times keep their order. */
  private placeFor(due: number): number {
    let low = 0;
    let high = this.timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.timers[middle]!.due <= due) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function inVain(what: string): Error {
  return new Error(
    `VirtualClock.run(): ${what}. It waits for what no passing of time brings about: a connection that nobody releases, ` +
      'a hook that hangs, a step that the test takes only after this one, or a timer that is not of this clock.',
  );
}

/** Resolves when every promise job is done: by then the event loop itself has gone on. */
function promiseJobs(): Promise<void> {
  return new Promise((resolve) => nextTurn(resolve));
}
