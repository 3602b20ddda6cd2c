import type { AcquireEvent } from './channels.js';
import type { Clock } from './clock.js';
import { Deadlines, type Deadline } from './deadlines.js';
import { DueAlarm } from './due-alarm.js';
import type { PoolLease } from './lease.js';
import type { Span } from './span.js';

/** How somebody waits. Callers without options of their own share one. */
export interface Wait {
  /** The longest wait, in milliseconds. */
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  /** Where the caller stands, for a leak report. */
  readonly origin: string | undefined;
  /** By which observers are told of him, if there are any. */
  readonly span: Span<AcquireEvent> | undefined;
}

/** When somebody came, and how many leases had been returned by then. */
interface Arrival {
  /** Infinity while nobody has looked. */
  at: number;
  readonly returned: number;
}

/** A caller who waits for a connection. There may be a hundred thousand, so they hold no more than they must. */
export class Waiter<C> {
  resolve!: (lease: PoolLease<C>) => void;
  reject!: (error: unknown) => void;
  /** Neighbours in the queue. */
  ahead: Waiter<C> | undefined;
  behind: Waiter<C> | undefined;
  /** While he is in the queue. */
  arrival: Arrival | undefined;

  constructor(readonly wait: Wait) {}
}

/** One whose time-out is not the usual one. */
class LimitedWaiter<C> extends Waiter<C> implements Deadline {
  due = 0;
  sooner: Deadline | undefined;
  later: Deadline | undefined;
}

/** Callers who wait with the same signal. */
interface Companions<C> {
  readonly waiters: Set<Waiter<C>>;
  readonly onAbort: () => void;
}

/** What the queue asks of its pool. */
export interface WaitQueueHost {
  /** How many leases have been returned. */
  returned(): number;
  /** Makes the errors of those who have waited for so long. */
  timeUp(timeout: number): (returnedMeanwhile: number) => unknown;
  /** The queue has got its first caller, or lost its last. */
  demandChanged(): void;
  /** A caller has left without a connection. */
  deserted(): void;
}

/** From so many waiting callers on, those who come in the same turn of the event loop share their time of arrival. */
const CROWD = 8;

/** How many are told in one go that their time is up. */
const AT_ONCE = 100;

const SOON = Promise.resolve();

/** Callers in the order in which they came. To join, to be served and to leave are O(1) each. */
export class WaitQueue<C> {
  first: Waiter<C> | undefined;
  length = 0;
  private last: Waiter<C> | undefined;
  private readonly usualTimeout: number;
  /** For callers with the usual time-out: they come due in the order in which they wait. */
  private readonly usualAlarm: DueAlarm;
  /** None of those is ahead of this one. */
  private usualFirst: Waiter<C> | undefined;
  /** For callers with a time-out of their own: one list for each length of time. */
  private readonly otherDeadlines = new Map<number, Deadlines<LimitedWaiter<C>>>();
  /** One listener for all who wait with a signal: at the eleventh on one signal Node would warn of a leak. */
  private readonly bySignal = new Map<AbortSignal, Companions<C>>();
  /** That of the crowd which is coming just now. */
  private arrival: Arrival | undefined;

  constructor(
    private readonly clock: Clock,
    /** How those wait who have no options of their own. */
    private readonly usualWait: Wait,
    private readonly host: WaitQueueHost,
  ) {
    this.usualTimeout = usualWait.timeout;
    this.usualAlarm = new DueAlarm(clock, (now) => this.expireUsual(now));
  }

  /** How long the first has waited, in milliseconds. */
  get longestWait(): number {
    return this.first === undefined ? 0 : Math.max(0, this.clock.now() - arrivalOf(this.first));
  }

  join(wait: Wait): Promise<PoolLease<C>> {
    const waiter = wait.timeout === this.usualTimeout ? new Waiter<C>(wait) : new LimitedWaiter<C>(wait);
    const promise = new Promise<PoolLease<C>>((resolve, reject) => {
      waiter.resolve = resolve;
      waiter.reject = reject;
    });
    this.append(waiter);
    return promise;
  }

  private append(waiter: Waiter<C>): void {
    const { wait } = waiter;
    waiter.arrival = this.length < CROWD ? this.arrivalNow(wait.timeout) : (this.arrival ?? this.arrivalOfCrowd());
    waiter.ahead = this.last;
    if (this.last === undefined) this.first = waiter;
    else this.last.behind = waiter;
    this.last = waiter;
    this.length++;
    if (wait.timeout === this.usualTimeout) this.usualFirst ??= waiter;
    if (wait !== this.usualWait) this.heedOptions(waiter);
    if (this.length === 1) this.setAwaited(true);
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
    this.usualAlarm.clear();
  }

