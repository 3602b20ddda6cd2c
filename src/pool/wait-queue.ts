import type { Clock } from './clock.js';
import { Deadlines, type Deadline } from './deadlines.js';
import { HeadDeadline } from './head-deadline.js';
import type { PoolLease } from './lease.js';

/** How somebody waits. Callers without options of their own share one. */
export interface Wait {
  /** The longest wait, in milliseconds. */
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  /** Where the caller stands, for a leak report. */
  readonly origin: string | undefined;
}

/** When somebody came. */
interface Arrival {
  at: number;
  isShared: boolean;
}

/** A caller who waits for a connection. There may be a hundred thousand, so they hold no more than they must. */
export class Waiter<C> {
  resolve!: (lease: PoolLease<C>) => void;
  reject!: (error: unknown) => void;
  /** Neighbours in the queue. */
  ahead: Waiter<C> | undefined;
  behind: Waiter<C> | undefined;
  /** Set as he joins the queue. */
  arrival!: Arrival;
  /** If his time-out is not the usual one. */
  deadline: OwnDeadline<C> | undefined;

  /** @param returnsBefore how many leases had been returned when the caller came */
  constructor(
    readonly wait: Wait,
    readonly returnsBefore: number,
  ) {}
}

class OwnDeadline<C> implements Deadline {
  due = 0;
  sooner: Deadline | undefined;
  later: Deadline | undefined;

  constructor(
    readonly waiter: Waiter<C>,
    readonly deadlines: Deadlines<OwnDeadline<C>>,
  ) {}
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

/** From so many waiting callers on, those who come in one go share their time of arrival. */
const CROWD = 8;

const SOON = Promise.resolve();

/** Callers in the order in which they came. To join, to be served and to leave are O(1) each. */
export class WaitQueue<C> {
  first: Waiter<C> | undefined;
  length = 0;
  private last: Waiter<C> | undefined;
  private readonly usualDeadline: HeadDeadline<Waiter<C>>;
  /** For callers with a time-out of their own: one list for each length of time. */
  private readonly otherDeadlines = new Map<number, Deadlines<OwnDeadline<C>>>();
  /** One listener for all who wait with a signal: at the eleventh on one signal Node would warn of a leak. */
  private readonly bySignal = new Map<AbortSignal, Companions<C>>();
  /** That of the crowd which is coming just now. */
  private arrival: Arrival | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly usualTimeout: number,
    private readonly host: WaitQueueHost<C>,
  ) {
    const order = {
      dueAt: ({ arrival }: Waiter<C>): number => arrival.at + usualTimeout,
      next: ({ behind }: Waiter<C>): Waiter<C> | undefined => this.usualFrom(behind),
      expire: (waiter: Waiter<C>): void => this.expire(waiter),
    };
    this.usualDeadline = new HeadDeadline(clock, order, true);
  }

  /** How long the first has waited, in milliseconds. */
  get longestWait(): number {
    return this.first === undefined ? 0 : this.clock.now() - this.first.arrival.at;
  }

  join(waiter: Waiter<C>): void {
    const { wait } = waiter;
    waiter.arrival = this.length < CROWD ? { at: this.clock.now(), isShared: false } : this.arrivalInCrowd();
    waiter.ahead = this.last;
    if (this.last === undefined) this.first = waiter;
    else this.last.behind = waiter;
    this.last = waiter;
    this.length++;
    if (wait.timeout === this.usualTimeout) this.usualDeadline.joined(waiter);
    else this.limit(waiter);
    if (wait.signal !== undefined) this.heed(waiter, wait.signal);
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
    this.usualDeadline.clear();
  }

  /**
   * To ask for the time costs more than all the rest of waiting, so those share an answer who come before the promise jobs
   * that are pending now are done. At the end of that it is asked for again: nobody's time may be up too early, however
   * long it took, and nobody's is late by more.
   */
  private arrivalInCrowd(): Arrival {
    const { arrival } = this;
    if (arrival !== undefined) {
      arrival.isShared = true;
      return arrival;
    }
    void SOON.then(this.hasCome);
    return (this.arrival = { at: this.clock.now(), isShared: false });
  }

  private readonly hasCome = (): void => {
    const arrival = this.arrival!;
    this.arrival = undefined;
    if (arrival.isShared) arrival.at = this.clock.now();
  };

  private expire(waiter: Waiter<C>): void {
    this.desert(waiter, this.host.timeoutError(waiter));
  }

  private desert(waiter: Waiter<C>, error: unknown): void {
    waiter.reject(error);
    this.leave(waiter);
    this.host.deserted();
  }

  private leave(waiter: Waiter<C>): void {
    const { ahead, behind, wait } = waiter;
    this.usualDeadline.leaving(waiter);
    if (ahead === undefined) this.first = behind;
    else ahead.behind = behind;
    if (behind === undefined) this.last = ahead;
    else behind.ahead = ahead;
    // One who has gone but has lived for long enough to count as old would keep all behind him from being collected.
    waiter.ahead = undefined;
    waiter.behind = undefined;
    this.length--;
    if (waiter.deadline !== undefined) this.unlimit(waiter.deadline);
    if (wait.signal !== undefined) this.unheed(waiter, wait.signal);
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

  /** The first with the usual time-out, from this one on. */
  private usualFrom(start: Waiter<C> | undefined): Waiter<C> | undefined {
    let waiter = start;
    while (waiter !== undefined && waiter.wait.timeout !== this.usualTimeout) waiter = waiter.behind;
    return waiter;
  }

  private limit(waiter: Waiter<C>): void {
    const { timeout } = waiter.wait;
    if (timeout === Infinity) return;
    let deadlines = this.otherDeadlines.get(timeout);
    if (deadlines === undefined) {
      deadlines = new Deadlines(this.clock, timeout, (deadline) => this.expire(deadline.waiter), true);
      this.otherDeadlines.set(timeout, deadlines);
    }
    waiter.deadline = new OwnDeadline(waiter, deadlines);
    deadlines.add(waiter.deadline);
  }

  private unlimit(deadline: OwnDeadline<C>): void {
    const { deadlines } = deadline;
    deadlines.remove(deadline);
    if (!deadlines.isEmpty) return;
    deadlines.clear();
    this.otherDeadlines.delete(deadlines.duration);
  }
}
