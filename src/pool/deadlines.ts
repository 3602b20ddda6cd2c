import type { Clock } from './clock.js';
import { HeadDeadline } from './head-deadline.js';

/** Something that must be over by a certain time; a link of the {@link Deadlines} that it was added to. */
export interface Deadline {
  due: number;
  sooner: Deadline | undefined;
  later: Deadline | undefined;
}

/**
 * Deadlines that all lie equally far ahead when they are added, so that they come due in the order in which they came.
 *
 *     head
 *       │
 *     first ⇄ … ⇄ last      add: behind the last.  remove: from anywhere, O(1).
 */
export class Deadlines<D extends Deadline> {
  private readonly head: HeadDeadline<D>;
  private last: D | undefined;

  /**
   * @param onDue called with each deadline that has passed, after it has been removed
   * @param vital whether somebody's promise depends on these deadlines, so that they keep the process alive
   */
  constructor(
    private readonly clock: Clock,
    readonly duration: number,
    onDue: (deadline: D) => void,
    vital: boolean,
  ) {
    const order = {
      dueAt: (deadline: D): number => deadline.due,
      next: (deadline: D): D | undefined => deadline.later as D | undefined,
      expire: (deadline: D): void => {
        this.remove(deadline);
        onDue(deadline);
      },
    };
    this.head = new HeadDeadline(clock, order, vital);
  }

  get isEmpty(): boolean {
    return this.last === undefined;
  }

  add(deadline: D): void {
    if (this.duration === Infinity) return;
    deadline.due = this.clock.now() + this.duration;
    deadline.sooner = this.last;
    if (this.last !== undefined) this.last.later = deadline;
    this.last = deadline;
    this.head.joined(deadline);
  }

  /** Does nothing if it is not, or no longer, among them. */
  remove(deadline: D): void {
    const sooner = deadline.sooner as D | undefined;
    const later = deadline.later as D | undefined;
    if (sooner === undefined && this.head.member !== deadline) return;
    this.head.leaving(deadline);
    if (sooner !== undefined) sooner.later = later;
    if (later === undefined) this.last = sooner;
    else later.sooner = sooner;
    deadline.sooner = undefined;
    deadline.later = undefined;
  }

  setVital(vital: boolean): void {
    this.head.setVital(vital);
  }

  /** Lets go of the timer and of all deadlines; nobody is told. */
  clear(): void {
    this.head.clear();
    this.last = undefined;
  }
}
