/**
 * The most timers that fire within one instant of virtual time, and the most immediates that run within one, in one call
 * of `advance()`, `run()` or `settle()`. Beyond it the code under test is taken for a loop that never lets time pass, and
 * that would never end.
 *
 * Thousands of callers that time out together are one timer of a pool, and a test that sets 30,000 timers of its own for
 * one instant is far from it. A loop gets there in less than a second of real time.
 */
const MOST_AT_ONCE = 100_000;

const CULPRITS = {
  timers: 'a timer of delay 0 that sets the next',
  immediates: 'an immediate that sets the next',
};

/** Counts what one call of a clock's method runs without any time passing. */
export class BusyLoopAlarm {
  private instant: number | undefined;
  private count = { timers: 0, immediates: 0 };

  /** @param method what was called, as in `VirtualClock.advance()` */
  constructor(private readonly method: string) {}

  /**
   * So many more are about to run.
   * @throws Error if that is too many for one instant
   */
  add(count: number, kind: keyof typeof CULPRITS, now: number): void {
    if (now !== this.instant) this.count = { timers: 0, immediates: 0 };
    this.instant = now;
    this.count[kind] += count;
    if (this.count[kind] <= MOST_AT_ONCE) return;
    throw new Error(
      `${this.method}: more than ${MOST_AT_ONCE} ${kind} within one instant, while now() is ${now}. ` +
        `The code under test probably loops without a pause: ${CULPRITS[kind]}.`,
    );
  }
}
