import type { Clock } from './clock.js';
import { noteBrokenBy } from './connection-error.js';
import type { ConnectionFactory } from './connection-factory.js';
import type { Duration } from './duration.js';
import { AcquireTimeoutError, PoolClosedError, PoolOverloadedError, type PoolCounts } from './errors.js';
import { LeakWatch } from './leak-watch.js';
import { PoolLease, type Lease, type LeaseHome, type Outcome } from './lease.js';
import { PoolLog } from './pool-log.js';
import { isGone, State, type PooledConnection } from './pooled-connection.js';
import { Readiness } from './readiness.js';
import { readSignal, readSize, readTimeout, resolveSettings } from './settings.js';
import type { PoolSettings, PoolSize, ResolvedSettings } from './settings.js';
import { Shutdown } from './shutdown.js';
import { Totals, type PoolStats } from './stats.js';
import { Stock } from './stock.js';
import { Judge } from './verdict.js';
import { explainWait } from './wait-diagnosis.js';
import { WaitQueue, Waiter } from './wait-queue.js';

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
  private readonly judge: Judge;
  /** Leases returned, to tell a time-out whether any came back while its caller waited. */
  private returns = 0;
  private started = false;
  private shutdown: Shutdown<C> | undefined;

  /** @throws PoolSettingsError which lists every fault of the settings and of the factory */
  constructor(
    private readonly factory: ConnectionFactory<C>,
    settings: PoolSettings = {},
  ) {
    this.settings = resolveSettings(factory, settings);
    const { name, clock, logger, acquireTimeout, leakDetection, connectionErrors } = this.settings;
    this.name = name;
    this.clock = clock;
    this.judge = new Judge(factory, connectionErrors);
    this.log = new PoolLog(name, logger, clock);
    this.home = { name, takeBack: (entry, outcome, error, signal) => this.takeBack(entry, outcome, error, signal) };
    this.stock = new Stock(factory, this.settings, clock, this.totals, this.log, {
      waiting: () => this.queue.length,
      offer: (entry) => this.offer(entry),
      changed: () => this.changed(),
    });
    this.queue = new WaitQueue(clock, acquireTimeout, {
      timeoutError: (waiter) => this.timeoutError(waiter),
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
    const borrowed = this.borrow(options);
    const lease = borrowed instanceof PoolLease ? borrowed : await borrowed;
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
    try {
      return Promise.resolve(this.borrow(options));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Borrows a connection that is free now; undefined if none is, or if all that are must be checked first.
   * @throws PoolClosedError
   */
  tryAcquire(): Lease<C> | undefined {
    if (this.shutdown !== undefined) throw new PoolClosedError(this.name);
    this.start();
    const entry = this.takeIdle();
    return entry === undefined ? undefined : this.lease(entry, undefined, this.origin(this.tryAcquire));
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
  }

  /** Replaces every connection: idle ones now, leased ones on return. For after a failover, or a change of password. */
  recycle(): void {
    this.stock.recycle();
    this.changed();
  }

  /** What the pool is doing and has done. Cheap: everything is counted as it happens. */
  stats(): PoolStats {
    const { filler, census } = this.stock;
    const first = this.queue.first;
    return {
      ...this.counts(),
      open: census.open,
      longestWait: first === undefined ? 0 : this.clock.now() - first.since,
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

  // The road of a lease: borrow, takeBack, offer ---------------------------------------------------------------------

  private borrow(options: AcquireOptions | undefined): PoolLease<C> | Promise<PoolLease<C>> {
    if (this.shutdown !== undefined) throw new PoolClosedError(this.name);
    const signal = readSignal(this.name, options?.signal);
    if (signal?.aborted === true) throw signal.reason as Error;
    const given = options?.timeout;
    const timeout = given === undefined ? this.settings.acquireTimeout : readTimeout(this.name, given);
    const entry = this.takeIdle();
    return entry === undefined ? this.wait(timeout, signal) : this.lease(entry, signal, this.origin(this.borrow));
  }

  /** An idle connection that can be lent as it is. */
  private takeIdle(): PooledConnection<C> | undefined {
    const { stock } = this;
    for (;;) {
      const entry = this.nextInLine();
      if (entry === undefined) return undefined;
      stock.idle.remove(entry);
      stock.census.move(entry, State.leased);
      if (stock.isUsable(entry)) return entry;
      stock.loseUnusable(entry);
    }
  }

  private nextInLine(): PooledConnection<C> | undefined {
    const { idle } = this.stock;
    const entry = idle.order === 'lifo' ? idle.newest : idle.oldest;
    return entry !== undefined && this.isStale(entry) ? this.fresh() : entry;
  }

  /** The last used of the idle connections that need no check. */
  private fresh(): PooledConnection<C> | undefined {
    const { idle } = this.stock;
    let entry = idle.newest;
    // In fifo the newest is the last used or pinged: if even that one is stale, all are.
    while (entry !== undefined && this.isStale(entry)) entry = idle.order === 'lifo' ? entry.older : undefined;
    return entry;
  }

  private lease(entry: PooledConnection<C>, signal: AbortSignal | undefined, origin: string | undefined): PoolLease<C> {
    const lease = new PoolLease(this.home, entry, signal);
    this.totals.acquired++;
    entry.reception = undefined;
    if (++entry.uses >= this.settings.maxUses) entry.doom ??= 'expired';
    if (origin !== undefined) this.leaks?.taken(entry, lease, origin);
    return lease;
  }

  private takeBack(
    entry: PooledConnection<C>,
    outcome: Outcome,
    error: unknown,
    signal: AbortSignal | undefined,
  ): void {
    const verdict = this.judge.verdict(outcome, error, signal);
    // The pool may have been closed, and the connection with it.
    if (entry.state !== State.leased) return;
    const { stock } = this;
    this.returns++;
    this.leaks?.returned(entry);
    if (entry.doom === 'broken') this.bury(entry, error);
    else if (verdict === 'broken') stock.lose(entry, error, 'break');
    else if (verdict === 'unsure') this.bury(entry, undefined);
    else if (stock.isUsable(entry)) this.receive(entry);
    else stock.loseUnusable(entry, error);
  }

  /** A lease has ended well. */
  private receive(entry: PooledConnection<C>): void {
    const { stock } = this;
    stock.served(entry);
    stock.touch(entry);
    if (this.factory.reset !== undefined && !this.mustGo(entry)) stock.reset(entry);
    else this.offer(entry);
  }

  /** A connection that is free and well goes to whoever has waited longest, or becomes idle. */
  private offer(entry: PooledConnection<C>): void {
    const { stock, queue } = this;
    // A hook that was called meanwhile may have closed the pool.
    if (isGone(entry)) return;
    // One that comes straight from a lease has just been asked.
    if (entry.state !== State.leased && queue.first !== undefined && !stock.isUsable(entry)) {
      stock.loseUnusable(entry);
      return;
    }
    const waiter = queue.first;
    if (this.mustGo(entry)) {
      stock.retire(entry, stock.overfull ? 'surplus' : 'shutdown');
    } else if (waiter === undefined) {
      stock.toIdle(entry);
    } else {
      if (entry.state !== State.leased) stock.census.move(entry, State.leased);
      queue.serve(waiter, this.lease(entry, waiter.signal, waiter.origin));
    }
  }

  private mustGo(entry: PooledConnection<C>): boolean {
    const superfluous = this.shutdown !== undefined && this.queue.length === 0;
    return entry.doom !== undefined || this.stock.overfull || superfluous;
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

  private wait(timeout: number, signal: AbortSignal | undefined): Promise<PoolLease<C>> {
    // A hook that was called meanwhile may have closed it.
    if (this.shutdown !== undefined) throw new PoolClosedError(this.name);
    const { queue, settings, stock } = this;
    const waiter = new Waiter<C>(this.clock.now(), timeout, signal, this.returns, this.origin(this.borrow));
    const mayWait = timeout > 0 && queue.length < settings.maxWaiting;
    // First of all: whoever comes from inside a hook that is called from here on comes later.
    if (mayWait) queue.join(waiter);
    this.start();
    if (!mayWait) throw this.refusal(waiter);
    // What is being checked already may hang; what is idle now can be checked beside it.
    if (stock.idle.newest !== undefined) stock.ping(stock.idle.newest);
    this.changed();
    return waiter.promise;
  }

  private refusal(waiter: Waiter<C>): Error {
    // Likewise.
    if (this.shutdown !== undefined) return new PoolClosedError(this.name);
    if (waiter.timeout === 0) return this.timeoutError(waiter);
    return new PoolOverloadedError(this.name, this.settings.maxWaiting, this.counts());
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

  private timeoutError(waiter: Waiter<C>): AcquireTimeoutError {
    this.totals.acquireTimeouts++;
    const counts = this.counts();
    const { filler } = this.stock;
    // Whoever asks in vain wanted a connect, even if he is in no queue.
    const { failingSince, lastError } = filler;
    const reason = explainWait({
      counts,
      downFor: failingSince === undefined ? undefined : this.clock.now() - failingSince,
      failures: filler.failures,
      lastError,
      returned: waiter.timeout === 0 ? undefined : this.returns - waiter.returnsBefore,
    });
    const options = failingSince === undefined ? undefined : { cause: lastError };
    return new AcquireTimeoutError(this.name, waiter.timeout, counts, reason, options);
  }

  private counts(): PoolCounts {
    const { census, bounds } = this.stock;
    const { idle, leased, checking, connecting, closing } = census;
    return { size: bounds.max, idle, leased, checking, connecting, closing, waiting: this.queue.length };
  }

  /** Where the caller of this method stands, if a leak report will want to know. */
  private origin(method: (...args: never[]) => unknown): string | undefined {
    return this.leaks === undefined ? undefined : LeakWatch.origin(method);
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
