import { Alarm } from './alarm.js';
import type { Clock } from './clock.js';

/** A queue whose members come due in the order in which they stand in it. */
export interface DueInOrder<T> {
  /** When this one's time is up. */
  dueAt(member: T): number;
  /** The next behind this one. */
  next(member: T): T | undefined;
  /** This one's time is up; has to take it from the queue. */
  expire(member: T): void;
}

/**
 * The deadline of whoever is first in a queue. Since the others' come later, one timer does for all of them, and nobody
 * has to be entered anywhere: who joins and who leaves is looked at only if he is the first.
 */
export class HeadDeadline<T> {
  private head: T | undefined;
  private readonly alarm: Alarm;

  /** @param vital whether somebody's promise depends on it, so that it keeps the process alive while there is a head */
  constructor(
    private readonly clock: Clock,
    private readonly queue: DueInOrder<T>,
    private vital: boolean,
  ) {
    this.alarm = new Alarm(clock, (now) => this.grantGrace(now), false);
  }

  /** Whose deadline it is. */
  get member(): T | undefined {
    return this.head;
  }

  /** Somebody has joined the queue, behind all others. */
  joined(member: T): void {
    if (this.head !== undefined) return;
    this.head = member;
    this.alarm.keepAlive(this.vital);
    this.alarm.setFor(this.queue.dueAt(member));
  }

  /** Somebody is about to leave the queue. */
  leaving(member: T): void {
    if (member !== this.head) return;
    this.head = this.queue.next(member);
    // The alarm stays, and looks again when it rings.
    if (this.head === undefined) this.alarm.keepAlive(false);
  }

  setVital(vital: boolean): void {
    this.vital = vital;
    this.alarm.keepAlive(vital && this.head !== undefined);
  }

  /** Lets go of the timer. */
  clear(): void {
    this.alarm.clear();
    this.head = undefined;
  }

  /**
   * After a stall of the event loop, timers run before the replies that arrived meanwhile are read. What those replies
   * finish was in time, so they come first.
   */
  private grantGrace(now: number): void {
    this.clock.setImmediate(() => this.expire(now));
  }

  private expire(now: number): void {
    while (this.head !== undefined && this.queue.dueAt(this.head) <= now) this.queue.expire(this.head);
    if (this.head !== undefined) this.alarm.setFor(this.queue.dueAt(this.head));
  }
}
