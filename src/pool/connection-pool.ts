import { AcquireOptionsReader, type AcquireOptions, type BorrowMethod } from './acquire-options.js';
import { ACQUIRE, areLeasesHeard, RESIZE, tellOver, USE, type AcquireEvent, type UseEvent } from './channels.js';
import type { ConnectionFactory } from './connection-factory.js';
import type { Duration } from './duration.js';
import { PoolClosedError, PoolOverloadedError, withoutCalls, type PoolCounts } from './errors.js';
import { IdleChoice } from './idle-choice.js';
import { LeakWatch } from './leak-watch.js';
import { PoolLease, SignalledLease, type Lease, type LeaseHome } from './lease.js';
import { PoolLog } from './pool-log.js';
import { isLeased, State, type PooledConnection } from './pooled-connection.js';
import { Readiness } from './readiness.js';
import { Returns } from './returns.js';
import { readSignal, readSize, readTimeout, resolveSettings } from './settings.js';
import type { OwnSettings, PoolSettings, PoolSize, SizeBounds } from './settings.js';
import { Shutdown } from './shutdown.js';
import { Span } from './span.js';
import { Totals, type ConnectionInfo, type PoolStats } from './stats.js';
import { Stock } from './stock.js';
import { Judge } from './verdict.js';
import { WaitDiagnosis } from './wait-diagnosis.js';
import { WaitQueue, type Wait, type Waiter } from './wait-queue.js';

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
  /** Tells it from others of its name, as two applications in one process may have: what the channels call `poolId`. */
  readonly id: symbol;
  private readonly settings: OwnSettings;
  private readonly log: PoolLog;
  private readonly totals = new Totals();
  private readonly stock: Stock<C>;
  private readonly queue: WaitQueue<C>;
  private readonly readiness: Readiness;
  private readonly leaks: LeakWatch<C> | undefined;
  private readonly home: LeaseHome<C>;
  private readonly returns: Returns<C>;
  private readonly choice: IdleChoice<C>;
  private readonly options: AcquireOptionsReader;
  private readonly diagnosis: WaitDiagnosis;
  /** That of callers without options. */
  private readonly usualWait: Wait;
  private readonly maxWaiting: number;
  private started = false;
  private shutdown: Shutdown<C> | undefined;

  /** @throws PoolSettingsError which lists every fault of the settings and of the factory */
  constructor(factory: ConnectionFactory<C>, settings: PoolSettings = {}) {
    const resolved = resolveSettings(factory, settings);
    this.id = Symbol(resolved.name);
    this.settings = { ...resolved, id: this.id };
    const { name, clock, logger, acquireTimeout, maxWaiting, leakDetection } = this.settings;
    const { connectionErrors, checkAfterIdle } = this.settings;
    this.name = name;
    this.maxWaiting = maxWaiting;
    this.usualWait = { timeout: acquireTimeout, signal: undefined, origin: undefined, span: undefined };
    this.log = new PoolLog(name, logger, clock);
    const verdicts = new Judge(factory, connectionErrors);
    this.stock = new Stock(factory, this.settings, clock, this.totals, this.log, verdicts, {
      waiting: () => this.queue.length,
      offer: (entry) => this.returns.offer(entry),
      changed: () => this.changed(),
    });
    this.queue = new WaitQueue(clock, this.usualWait, {
      returned: () => this.totals.acquired - this.stock.census.leased,
      timeUp: (timeout) => {
        const errorFor = this.diagnosis.timeUp(timeout);
        return (returned) => withoutCalls(() => errorFor(returned));
      },
      demandChanged: () => this.demandChanged(),
      deserted: () => this.changed(),
    });
    this.readiness = new Readiness(() => this.demandChanged());
    if (leakDetection !== Infinity) {
      this.leaks = new LeakWatch(this.settings, clock, this.log, (entry) => this.returns.bury(entry, undefined));
    }
    this.returns = new Returns(this.stock, verdicts, this.leaks, factory.reset !== undefined, {
      isAwaited: () => this.queue.length > 0,
      isClosing: () => this.shutdown !== undefined,
      hand: (entry) => this.hand(entry, this.queue.first!),
      changed: () => this.changed(),
    });
    this.home = {
      name,
      receive: (entry) => this.receive(entry),
      judge: (entry, outcome, error, signal) => {
        const { use } = entry;
        if (use !== undefined) entry.use = undefined;
        this.returns.judge(entry, outcome, error, signal);
        if (use !== undefined) tellOver(use, error);
      },
    };
    this.choice = new IdleChoice(this.stock, clock, checkAfterIdle);
    this.options = new AcquireOptionsReader(name, this.usualWait, this.leaks !== undefined);
    this.diagnosis = new WaitDiagnosis(name, clock, this.stock.filler, this.totals, () => this.counts());
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
      lease = free === undefined ? await this.wait(this.usualWait) : this.usualLease(free);
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
    return free === undefined ? this.join() : Promise.resolve(this.usualLease(free));
  }

  /**
   * Borrows a connection that is free now; undefined if none is, or if all that are must be checked first.
   * @throws PoolClosedError
   */
  tryAcquire(): Lease<C> | undefined {
    if (this.shutdown !== undefined) throw new PoolClosedError(this.name);
    this.start();
    const entry = this.choice.take();
    if (entry === undefined) return undefined;
    const wait = this.options.read(undefined, ConnectionPool.prototype.tryAcquire);
    const lease = this.lease(entry, wait);
    if (areLeasesHeard()) this.observe(entry);
    return lease;
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
    if (RESIZE.hasSubscribers) RESIZE.publish({ pool: this.name, poolId: this.id, size: bounds });
  }

  /** Replaces every connection: idle ones now, leased ones on return. For after a failover, or a change of password. */
  recycle(): void {
    this.stock.recycle();
    this.changed();
  }

  /** How many connections it keeps at least, and has at most; the same unless it is elastic. */
  get size(): SizeBounds {
    return this.stock.bounds;
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

  /** Each connection as it is just now, oldest first. By looking at all of them: for somebody who looks, now and then. */
  inspect(): ConnectionInfo[] {
    return this.stock.inspect();
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
    if (entry !== undefined) this.stock.census.lend(entry);
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
    const isUsual = !this.stock.needsCare && wait === this.usualWait;
    return isUsual ? this.usualLease(entry) : this.leaseWithCare(entry, wait);
  }

  private usualLease(entry: PooledConnection<C>): PoolLease<C> {
    this.totals.acquired++;
    entry.uses++;
    return new PoolLease(this.home, entry);
  }

  /** A lease has ended well. */
  private receive(entry: PooledConnection<C>): void {
    const { stock, queue } = this;
    // The pool may have been closed, and the connection with it.
    if (stock.needsCare || !entry.isPlain || !isLeased(entry)) this.receiveWithCare(entry);
    else if (queue.first === undefined) stock.rest(entry);
    else this.hand(entry, queue.first);
  }

  private hand(entry: PooledConnection<C>, waiter: Waiter<C>): void {
    if (entry.state !== State.leased) this.stock.census.move(entry, State.leased);
    const { wait } = waiter;
    const lease = this.lease(entry, wait);
    this.queue.serve(waiter, lease);
    if (wait.span !== undefined) this.tellServed(wait.span, entry);
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
  private borrow(options: AcquireOptions | undefined, method: BorrowMethod): PoolLease<C> | Promise<PoolLease<C>> {
    if (areLeasesHeard()) return this.borrowInSight(options, method);
    const wait = this.readWait(options, method);
    const entry = this.choice.take();
    return entry === undefined ? this.wait(wait) : this.lease(entry, wait);
  }

  /** The same, with observers; they are told when all is done, for they may call the pool. */
  private borrowInSight(
    options: AcquireOptions | undefined,
    method: BorrowMethod,
  ): PoolLease<C> | Promise<PoolLease<C>> {
    const event: AcquireEvent = { pool: this.name, poolId: this.id, waits: false };
    ACQUIRE.start.publish(event);
    try {
      const wait = this.readWait(options, method);
      const entry = this.stock.needsCare ? this.choice.take() : this.takeFree();
      if (entry === undefined) return this.waitInSight(wait, event);
      const lease = this.lease(entry, wait);
      ACQUIRE.end.publish(event);
      this.observe(entry);
      return lease;
    } catch (error) {
      event.error = error;
      ACQUIRE.error.publish(event);
      ACQUIRE.end.publish(event);
      throw error;
    }
  }

  private readWait(options: AcquireOptions | undefined, method: BorrowMethod): Wait {
    if (this.shutdown !== undefined) throw new PoolClosedError(this.name);
    return this.options.read(options, method);
  }

  private leaseWithCare(entry: PooledConnection<C>, { signal, origin }: Wait): PoolLease<C> {
    this.totals.acquired++;
    if (++entry.uses >= this.settings.maxUses) entry.doom ??= 'expired';
    entry.reception = undefined;
    const { home } = this;
    const lease = signal === undefined ? new PoolLease(home, entry) : new SignalledLease(home, entry, signal);
    this.leaks?.taken(entry, lease, origin!);
    return lease;
  }

  private receiveWithCare(entry: PooledConnection<C>): void {
    const { use } = entry;
    if (use === undefined) {
      this.returns.receive(entry);
      return;
    }
    // Before whoever comes next observes a use of his own.
    entry.use = undefined;
    this.receive(entry);
    tellOver(use, undefined);
  }

  private waitInSight(wait: Wait, event: AcquireEvent): Promise<PoolLease<C>> {
    const span = new Span(ACQUIRE, event);
    const promise = this.wait({ ...wait, span });
    span.end();
    return promise;
  }

  private tellServed(span: Span<AcquireEvent>, entry: PooledConnection<C>): void {
    span.asyncEnd();
    this.observe(entry);
  }

  /** Tells of a lease that begins, when all else is done: who is told may call the pool, and even close the connection. */
  private observe(entry: PooledConnection<C>): void {
    const use: UseEvent = { pool: this.name, poolId: this.id };
    entry.use = use;
    USE.start.publish(use);
    USE.end.publish(use);
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
    if (wait.timeout === 0) throw this.diagnosis.timeUp(0)(undefined);
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

  private counts(): PoolCounts {
    const { census, bounds } = this.stock;
    const { idle, leased, checking, connecting, closing } = census;
    return { size: bounds.max, idle, leased, checking, connecting, closing, waiting: this.queue.length };
  }

  // Closing --------------------------------------------------------------------------------------------------------

  private beginShutdown(): Shutdown<C> {
    const { name, stock, queue, log } = this;
    const { clock } = this.settings;
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
