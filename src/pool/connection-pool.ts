import { ACQUIRE, areLeasesHeard, RESIZE, USE, type AcquireEvent, type UseEvent } from './channels.js';
import type { Clock } from './clock.js';
import { noteBrokenBy } from './connection-error.js';
import type { ConnectionFactory } from './connection-factory.js';
import type { Duration } from './duration.js';
import {
  AcquireTimeoutError,
  describeTimeout,
  PoolClosedError,
  PoolOverloadedError,
  withoutCalls,
  type PoolCounts,
} from './errors.js';
import { LeakWatch } from './leak-watch.js';
import { PoolLease, SignalledLease, TracedLease, type Lease, type LeaseHome, type Outcome } from './lease.js';
import { PoolLog } from './pool-log.js';
import { isGone, isLeased, State, type PooledConnection } from './pooled-connection.js';
import { Readiness } from './readiness.js';
import { readSignal, readSize, readTimeout, resolveSettings } from './settings.js';
import type { PoolSettings, PoolSize, ResolvedSettings } from './settings.js';
import { Shutdown } from './shutdown.js';
import { Span } from './span.js';
import { Totals, type PoolStats } from './stats.js';
import { Stock } from './stock.js';
import { Judge } from './verdict.js';
import { explainWait } from './wait-diagnosis.js';
import { WaitQueue, type Wait, type Waiter } from './wait-queue.js';

/** How to wait for a connection. Both govern the wait, not the work. */
export interface AcquireOptions {
  /** The longest wait; 0 is "do not wait". Default: the pool's `acquireTimeout`. */
  readonly timeout?: Duration;
  /** Ends the wait. Work that fails while it is aborted costs the connection: its reply may still be on its way. */
  readonly signal?: AbortSignal;
}

/**
 * A pool of connections of any kind, which keeps itself full: connections are opened in the background, pinged, watched
 * and replaced, and lent to one caller at a time, in the order in which callers come.
 *
 * The idea is geventconnpool's: say how a connection is opened, and never see a dead one. The verbs are puddle's (Go).
 *
 * @example
 * const pool = new ConnectionPool(new MailConnectionFactory(), { size: 20, keepalive: '30s' });
 * const unseen = await pool.use((mail) => mail.search({ seen: false }));
 */
export class ConnectionPool<C> implements AsyncDisposable {
  readonly name: string;
  private readonly settings: ResolvedSettings;
  private readonly clock: Clock;
  private readonly log: PoolLog;
  private readonly totals = new Totals();
  private readonly stock: Stock<C>;
  private readonly queue: WaitQueue<C>;
  private readonly readiness: Readiness;
  private readonly leaks: LeakWatch<C> | undefined;
  private readonly home: LeaseHome<C>;
  private readonly verdicts: Judge;
  // What every lease asks for, known beforehand.
  private readonly usualWait: Wait;
  private readonly maxWaiting: number;
  private readonly resets: boolean;
  private started = false;
  private shutdown: Shutdown<C> | undefined;

  /** @throws PoolSettingsError which lists every fault of the settings and of the factory */
  constructor(factory: ConnectionFactory<C>, settings: PoolSettings = {}) {
    this.settings = resolveSettings(factory, settings);
    const { name, clock, logger, acquireTimeout, maxWaiting, leakDetection, connectionErrors } = this.settings;
    this.usualWait = { timeout: acquireTimeout, signal: undefined, origin: undefined, span: undefined };
    this.maxWaiting = maxWaiting;
    this.resets = factory.reset !== undefined;
    this.name = name;
    this.clock = clock;
    this.verdicts = new Judge(factory, connectionErrors);
    this.log = new PoolLog(name, logger, clock);
    this.home = {
      name,
      receive: (entry) => this.receive(entry),
      judge: (entry, outcome, error, signal) => this.judge(entry, outcome, error, signal),
    };
    this.stock = new Stock(factory, this.settings, clock, this.totals, this.log, {
      waiting: () => this.queue.length,
      offer: (entry) => this.offer(entry),
      changed: () => this.changed(),
    });
    this.queue = new WaitQueue(clock, this.usualWait, {
      returns: () => this.totals.acquired - this.stock.census.leased,
      timeUp: (timeout) => {
        const errorFor = this.timeUp(timeout);
        return (returned) => withoutCalls(() => errorFor(returned));
      },
      demandChanged: () => this.demandChanged(),
      deserted: () => this.changed(),
    });
    this.readiness = new Readiness(() => this.demandChanged());
    if (leakDetection !== Infinity) {
      this.leaks = new LeakWatch(this.settings, clock, this.log, (entry) => this.bury(entry, undefined));
    }
  }

