import { performance } from 'node:perf_hooks';

/** A timer that a {@link Clock} made. Node's own `Timeout` is one. */
export interface Timer {
  /** Lets the timer keep the process alive, as a new one does. */
  ref(): unknown;
  /** Lets the process end though the timer is pending. */
  unref(): unknown;
}

/**
 * Time, timers and randomness: everything in the library that is not decided by its input. Tests put a clock of their
 * own in its place.
 */
export interface Clock {
  /** Milliseconds since the epoch. It never goes back, whatever happens to the wall clock. */
  now(): number;
  /** Calls back once, no earlier than `delay` milliseconds from now. */
  setTimeout(callback: () => void, delay: number): Timer;
  clearTimeout(timer: Timer): void;
  /** Calls back once what has already arrived from outside (replies, events) has been handled. */
  setImmediate(callback: () => void): unknown;
  /** A number from 0 to less than 1. */
  random(): number;
}

const ORIGIN = performance.timeOrigin;

/**
 * The system's clock. The globals are looked up at each call, so that fake timers which a test installs later are obeyed.
 */
export const systemClock: Clock = {
  // Not Date.now(): a wall clock set back by an hour would leave callers waiting for an hour.
  now: () => ORIGIN + globalThis.performance.now(),
  setTimeout: (callback, delay) => globalThis.setTimeout(callback, delay),
  clearTimeout: (timer) => {
    globalThis.clearTimeout(timer as NodeJS.Timeout);
  },
  setImmediate: (callback) => globalThis.setImmediate(callback),
  random: () => Math.random(),
};
