import type { Clock, Timer } from './clock.js';

/** The longest delay that Node's timers know; they fire at once for more. */
const LONGEST_DELAY = 2 ** 31 - 1;

/** One timer for one purpose, set for the earliest time at which somebody has to look. */
export class Alarm {
  private timer: Timer | undefined;
  private at = Infinity;

  /** @param ring called with the time, which is never before the one that the alarm was set for */
  constructor(
    private readonly clock: Clock,
    private readonly ring: (now: number) => void,
    private keepsAlive: boolean,
  ) {}

  /** Rings at that time, unless it is to ring earlier anyway. */
  setFor(at: number): void {
    if (at >= this.at) return;
    this.clear();
    this.at = at;
    const delay = Math.min(Math.max(0, at - this.clock.now()), LONGEST_DELAY);
    this.timer = this.clock.setTimeout(this.onTimer, delay);
    if (!this.keepsAlive) this.timer.unref();
  }

  clear(): void {
    if (this.timer !== undefined) this.clock.clearTimeout(this.timer);
    this.timer = undefined;
    this.at = Infinity;
  }

  /** Whether the alarm, while it is set, keeps the process alive. */
  keepAlive(keepsAlive: boolean): void {
    if (keepsAlive === this.keepsAlive) return;
    this.keepsAlive = keepsAlive;
    if (keepsAlive) this.timer?.ref();
    else this.timer?.unref();
  }

  private readonly onTimer = (): void => {
    const { at } = this;
    this.timer = undefined;
    this.at = Infinity;
    const now = this.clock.now();
    // Node's timers may fire a part of a millisecond early; what is a whole one early was too long for one timer.
    if (at - now >= 1) this.setFor(at);
    else this.ring(Math.max(now, at));
  };
}
