import type { BackoffOptions } from '../../src/pool/backoff.js';

/** While connects fail one is begun per pause, and the pause grows once per pause in which any failed. */
export class Pace {
  private since: number | undefined;
  private step = 0;
  private earliest = 0;
  private failures = 0;

  constructor(private readonly options: BackoffOptions) {}

  /** Something held, which may have ended the outage: what comes may be the first of the next. */
  proved(): void {
    this.since = undefined;
  }

  /** A connect is begun. What is wrong with that, if it comes too early. */
  begin(now: number, downSince: number | undefined, failures: number): string | undefined {
    if (downSince === undefined) {
      this.since = undefined;
      return undefined;
    }
    if (downSince !== this.since) {
      this.since = downSince;
      this.step = 0;
      this.earliest = downSince + this.shortest();
      this.failures = -1;
    }
    const early =
      now < this.earliest - 0.01
        ? `a connect was begun ${this.earliest - now} ms before the pause was over`
        : undefined;
    if (failures > this.failures) this.step++;
    this.failures = failures;
    this.earliest = now + this.shortest();
    return early;
  }

  /** The least that the pause may be. */
  private shortest(): number {
    const { delay, multiplier, maxDelay, jitter } = this.options;
    const ceiling = Math.min(delay * multiplier ** this.step, maxDelay);
    const least = { none: ceiling, equal: ceiling / 2, full: 0, decorrelated: Math.min(delay, maxDelay) }[jitter];
    return Math.max(1, least);
  }
}
