import { Alarm } from './alarm.js';
import type { Clock } from './clock.js';
import { PoolClosedError } from './errors.js';
import type { PoolLog } from './pool-log.js';
import { State } from './pooled-connection.js';
import type { Stock } from './stock.js';
import type { WaitQueue } from './wait-queue.js';

/** The end of a pool: callers in the queue are served while time remains, leases awaited, and everything is closed. */
export class Shutdown<C> {
  readonly promise: Promise<void>;
  isOver = false;
  private resolve!: () => void;
  private readonly alarm: Alarm;
  private deadline = Infinity;
  private timeout = Infinity;

  /** @param over called when nothing is left; and once more for each connection that arrives too late */
  constructor(
    private readonly pool: string,
    private readonly clock: Clock,
    private readonly stock: Stock<C>,
    private readonly queue: WaitQueue<C>,
    private readonly log: PoolLog,
    private readonly over: () => void,
  ) {
    this.promise = new Promise((resolve) => {
      this.resolve = resolve;
    });
    this.alarm = new Alarm(clock, () => this.force(), true);
  }

  /** An earlier deadline takes the place of the present one, a later one does not. */
  within(timeout: number): void {
    const deadline = this.clock.now() + timeout;
    if (this.isOver || deadline >= this.deadline) return;
    this.deadline = deadline;
    this.timeout = timeout;
    if (timeout === 0) this.force();
    else this.alarm.setFor(deadline);
  }

  /** Something has changed. Connects go on only for those who wait; when nobody does, and all is closed, it is over. */
  proceed(): void {
    const { stock, queue } = this;
    if (queue.length > 0) {
      stock.filler.fill();
      return;
    }
    stock.abandon(() => new PoolClosedError(this.pool));
    if (stock.census.total > 0 || stock.closer.inFlight > 0) return;
    this.isOver = true;
    this.alarm.clear();
    stock.stop();
    queue.clear();
    this.over();
    this.resolve();
  }

  /** Time is up. */
  private force(): void {
    const { stock, queue } = this;
    queue.rejectAll(() => new PoolClosedError(this.pool));
    if (stock.census.leased > 0) this.log.forcedShutdown(stock.census.leased, this.timeout);
    stock.closeAll(State.leased);
    this.proceed();
  }
}
