import type { Clock } from './clock.js';
import { DueAlarm } from './due-alarm.js';

/** Something that must be over by a certain time; a link of the {@link Deadlines} that it was added to. */
export interface Deadline {
  due: number;
  sooner: Deadline | undefined;
  later: Deadline | undefined;
}

/**
 * Deadlines that all lie equally far ahead when they are added, so that they come due in the order in which they came:
 * only the first one's matters, and one timer does for all.
 *
 *     alarm
 *       │
 *     first ⇄ … ⇄ last      add: behind the last.  remove: from anywhere, O(1); the alarm stays, and looks again.
 */
export class Deadlines<D extends Deadline> {
  private first: D | undefined;
  private last: D | undefined;
  private readonly alarm: DueAlarm;

  /**
   * @param onDue called with each deadline that has passed, after it has been removed
   * @param vital whether somebody's promise depends on these deadlines, so that they keep the process alive
   */
  constructor(
    private readonly clock: Clock,
    private readonly duration: number,
    private readonly onDue: (deadline: D) => void,
    private vital: boolean,
  ) {
    this.alarm = new DueAlarm(clock, (now) => this.expire(now));
  }

  get isEmpty(): boolean {
    return this.first === undefined;
  }

  add(deadline: D): void {
    if (this.duration === Infinity) return;
    deadline.due = this.clock.now() + this.duration;
    deadline.sooner = this.last;
    if (this.last === undefined) this.first = deadline;
    else this.last.later = deadline;
    this.last = deadline;
    if (this.first === deadline) {
      this.alarm.keepAlive(this.vital);
      this.alarm.setFor(deadline.due);
    }
  }

  /** Does nothing if it is not, or no longer, among them. */
  remove(deadline: D): void {
    const sooner = deadline.sooner as D | undefined;
    const later = deadline.later as D | undefined;
    if (sooner === undefined && this.first !== deadline) return;
    if (sooner === undefined) this.first = later;
    else sooner.later = later;
    if (later === undefined) this.last = sooner;
    else later.sooner = sooner;
    deadline.sooner = undefined;
    deadline.later = undefined;
    if (this.first === undefined) this.alarm.keepAlive(false);
  }

  setVital(vital: boolean): void {
    this.vital = vital;
    this.alarm.keepAlive(vital && this.first !== undefined);
  }

  /** Lets go of the timer and of all deadlines; nobody is told. */
  clear(): void {
    this.alarm.clear();
    this.first = undefined;
    this.last = undefined;
  }

  private expire(now: number): number {
    while (this.first !== undefined && this.first.due <= now) {
      const deadline = this.first;
      this.remove(deadline);
      this.onDue(deadline);
    }
    return this.first?.due ?? Infinity;
  }
}