  private arrivalNow(timeout: number): Arrival {
    const at = this.clock.now();
    if (timeout === this.usualTimeout) this.usualAlarm.setFor(at + timeout);
    return { at, returned: this.host.returned() };
  }

  /**
   * To ask for the time costs half as much as all the rest of waiting, so a crowd asks once, when the event loop next comes
   * round to its immediates. Nobody's time is up too early then; it is late by what lies between, in which the loop is
   * busy, for it does not wait for anything while there are immediates.
   */
  private arrivalOfCrowd(): Arrival {
    const arrival = { at: Infinity, returned: this.host.returned() };
    this.arrival = arrival;
    this.clock.setImmediate(this.hasCome);
    return arrival;
  }

  private readonly hasCome = (): void => {
    const arrival = this.arrival!;
    this.arrival = undefined;
    arrival.at = this.clock.now();
    if (this.usualFirst !== undefined) this.usualAlarm.setFor(arrival.at + this.usualTimeout);
  };

  private expireUsual(now: number): number {
    const errorFor = this.host.timeUp(this.usualTimeout);
    for (let told = 0; told < AT_ONCE; told++) {
      const waiter = this.usualFrom(this.usualFirst);
      this.usualFirst = waiter;
      if (waiter === undefined) return Infinity;
      const due = arrivalOf(waiter) + this.usualTimeout;
      if (due > now) return due;
      this.desert(waiter, errorFor(this.returnedSince(waiter)));
    }
    // These deal with it before the next are told: were thousands of errors alive at once, it would take longer to collect
    // them than to make them.
    void SOON.then(() => this.usualAlarm.setFor(this.expireUsual(now)));
    return Infinity;
  }

  /** The first with the usual time-out, from this one on. */
  private usualFrom(start: Waiter<C> | undefined): Waiter<C> | undefined {
    let waiter = start;
    while (waiter !== undefined && waiter.wait.timeout !== this.usualTimeout) waiter = waiter.behind;
    return waiter;
  }

  private returnedSince(waiter: Waiter<C>): number {
    return this.host.returned() - waiter.arrival!.returned;
  }

  private desert(waiter: Waiter<C>, error: unknown): void {
    waiter.reject(error);
    this.leave(waiter);
    const { span } = waiter.wait;
    span?.fail(error);
    span?.asyncEnd();
    this.host.deserted();
  }

  private leave(waiter: Waiter<C>): void {
    const { ahead, behind } = waiter;
    if (ahead === undefined) this.first = behind;
    else ahead.behind = behind;
    if (behind === undefined) this.last = ahead;
    else behind.ahead = ahead;
    // One who has gone but has lived for long enough to count as old would keep all behind him from being collected.
    waiter.ahead = undefined;
    waiter.behind = undefined;
    waiter.arrival = undefined;
    if (waiter === this.usualFirst) this.usualFirst = behind;
    this.length--;
    if (waiter.wait !== this.usualWait) this.unheedOptions(waiter);
    if (this.length === 0) this.setAwaited(false);
  }

  private setAwaited(isAwaited: boolean): void {
    this.usualAlarm.keepAlive(isAwaited);
    this.host.demandChanged();
  }

  private heedOptions(waiter: Waiter<C>): void {
    const { signal } = waiter.wait;
    if (isLimited(waiter)) this.limit(waiter);
    if (signal !== undefined) this.heed(waiter, signal);
  }

  private unheedOptions(waiter: Waiter<C>): void {
    const { signal } = waiter.wait;
    if (isLimited(waiter)) this.unlimit(waiter);
    if (signal !== undefined) this.unheed(waiter, signal);
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

  private limit(waiter: LimitedWaiter<C>): void {
    const { timeout } = waiter.wait;
    if (timeout === Infinity) return;
    let deadlines = this.otherDeadlines.get(timeout);
    if (deadlines === undefined) {
      deadlines = new Deadlines(
        this.clock,
        timeout,
        (late) => this.desert(late, this.host.timeUp(timeout)(this.returnedSince(late))),
        true,
      );
      this.otherDeadlines.set(timeout, deadlines);
    }
    deadlines.add(waiter);
  }

  private unlimit(waiter: LimitedWaiter<C>): void {
    const { timeout } = waiter.wait;
    const deadlines = this.otherDeadlines.get(timeout);
    deadlines?.remove(waiter);
    if (deadlines?.isEmpty !== true) return;
    deadlines.clear();
    this.otherDeadlines.delete(timeout);
  }
}

/** Only of one who waits. */
function arrivalOf<C>(waiter: Waiter<C>): number {
  return waiter.arrival!.at;
}

function isLimited<C>(waiter: Waiter<C>): waiter is LimitedWaiter<C> {
  return waiter instanceof LimitedWaiter;
}
