import { setImmediate as nextTurn } from 'node:timers';
import type { Clock, Timer } from '../pool/clock.js';

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
  /** Seeds `random()`: the same seed gives the same numbers. Default: 1. */
  readonly seed?: number;
  /** Takes the place of the seeded numbers: `() => 0.5`. */
  readonly random?: () => number;
}

/**
 * A clock that stands still until a test moves it, so that a pool's hours pass in milliseconds and always alike.
 *
 * @example
 * const clock = new VirtualClock();
 * const pool = new ConnectionPool(factory, { clock, keepalive: '30s' });
 * await clock.advance(30_000);
 */
export class VirtualClock implements Clock {
  private time: number;
  private readonly timers: VirtualTimer[] = [];
  private immediates: Array<() => void> = [];
  private readonly nextRandom: () => number;

  constructor(options: VirtualClockOptions = {}) {
    this.time = options.start ?? 0;
    this.nextRandom = options.random ?? seededRandom(options.seed ?? 1);
  }

  now(): number {
    return this.time;
  }

  setTimeout(callback: () => void, delay: number): Timer {
    const timer = new VirtualTimer(this.time + Math.max(0, delay), callback);
    this.timers.splice(this.placeFor(timer.due), 0, timer);
    return timer;
  }

  clearTimeout(timer: Timer): void {
    const place = this.timers.indexOf(timer as VirtualTimer);
    if (place >= 0) this.timers.splice(place, 1);
  }

  setImmediate(callback: () => void): void {
    this.immediates.push(callback);
  }

  random(): number {
    return this.nextRandom();
  }

  /** Lets this many milliseconds pass: each timer fires at its time, and what it sets off is done before the next. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.time + milliseconds;
    await this.settle();
    for (let timer = this.timers[0]; timer !== undefined && timer.due <= end; timer = this.timers[0]) {
      this.time = Math.max(this.time, timer.due);
      await this.runDueTimers();
      await this.settle();
    }
    // What ran may have stalled the clock beyond it.
    this.time = Math.max(this.time, end);
  }

  /** Lets everything happen that needs no time to pass: promise jobs, and what waits for the event loop's next turn. */
  async settle(): Promise<void> {
    await promiseJobs();
    while (this.immediates.length > 0) {
      const due = this.immediates;
      this.immediates = [];
      for (const callback of due) callback();
      await promiseJobs();
    }
  }

  /** Moves the time without running anything, as a stalled event loop does. The timers that fell due fire later. */
  stall(milliseconds: number): void {
    this.time += milliseconds;
  }

  /** How many timers are pending. */
  get pending(): number {
    return this.timers.length;
  }

  /** How many of them keep the process alive. */
  get holding(): number {
    return this.timers.filter((timer) => timer.refed).length;
  }

  /** All that are due, before anything that waits for the event loop's next turn: as Node does after a stall. */
  private async runDueTimers(): Promise<void> {
    for (const timer of this.timers.filter(({ due }) => due <= this.time)) {
      const place = this.timers.indexOf(timer);
      // One of them may have cleared another.
      if (place < 0) continue;
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

/** Resolves when every promise job is done: by then the event loop itself has gone on. */
function promiseJobs(): Promise<void> {
  return new Promise((resolve) => nextTurn(resolve));
}

/** mulberry32, by Tommy Ettinger: small, and random enough for jitter. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
