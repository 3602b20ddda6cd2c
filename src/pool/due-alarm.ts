import { Alarm } from './alarm.js';
import type { Clock } from './clock.js';

/**
 * An alarm for whatever comes due, with some grace: after a stall of the event loop, timers run before the replies that
 * arrived meanwhile are read. What those replies finish was in time, so they come first.
 */
export class DueAlarm {
  private readonly alarm: Alarm;

  /** @param expire called with the time; ends what is due, and returns when the next will be, or Infinity */
  constructor(clock: Clock, expire: (now: number) => number) {
    const afterReplies = (now: number): void => {
      clock.setImmediate(() => this.setFor(expire(now)));
    };
    this.alarm = new Alarm(clock, afterReplies, false);
  }

  /** Something is due then; what is due earlier comes earlier all the same. */
  setFor(due: number): void {
    this.alarm.setFor(due);
  }

  /** Whether the alarm, while it is set, keeps the process alive. It does not at first. */
  keepAlive(keepsAlive: boolean): void {
    this.alarm.keepAlive(keepsAlive);
  }

  clear(): void {
    this.alarm.clear();
  }
}