  /**
   * Borrows a connection for a piece of work, and returns it when the work is done. Work that fails with a connection
   * error costs the connection; so does work that fails aborted or timed out, since a reply may still be on its way to
   * the next borrower. The very error thrown comes out.
   *
   * @throws AcquireTimeoutError, PoolOverloadedError, PoolClosedError, the reason of an aborted signal, and what the
   * work throws
   */
  async use<R>(work: (connection: C, lease: Lease<C>) => R | PromiseLike<R>, options?: AcquireOptions): Promise<R> {
    let lease: PoolLease<C>;
    if (options === undefined && !this.mustTakeCare()) {
      const free = this.takeFree();
      lease = free === undefined ? await this.wait(this.usualWait) : new PoolLease(this.home, free);
    } else {
      const borrowed = this.borrow(options, ConnectionPool.prototype.use);
      lease = borrowed instanceof PoolLease ? borrowed : await borrowed;
    }
    let result: R;
    try {
      result = await work(lease.connection, lease);
    } catch (error) {
      lease.fail(error);
      throw error;
    }
    lease.release();
    return result;
  }

  /**
   * Borrows a connection until the lease is released. Callers are served in the order in which they came.
   *
   * @throws AcquireTimeoutError, PoolOverloadedError, PoolClosedError, or the reason of an aborted signal
   */
  acquire(options?: AcquireOptions): Promise<Lease<C>> {
    if (options !== undefined || this.mustTakeCare()) return this.acquireWithCare(options);
    const free = this.takeFree();
    return free === undefined ? this.join() : Promise.resolve(new PoolLease(this.home, free));
  }

  /**
   * Borrows a connection that is free now; undefined if none is, or if all that are must be checked first.
   * @throws PoolClosedError
   */
  tryAcquire(): Lease<C> | undefined {
    if (this.shutdown !== undefined) throw new PoolClosedError(this.name);
    this.start();
    const entry = this.takeUsable();
    if (entry === undefined) return undefined;
    return this.lendInSight(entry, this.waitOf(ConnectionPool.prototype.tryAcquire, {}));
  }

  /** Begins to open connections, in the background. `acquire()` and `ready()` start a pool by themselves. */
  start(): void {
    if (this.started || this.shutdown !== undefined) return;
    this.started = true;
    this.stock.filling = true;
    this.stock.filler.fill();
  }

