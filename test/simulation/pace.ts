import type { BackoffOptions } from '../../src/pool/backoff.js';

/** While connects fail one is begun per pause, and the pause grows once per pause in which any failed. */
export class Pace {
  private since: number | undefined;
  private step = 0;
  private earliest = 0;
  private latest = Infinity;
  private failures = 0;
  /** How many connects had failed before the outage. */
  private failedBefore: number | undefined;

  constructor(private readonly options: BackoffOptions) {}

  /** Something held. What comes may be the first connect of the next outage, which may begin at the same instant. */
  proved(now: number): void {
    if (now === this.since) this.since = undefined;
  }

  /** A connect is begun. What is wrong with that, if it comes too early or is counted wrongly. */
  begin(now: number, downSince: number | undefined, failures: number, attempt: number): string | undefined {
    if (downSince === undefined) {
      this.since = undefined;
      return attempt === 1 ? undefined : `a connect was told that it is attempt ${attempt}, though none has failed`;
    }
    // The first counts from 1; those that fail in an outage come on top.
    const failedBefore = failures - (attempt - 1);
    if (downSince !== this.since) this.outage(downSince);
    this.failedBefore ??= failedBefore;
    if (attempt < 2 || failedBefore !== this.failedBefore) {
      return `a connect was told that it is attempt ${attempt}, after ${failures} failed connects of all times`;
    }
    const early =
      now < this.earliest - 0.01
        ? `a connect was begun ${this.earliest - now} ms before the pause was over`
        : undefined;
    if (failures > this.failures) this.step++;
    this.failures = failures;
    this.pauseFrom(now);
    return early;
  }

  /** By when a connect must have been begun, if one is wanted since then. */
  limit(downSince: number): number {
    if (downSince !== this.since) this.outage(downSince);
    return this.latest;
  }

  private outage(since: number): void {
    this.since = since;
    this.step = 0;
    this.failures = -1;
    this.failedBefore = undefined;
    this.pauseFrom(since);
  }

  private pauseFrom(now: number): void {
    const { delay, multiplier, maxDelay, jitter } = this.options;
    const ceiling = Math.min(delay * multiplier ** this.step, maxDelay);
    const least = { none: ceiling, equal: ceiling / 2, full: 0, decorrelated: Math.min(delay, maxDelay) }[jitter];
    this.earliest = now + Math.max(1, least);
    this.latest = now + Math.max(1, jitter === 'decorrelated' ? maxDelay : ceiling);
  }
}
