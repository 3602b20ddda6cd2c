import type { Clock } from './clock.js';
import { Deadlines, type Deadline } from './deadlines.js';
import type { PoolLease } from './lease.js';

/** A caller who waits for a connection. */
export class Waiter<C> implements Deadline {
  readonly promise: Promise<PoolLease<C>>;
  resolve!: (lease: PoolLease<C>) => void;
  reject!: (error: unknown) => void;
  /** Neighbours in the queue. */
  ahead: Waiter<C> | undefined;
  behind: Waiter<C> | undefined;
  due = 0;
  sooner: Deadline | undefined;
  later: Deadline | undefined;
  deadlines: Deadlines<Waiter<C>> | undefined;

  /**
   * @param returnsBefore how many leases had been returned when the caller came
   * @param origin where the caller stands, for a leak report
   */
  constructor(
    readonly since: number,
    readonly timeout: number,
    readonly signal: AbortSignal | undefined,
    readonly returnsBefore: number,
    readonly origin: string | undefined,
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** Callers who wait with the same signal. */
interface Companions<C> {
  readonly waiters: Set<Waiter<C>>;
  readonly onAbort: () => void;
}

/** What the queue asks of its pool. */
export interface WaitQueueHost<C> {
  timeoutError(waiter: Waiter<C>): unknown;
  /** The queue has got its first caller, or lost its last. */
  demandChanged(): void;
  /** A caller has left without a connection. */
  deserted(): void;
}

/** Callers in the order in which they came. To join, to be served and to leave are O(1) each. */
export class WaitQueue<C> {
  first: Waiter<C> | undefined;
  length = 0;
  private last: Waiter<C> | undefined;
  private readonly usualDeadlines: Deadlines<Waiter<C>>;
  /** For callers with a time-out of their own: one list for each length of time. */
  private readonly otherDeadlines = new Map<number, Deadlines<Waiter<C>>>();
  /** One listener for all who wait with a signal: at the eleventh on one signal Node would warn of a leak. */
  private readonly bySignal = new Map<AbortSignal, Companions<C>>();

  constructor(
    private readonly clock: Clock,
    usualTimeout: number,
    private readonly host: WaitQueueHost<C>,
  ) {
    this.usualDeadlines = this.deadlinesOf(usualTimeout);
  }

  join(waiter: Waiter<C>): void {
    waiter.ahead = this.last;
    if (this.last === undefined) this.first = waiter;
    else this.last.behind = waiter;
    this.last = waiter;
    this.length++;
    this.limit(waiter);
    if (waiter.signal !== undefined) this.heed(waiter, waiter.signal);
    if (this.length === 1) this.host.demandChanged();
  }

  /** Hands the first caller his lease; he owns it before he leaves the queue. */
  serve(waiter: Waiter<C>, lease: PoolLease<C>): void {
    waiter.resolve(lease);
    this.leave(waiter);
  }

  rejectAll(error: () => unknown): void {
    while (this.first !== undefined) this.desert(this.first, error());
  }

  /** Lets go of all timers; only for an empty queue. */
  clear(): void {
    this.usualDeadlines.clear();
  }

  private desert(waiter: Waiter<C>, error: unknown): void {
    waiter.reject(error);
    this.leave(waiter);
    this.host.deserted();
  }

  private leave(waiter: Waiter<C>): void {
    const { ahead, behind } = waiter;
    if (ahead === undefined) this.first = behind;
    else ahead.behind = behind;
    if (behind === undefined) this.last = ahead;
    else behind.ahead = ahead;
    this.length--;
    this.unlimit(waiter);
    if (waiter.signal !== undefined) this.unheed(waiter, waiter.signal);
    if (this.length === 0) this.host.demandChanged();
  }

  private heed(waiter: Waiter<C>, signal: AbortSignal): void {
    let companions = this.bySignal.get(signal);
    if (companions === undefined) {
      const waiters = new Set<Waiter<C>>();
      const onAbort = (): void => {
        for (const each of waiters) this.desert(each, signal.reason);
      };
      this.bySignal.set(signal, (companions = { waiters, onAbort }));
      signal.addEventListener('abort', onAbort);
    }
    companions.waiters.add(waiter);
  }

  private unheed(waiter: Waiter<C>, signal: AbortSignal): void {
    const { waiters, onAbort } = this.bySignal.get(signal)!;
    waiters.delete(waiter);
    if (waiters.size > 0) return;
    signal.removeEventListener('abort', onAbort);
    this.bySignal.delete(signal);
  }

  private limit(waiter: Waiter<C>): void {
    const { timeout } = waiter;
    let deadlines: Deadlines<Waiter<C>> | undefined = this.usualDeadlines;
    if (timeout !== deadlines.duration) {
      deadlines = this.otherDeadlines.get(timeout);
      if (deadlines === undefined) this.otherDeadlines.set(timeout, (deadlines = this.deadlinesOf(timeout)));
    }
    waiter.deadlines = deadlines;
    deadlines.add(waiter);
  }

  private unlimit(waiter: Waiter<C>): void {
    const { deadlines } = waiter;
    deadlines?.remove(waiter);
    if (deadlines === undefined || deadlines === this.usualDeadlines || !deadlines.isEmpty) return;
    deadlines.clear();
    this.otherDeadlines.delete(deadlines.duration);
  }

  private deadlinesOf(timeout: number): Deadlines<Waiter<C>> {
    const expire = (waiter: Waiter<C>): void => this.desert(waiter, this.host.timeoutError(waiter));
    return new Deadlines<Waiter<C>>(this.clock, timeout, expire, true);
  }
}