  /**
   * Starts the pool; resolves once it is full: its `size`, or its `min` if it is elastic.
   *
   * @param options.connections resolve as soon as so many are open
   * @throws PoolClosedError, or the reason of an aborted signal
   */
  ready(options: { readonly signal?: AbortSignal; readonly connections?: number } = {}): Promise<void> {
    try {
      const signal = readSignal(this.name, options.signal);
      if (signal?.aborted !== true) this.start();
      // Not earlier, for the connects that start() begins may close the pool.
      if (this.shutdown !== undefined) throw new PoolClosedError(this.name);
      signal?.throwIfAborted();
      const { census, bounds } = this.stock;
      const isReady = census.open >= (options.connections ?? bounds.min);
      return isReady ? Promise.resolve() : this.readiness.wait(options.connections, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Changes how many connections there are to be. Those too many are closed: idle ones now, leased ones on return.
   * @throws PoolSettingsError
   */
  resize(size: PoolSize): void {
    const bounds = readSize(this.name, size);
    this.stock.resize(bounds);
    this.changed();
    if (RESIZE.hasSubscribers) RESIZE.publish({ pool: this.name, size: bounds });
  }

  /** Replaces every connection: idle ones now, leased ones on return. For after a failover, or a change of password. */
  recycle(): void {
    this.stock.recycle();
    this.changed();
  }

  /** What the pool is doing and has done. Cheap: everything is counted as it happens. */
  stats(): PoolStats {
    const { filler, census } = this.stock;
    return {
      ...this.counts(),
      open: census.open,
      longestWait: this.queue.longestWait,
      lastConnectError: filler.lastError,
      downSince: filler.downSince,
      totals: this.totals.snapshot(),
    };
  }

  /**
   * Closes the pool: new callers are turned away at once, those in the queue are served while time remains, leased
   * connections are awaited until the deadline and then closed. Resolves when nothing is left. Called again it returns
   * the same promise; an earlier deadline brings it forward.
   *
   * @param options.timeout how long leases are awaited. Default: the pool's `shutdownTimeout`.
   * @throws PoolSettingsError if the time-out is none
   */
  close(options: { readonly timeout?: Duration } = {}): Promise<void> {
    let timeout: number;
    try {
      timeout = options.timeout === undefined ? this.settings.shutdownTimeout : readTimeout(this.name, options.timeout);
    } catch (error) {
      return Promise.reject(error);
    }
    const shutdown = this.shutdown ?? this.beginShutdown();
    shutdown.within(timeout);
    shutdown.proceed();
    return shutdown.promise;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  // The road of a lease: takeFree or wait, lease, receive, offer ---------------------------------------------------------
  //
  // What every lease passes through is short and calls little, for V8 makes one piece of it only up to a certain size, and
  // each call that it leaves in costs about what a tenth of a lease does (docs/performance.md). Whatever is asked for only
  // now and then stands in methods of its own, "with care".

  private mustTakeCare(): boolean {
    return this.stock.needsCare || areLeasesHeard();
  }

  /** The idle connection whose turn it is, which can be lent unasked. */
  private takeFree(): PooledConnection<C> | undefined {
    const entry = this.stock.idle.take();
    if (entry !== undefined) {
      this.stock.census.lend(entry);
      this.totals.acquired++;
    }
    return entry;
  }

  private join(): Promise<PoolLease<C>> {
    try {
      return this.wait(this.usualWait);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  private lease(entry: PooledConnection<C>, wait: Wait): PoolLease<C> {
    this.totals.acquired++;
    if (this.stock.needsCare || wait !== this.usualWait) return this.leaseWithCare(entry, wait);
    return new PoolLease(this.home, entry);
  }

  /** A lease has ended well. */
  private receive(entry: PooledConnection<C>): void {
    // The pool may have been closed, and the connection with it.
    if (!isLeased(entry)) return;
    const { stock, queue } = this;
    if (stock.needsCare || entry.doom !== undefined || !entry.proven) this.receiveWithCare(entry);
    else if (queue.first === undefined) stock.rest(entry);
    else this.hand(entry, queue.first);
  }

  private hand(entry: PooledConnection<C>, waiter: Waiter<C>): void {
    if (entry.state !== State.leased) this.stock.census.move(entry, State.leased);
    const { wait } = waiter;
    const lease = this.lease(entry, wait);
    this.queue.serve(waiter, lease);
    if (wait !== this.usualWait) this.tellServed(wait, lease);
    // What else was on its way to him is wanted no more.
    if (this.shutdown !== undefined) this.shutdown.proceed();
  }

  // The same with care -------------------------------------------------------------------------------------------------

  private acquireWithCare(options: AcquireOptions | undefined): Promise<PoolLease<C>> {
    try {
      return Promise.resolve(this.borrow(options, ConnectionPool.prototype.acquire));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** @throws PoolOverloadedError, PoolClosedError, the reason of an aborted signal, PoolSettingsError */
  private borrow(
    options: AcquireOptions | undefined,
    method: (...args: never[]) => unknown,
  ): PoolLease<C> | Promise<PoolLease<C>> {
    const span = this.spanOfAcquire();
    span?.start();
    try {
      const wait = this.readWait(options, method, span);
      const entry = this.takeUsable();
      return entry === undefined ? this.waitInSight(wait) : this.lendInSight(entry, wait);
    } catch (error) {
      span?.fail(error);
      span?.end();
      throw error;
    }
  }

  private readWait(
    options: AcquireOptions | undefined,
    method: (...args: never[]) => unknown,
    span: Span<AcquireEvent> | undefined,
  ): Wait {
    if (this.shutdown !== undefined) throw new PoolClosedError(this.name);
    if (options === undefined) return this.waitOf(method, { span });
    const signal = readSignal(this.name, options.signal);
    if (signal?.aborted === true) throw signal.reason as Error;
    if (options.timeout === undefined) return this.waitOf(method, { signal, span });
    return this.waitOf(method, { timeout: readTimeout(this.name, options.timeout), signal, span });
  }

  /** The usual one, unless there is more to be known of this caller. */
  private waitOf(method: (...args: never[]) => unknown, given: Partial<Wait>): Wait {
    const isUsual = given.timeout === undefined && given.signal === undefined;
    if (isUsual && this.leaks === undefined && !areLeasesHeard()) return this.usualWait;
    const origin = this.leaks === undefined ? undefined : LeakWatch.origin(method);
    const { timeout = this.usualWait.timeout, signal, span } = given;
    return { timeout, signal, origin, span };
  }

  /** Tells observers only when all is done: they may call the pool. */
  private lendInSight(entry: PooledConnection<C>, wait: Wait): PoolLease<C> {
    const lease = this.lease(entry, wait);
    wait.span?.end();
    if (lease instanceof TracedLease) lease.begun();
    return lease;
  }

  private waitInSight(wait: Wait): Promise<PoolLease<C>> {
    const promise = this.wait(wait);
    wait.span?.end();
    return promise;
  }

  private tellServed(wait: Wait, lease: PoolLease<C>): void {
    wait.span?.asyncEnd();
    if (lease instanceof TracedLease) lease.begun();
  }

  private spanOfAcquire(): Span<AcquireEvent> | undefined {
    return Span.isHeard(ACQUIRE) ? new Span<AcquireEvent>(ACQUIRE, { pool: this.name, waits: false }) : undefined;
  }

  /** An idle connection that says it can be lent as it is. */
  private takeUsable(): PooledConnection<C> | undefined {
    const { stock } = this;
    for (;;) {
      const entry = this.nextInLine();
      if (entry === undefined) return undefined;
      stock.idle.remove(entry);
      stock.census.lend(entry);
      if (stock.isUsable(entry)) return entry;
      stock.loseUnusable(entry);
    }
  }

  private nextInLine(): PooledConnection<C> | undefined {
    const { next } = this.stock.idle;
    return next !== undefined && this.isStale(next) ? this.fresh() : next;
  }

  /** The last used of the idle connections that need no check. */
  private fresh(): PooledConnection<C> | undefined {
    const { idle } = this.stock;
    let entry = idle.newest;
    // In fifo the newest is the last used or pinged: if even that one is stale, all are.
    while (entry !== undefined && this.isStale(entry)) entry = idle.order === 'lifo' ? idle.older(entry) : undefined;
    return entry;
  }

  private leaseWithCare(entry: PooledConnection<C>, { signal, origin }: Wait): PoolLease<C> {
    if (++entry.uses >= this.settings.maxUses) entry.doom ??= 'expired';
    entry.reception = undefined;
    const lease = this.leaseFor(entry, signal);
    this.leaks?.taken(entry, lease, origin!);
    return lease;
  }

  private leaseFor(entry: PooledConnection<C>, signal: AbortSignal | undefined): PoolLease<C> {
    if (Span.isHeard(USE)) {
      return new TracedLease(this.home, entry, signal, new Span<UseEvent>(USE, { pool: this.name }));
    }
    return signal === undefined ? new PoolLease(this.home, entry) : new SignalledLease(this.home, entry, signal);
  }

  private receiveWithCare(entry: PooledConnection<C>): void {
    this.leaks?.returned(entry);
    if (entry.doom === 'broken') this.bury(entry, undefined);
    else if (this.stock.isUsable(entry)) this.keep(entry);
    else this.stock.loseUnusable(entry);
  }

  /** It comes from a lease, and is well. */
  private keep(entry: PooledConnection<C>): void {
    const { stock } = this;
    stock.used(entry);
    // What that did may have called the pool, so offer() looks once more.
    if (this.resets && !this.mustGo(entry)) stock.reset(entry);
    else this.offer(entry);
  }

  /** A connection that is free and well goes to whoever has waited longest, or becomes idle. */
  private offer(entry: PooledConnection<C>): void {
    const { stock, queue } = this;
    if (entry.state !== State.leased && !this.isStillWell(entry)) return;
    const { first } = queue;
    if (this.mustGo(entry)) stock.retire(entry, stock.overfull ? 'surplus' : 'shutdown');
    else if (first === undefined) stock.toIdle(entry);
    else this.hand(entry, first);
  }

  private mustGo(entry: PooledConnection<C>): boolean {
    return entry.doom !== undefined || this.stock.overfull || (this.shutdown !== undefined && this.queue.length === 0);
  }

  /** A lease has ended, and not well, or not for certain. */
  private judge(entry: PooledConnection<C>, outcome: Outcome, error: unknown, signal: AbortSignal | undefined): void {
    const verdict = this.verdicts.verdict(outcome, error, signal);
    // Likewise; and the verdict has asked the user's own predicates, which may call the pool.
    if (entry.state !== State.leased) return;
    const { stock } = this;
    this.leaks?.returned(entry);
    if (entry.doom === 'broken') this.bury(entry, error);
    else if (verdict === 'broken') stock.lose(entry, error, 'break');
    else if (verdict === 'unsure') this.bury(entry, undefined);
    else if (stock.isUsable(entry)) this.keep(entry);
    else stock.loseUnusable(entry, error);
  }

  /** Of one that does not come from a lease, which has just been asked. */
  private isStillWell(entry: PooledConnection<C>): boolean {
    // A hook that was called meanwhile may have closed the pool.
    if (isGone(entry)) return false;
    if (this.queue.first === undefined || this.stock.isUsable(entry)) return true;
    this.stock.loseUnusable(entry);
    return false;
  }

  /** Closes a connection that is known to be dead or that nobody may trust, which is no news of its siblings. */
  private bury(entry: PooledConnection<C>, error: unknown): void {
    noteBrokenBy(error);
    this.stock.part(entry, 'broken');
    this.changed();
  }

  /** Neither used nor pinged for so long that it must be pinged before it is lent. */
  private isStale(entry: PooledConnection<C>): boolean {
    const { checkAfterIdle } = this.settings;
    return checkAfterIdle !== Infinity && this.clock.now() - entry.activeAt >= checkAfterIdle;
  }

  // Waiting --------------------------------------------------------------------------------------------------------

  private wait(wait: Wait): Promise<PoolLease<C>> {
    const { queue, stock } = this;
    if (wait.timeout === 0 || queue.length >= this.maxWaiting || this.shutdown !== undefined) this.refuse(wait);
    if (wait.span !== undefined) wait.span.event.waits = true;
    // First of all: whoever comes from inside a hook that is called from here on comes later.
    const promise = queue.join(wait);
    if (!this.started || stock.hasRoom || stock.idle.newest !== undefined) this.provide();
    return promise;
  }

  /** There may be something to do for whoever has come. */
  private provide(): void {
    const { stock } = this;
    this.start();
    // What is being checked already may hang; what is idle now can be checked beside it.
    if (stock.idle.newest !== undefined) stock.ping(stock.idle.newest);
    this.changed();
  }

  private refuse(wait: Wait): never {
    this.start();
    // It was closed before, or by a hook that was called meanwhile.
    if (this.shutdown !== undefined) throw new PoolClosedError(this.name);
    if (wait.timeout === 0) throw this.timeUp(0)(undefined);
    throw new PoolOverloadedError(this.name, this.maxWaiting, this.counts());
  }

  /** A slot, a connection or a caller has come or gone: whatever can be done now is begun. */
  private changed(): void {
    const { stock, queue, readiness } = this;
    if (this.shutdown !== undefined) {
      this.shutdown.proceed();
      return;
    }
    // Where callers wait though connections are idle, those must be checked first: as many as there are callers.
    while (stock.idle.newest !== undefined && queue.length > stock.census.checking) stock.ping(stock.idle.newest);
    stock.filler.fill();
    if (readiness.isAwaited) readiness.check(stock.census.open, stock.bounds.min);
  }

  /** Timers behind a promise that somebody awaits keep the process alive, others do not. */
  private demandChanged(): void {
    const closing = this.shutdown?.isOver === false;
    this.stock.setVital(closing || this.queue.length > 0 || this.readiness.isAwaited);
  }

  /**
   * Makes the errors of all who have waited for so long in one instant. What they say is worked out once.
   * @returns takes how many leases were returned while the caller waited; undefined if he would not wait
   */
  private timeUp(timeout: number): (returned: number | undefined) => AcquireTimeoutError {
    const { name, totals, clock } = this;
    const counts = this.counts();
    // Whoever asks in vain wanted a connect, even if he is in no queue.
    const { failingSince, failures, lastError } = this.stock.filler;
    const downFor = failingSince === undefined ? undefined : clock.now() - failingSince;
    const options = failingSince === undefined ? undefined : { cause: lastError };
    const describe = (returned: number | undefined): string =>
      describeTimeout(name, timeout, counts, explainWait({ counts, downFor, failures, lastError, returned }));
    let [withReturns, withNone]: Array<string | undefined> = [];
    return (returned) => {
      totals.acquireTimeouts++;
      const message = returned === 0 ? (withNone ??= describe(0)) : (withReturns ??= describe(returned));
      return new AcquireTimeoutError(name, timeout, counts, message, options);
    };
  }

  private counts(): PoolCounts {
    const { census, bounds } = this.stock;
    const { idle, leased, checking, connecting, closing } = census;
    return { size: bounds.max, idle, leased, checking, connecting, closing, waiting: this.queue.length };
  }

  // Closing --------------------------------------------------------------------------------------------------------

  private beginShutdown(): Shutdown<C> {
    const { name, clock, stock, queue, log } = this;
    const over = (): void => {
      this.demandChanged();
      this.leaks?.stop();
    };
    // Known before anything else happens: a hook may call the pool from here on.
    this.shutdown = new Shutdown(name, clock, stock, queue, log, over);
    this.readiness.rejectAll(() => new PoolClosedError(name));
    stock.wind();
    this.demandChanged();
    return this.shutdown;
  }
}
