import { BackoffStep, type BackoffOptions } from './backoff.js';

/**
 * A time in which connects fail, from the first failure to the first connect that holds. One connect is begun per
 * pause; the pause grows once per pause, however many connects failed in it.
 */
export class Outage {
  failures = 1;
  /** When the next connect may begin. */
  nextAt: number;
  /** Whether any connection has completed a lease or a ping since the last failure. */
  hasServed = false;
  private step: BackoffStep;
  private failedInPause = true;

  constructor(
    readonly since: number,
    options: BackoffOptions,
    random: () => number,
  ) {
    this.step = BackoffStep.first(options, random);
    this.nextAt = since + this.pause;
  }

  failed(): void {
    this.failures++;
    this.failedInPause = true;
    this.hasServed = false;
  }

  /** The pause is over and a connect begins: the next pause runs from now, so that a connect that hangs delays nothing. */
  beginPause(now: number): void {
    this.step = this.failedInPause ? this.step.next() : this.step.again();
    this.failedInPause = false;
    this.nextAt = now + this.pause;
  }

  /** Never none at all: connects that fail at once must leave room for everything else. */
  private get pause(): number {
    return Math.max(1, this.step.pause);
  }
}
