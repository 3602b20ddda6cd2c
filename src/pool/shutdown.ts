import { Alarm } from './alarm.js';
import type { Clock } from './clock.js';

/** The end of a pool: its promise, and the deadline until which leases are awaited. */
export class Shutdown {
  readonly promise: Promise<void>;
  private resolve!: () => void;
  private readonly alarm: Alarm;
  private deadline = Infinity;
  private timeout = Infinity;

  /** @param force called once the deadline has passed, with how long it had been */
  constructor(
    private readonly clock: Clock,
    private readonly force: (timeout: number) => void,
  ) {
    this.promise = new Promise((resolve) => {
      this.resolve = resolve;
    });
    this.alarm = new Alarm(clock, () => force(this.timeout), true);
  }

  /** An earlier deadline takes the place of the present one, a later one does not. */
  within(timeout: number): void {
    const deadline = this.clock.now() + timeout;
    if (deadline >= this.deadline) return;
    this.deadline = deadline;
    this.timeout = timeout;
    if (timeout === 0) this.force(0);
    else this.alarm.setFor(deadline);
  }

  finish(): void {
    this.alarm.clear();
    this.resolve();
  }
}
