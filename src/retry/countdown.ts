import type { Clock, Timer } from '../pool/clock.js';

/** The longest that Node's timers can wait; they fire at once when told more. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** Calls back once after a time that may be longer than a timer can wait. It keeps the process alive. */
export class Countdown {
  private timer: Timer;

  constructor(
    private readonly clock: Clock,
    private left: number,
    private readonly callback: () => void,
  ) {
    this.timer = this.arm();
  }

  cancel(): void {
    this.clock.clearTimeout(this.timer);
  }

  private arm(): Timer {
    const part = Math.min(this.left, LONGEST_TIMER);
    this.left -= part;
    return this.clock.setTimeout(() => {
      if (this.left > 0) this.timer = this.arm();
      else this.callback();
    }, part);
  }
}
