import type { Clock } from '../../src/pool/clock.js';
import { ConnectionError } from '../../src/pool/connection-error.js';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import type { Lease } from '../../src/pool/lease.js';
import type { SizeBounds } from '../../src/pool/settings.js';
import { VirtualClock } from '../../src/testing/virtual-clock.js';
import type { SimulatedConnection } from './account.js';
import { audit, type Awaited } from './audit.js';
import { Backend, pick, type BackendHost } from './backend.js';
import type { Call } from './behaviour.js';
import type { Caller } from './caller.js';
import { Ledger } from './ledger.js';
import { limitsOf, settingsOf } from './limits.js';
import type { Programme } from './programme.js';
import { errorOf, verdictOf, type Ending, type Failure, type Work } from './work.js';

const silent = (): void => {};

/** More timers than this in one instant: a busy loop. */
const BUSY = 10_000;

interface Wait {
  readonly timeout?: number | undefined;
  readonly signal?: number | undefined;
}

/** What the caller's wait ended with, where it ended without a connection. */
interface Refusal {
  readonly code?: string;
  readonly counts?: { readonly idle: number; readonly waiting: number };
}

/** A pool, its backend and its callers, in virtual time: what a programme acts on. */
export class World implements BackendHost {
  readonly clock: VirtualClock;
  readonly ledger: Ledger;
  readonly backend: Backend;
  readonly pool: ConnectionPool<SimulatedConnection>;
  /** Those who wait for the pool to be full, and for its end. */
  readonly awaited: Awaited = { ready: [], close: undefined, closed: false };
  /** Timers of the world's own; the others are the pool's. */
  ownTimers = 0;
  private readonly held: Caller[] = [];
  private readonly over: Array<Lease<SimulatedConnection>> = [];
  private readonly signals = [new AbortController(), new AbortController(), new AbortController()];
  /** How deep in hooks that call the pool, and how often they have done so in this turn. */
  private depth = 0;
  private callsInTurn = 0;
  /** Whose call of the pool is going on. */
  private whoComes: Caller | undefined;

  constructor({ seed, settings, factory, backend }: Programme) {
    this.clock = new VirtualClock({ seed });
    this.backend = new Backend(this, factory, backend);
    const given = settingsOf(settings, factory);
    this.ledger = new Ledger(limitsOf(given, this.backend, factory), this.clock);
    const logger = { log: silent, warn: silent, error: silent };
    this.pool = new ConnectionPool(this.backend, { ...given, clock: this.clockOfPool(), logger });
    this.ledger.pool = this.pool;
  }

  // Callers --------------------------------------------------------------------------------------------------------

  acquire(wait: Wait): void {
    const caller = this.newCaller('acquire', wait);
    const options = { timeout: wait.timeout, signal: caller.signal };
    this.coming(caller, () => this.pool.acquire(options)).then(
      (lease) => {
        this.hold(caller, lease, undefined);
      },
      (error: unknown) => this.refused(caller, error),
    );
  }

  tryAcquire(): void {
    const caller = this.newCaller('try', { timeout: 0 });
    const waiting = this.waitingNow();
    try {
      const lease = this.coming(caller, () => this.pool.tryAcquire());
      if (lease === undefined) this.ledger.answered(caller, 'refused');
      else this.hold(caller, lease, waiting);
    } catch (error) {
      this.refused(caller, error);
    }
  }

  use(use: Work, wait: Wait): void {
    const caller = this.newCaller('use', wait);
    const waiting = this.waitingNow();
    const failure = use.work === 'throws' || use.work === 'rejects' ? errorOf(use.failure) : undefined;
    let isCall = true;
    const work = (connection: SimulatedConnection, lease: Lease<SimulatedConnection>): unknown => {
      caller.lease = lease;
      this.ledger.served(caller, this.ledger.accountOf(connection), isCall ? waiting : undefined);
      return this.work(caller, lease, use, failure);
    };
    const options = { timeout: wait.timeout, signal: caller.signal };
    const promise = this.coming(caller, () => this.pool.use(work, options));
    isCall = false;
    promise.then(
      (value) => {
        if (failure !== undefined || value !== caller) {
          this.ledger.fault(`${String(caller)} got what his work had not made`);
        }
      },
      (error: unknown) => {
        if (caller.state !== 'served') this.refused(caller, error);
        else if (error !== failure) {
          this.ledger.fault(`${String(caller)} failed with what his work had not thrown: ${String(error)}`);
        }
      },
    );
  }

  private work(caller: Caller, lease: Lease<SimulatedConnection>, use: Work, failure: Error | undefined): unknown {
    const { work, takes, midway } = use;
    const interrupt = (): void => {
      if (midway === 'die') this.backend.die(caller.account!, true);
      else if (midway !== undefined) this.end(caller, lease, midway, undefined);
    };
    const finish = (): Caller => {
      this.goBack(caller, failure === undefined ? 'release' : 'fail', failure === undefined ? undefined : use.failure);
      if (failure !== undefined) throw failure;
      return caller;
    };
    if (work === 'value' || work === 'throws') {
      interrupt();
      return finish();
    }
    this.later(takes / 2, interrupt);
    if (work === 'never') return new Promise(() => {});
    const end = (resolve: (value: unknown) => void, reject: (error: unknown) => void): void =>
      this.later(takes, () => {
        try {
          resolve(finish());
        } catch (error) {
          reject(error);
        }
      });
    // oxlint-disable-next-line unicorn/no-thenable -- that it has a "then" is the point
    return work === 'thenable' ? { then: end } : new Promise(end);
  }

  abort(which: number): void {
    const controller = this.signals[which]!;
    this.signals[which] = new AbortController();
    controller.abort(new Error('the caller has gone'));
  }

  release(which: number, failure: Failure | undefined): void {
    this.endHeld(which, failure === undefined ? 'release' : 'fail', failure);
  }

  dispose(which: number): void {
    this.endHeld(which, 'dispose', undefined);
  }

  discard(which: number, failure: Failure | undefined): void {
    this.endHeld(which, 'discard', failure);
  }

  /** Whoever holds a connection gives it back, and all is well with it. */
  releaseAll(): void {
    while (this.held.length > 0) this.release(0, undefined);
  }

  again(which: number): void {
    const lease = pick(this.over, which);
    if (lease === undefined) return;
    lease.release();
    lease.discard(new ConnectionError('too late'));
    lease[Symbol.dispose]();
    try {
      this.ledger.fault(`connection ${lease.connection.id} could be used after its release`);
    } catch (error) {
      const { code } = error as Refusal;
      if (code !== 'ERR_POOL_LEASE_RELEASED') this.ledger.fault(`a lease that is over says: ${String(error)}`);
    }
  }

  private endHeld(which: number, how: Ending, failure: Failure | undefined): void {
    if (this.held.length === 0) return;
    const [caller] = this.held.splice(which % this.held.length, 1);
    this.end(caller!, caller!.lease!, how, failure);
  }

  private end(caller: Caller, lease: Lease<SimulatedConnection>, how: Ending, failure: Failure | undefined): void {
    this.goBack(caller, how, failure);
    const error = failure === undefined ? undefined : errorOf(failure);
    if (how === 'discard') lease.discard(error);
    else if (how === 'dispose') lease[Symbol.dispose]();
    else lease.release(error);
  }

  /** The ledger learns first that the lease is over: the pool may lend the connection again at once. */
  private goBack(caller: Caller, how: Ending, failure: Failure | undefined): void {
    if (!caller.returned) this.over.push(caller.lease!);
    this.ledger.returned(caller, verdictOf(how, failure, caller.signal), `its work ended with ${how} ${failure ?? ''}`);
  }

  private hold(caller: Caller, lease: Lease<SimulatedConnection>, waitingBefore: number | undefined): void {
    caller.lease = lease;
    this.ledger.served(caller, this.ledger.accountOf(lease.connection), waitingBefore);
    this.held.push(caller);
  }

  private newCaller(how: Caller['how'], { timeout, signal }: Wait): Caller {
    return this.ledger.came(
      how,
      timeout,
      signal === undefined ? undefined : this.signals[signal]!.signal,
      this.whoComes,
    );
  }

  /** Calls the pool for a caller. */
  private coming<T>(caller: Caller, call: () => T): T {
    const { whoComes } = this;
    this.whoComes = caller;
    try {
      return call();
    } finally {
      this.whoComes = whoComes;
    }
  }

  private waitingNow(): number {
    return this.pool.stats().waiting;
  }

  private refused(caller: Caller, error: unknown): void {
    const { ledger } = this;
    if (caller.state !== 'waiting') ledger.fault(`${String(caller)} was refused after having been ${caller.state}`);
    ledger.answered(caller, 'refused');
    const { code, counts } = error as Refusal;
    const why = this.mayBeRefused(caller, error, code, counts);
    if (why !== undefined) ledger.fault(`${String(caller)} was refused with ${String(error)}, but ${why}`);
  }

  private mayBeRefused(
    caller: Caller,
    error: unknown,
    code: string | undefined,
    counts: Refusal['counts'],
  ): string | undefined {
    const { ledger } = this;
    const { checkAfterIdle, maxWaiting } = ledger.limits;
    if (error !== undefined && error === caller.signal?.reason) return undefined;
    switch (code) {
      case 'ERR_POOL_ACQUIRE_TIMEOUT':
        ledger.timeouts++;
        if (caller.deadline > caller.cameAt) ledger.timedOutAt.push(ledger.now);
        if (ledger.now < caller.deadline) return `he had ${caller.deadline - ledger.now} ms left`;
        return counts!.idle > 0 && checkAfterIdle === Infinity ? `${counts!.idle} were idle` : undefined;
      case 'ERR_POOL_CLOSED':
        return ledger.closing ? undefined : 'the pool is not closing';
      case 'ERR_POOL_OVERLOADED':
        return counts!.waiting >= maxWaiting ? undefined : `only ${counts!.waiting} waited`;
      case undefined:
      default:
        return 'nobody threw that';
    }
  }

  // The owner --------------------------------------------------------------------------------------------------------

  ready({
    signal,
    connections,
  }: {
    readonly signal?: number | undefined;
    readonly connections?: number | undefined;
  }): void {
    const given = signal === undefined ? undefined : this.signals[signal]!.signal;
    const one = { connections, isOver: false };
    this.awaited.ready.push(one);
    if (!this.ledger.closing && given?.aborted !== true) this.ledger.started = true;
    this.pool.ready({ signal: given, connections }).then(
      () => (one.isOver = true),
      (error: unknown) => {
        one.isOver = true;
        const allowed = this.ledger.closing || error === given?.reason;
        if (!allowed) this.ledger.fault(`ready() rejected with ${String(error)}`);
      },
    );
  }

  start(): void {
    if (!this.ledger.closing) this.ledger.started = true;
    this.pool.start();
  }

  resize(min: number, max: number): void {
    const bounds: SizeBounds = { min, max };
    this.ledger.resized(bounds);
    this.pool.resize(min === max ? max : bounds);
  }

  recycle(): void {
    this.ledger.recycledAt = this.ledger.now;
    this.ledger.recycledIn = this.ledger.turn;
    this.pool.recycle();
  }

  close(timeout: number | undefined): void {
    const { ledger, awaited } = this;
    ledger.closing = true;
    ledger.closeDeadline = Math.min(ledger.closeDeadline, ledger.now + (timeout ?? ledger.limits.shutdownTimeout));
    const promise = this.pool.close({ timeout });
    awaited.close ??= promise;
    if (promise !== awaited.close) ledger.fault('close() returned another promise than before');
    promise.then(
      () => (awaited.closed = true),
      (error: unknown) => ledger.fault(`close() rejected with ${String(error)}`),
    );
  }

  // From inside hooks --------------------------------------------------------------------------------------------------

  call(call: Call): void {
    // A hook that calls the pool, which calls the hook, and so on for ever, is no matter of the pool's.
    if (this.depth >= 2 || this.callsInTurn >= 5) return;
    this.callsInTurn++;
    this.depth++;
    this.ledger.isInHook = true;
    try {
      this.carryOut(call);
    } finally {
      this.depth--;
      this.ledger.isInHook = this.depth > 0;
    }
  }

  private carryOut(call: Call): void {
    const { max } = this.ledger.bounds;
    switch (call) {
      case 'acquire':
        return this.acquire({ timeout: 50 });
      case 'try':
        return this.tryAcquire();
      case 'use':
        return this.use({ work: 'value', takes: 0, failure: 'plain', midway: undefined }, { timeout: 50 });
      case 'release':
        return this.release(0, undefined);
      case 'discard':
        return this.discard(0, 'connection');
      case 'die':
        return this.backend.kill(0, true);
      case 'ready':
        return this.ready({});
      case 'recycle':
        return this.recycle();
      case 'shrink':
        return this.resize(1, 1);
      case 'grow':
        return this.resize(max + 1, max + 1);
      case 'close':
        return this.close(0);
    }
  }

  // Time ---------------------------------------------------------------------------------------------------------------

  /** A little earlier or later than said: of what happens at the same time, either may come first. */
  later(ms: number, callback: () => void): void {
    this.ownTimers++;
    const delay = Math.max(0, ms + (this.clock.random() - 0.5) / 1_000);
    this.clock
      .setTimeout(() => {
        this.ownTimers--;
        this.ledger.isArriving = true;
        callback();
        this.ledger.isArriving = false;
      }, delay)
      .unref();
  }

  /** The clock, which sees through a pool that sets timer after timer for one instant and so never lets it pass. */
  private clockOfPool(): Clock {
    const { clock, ledger } = this;
    let [instant, timers] = [-1, 0];
    return {
      now: () => clock.now(),
      setTimeout: (callback, delay) => {
        [instant, timers] = instant === clock.now() ? [instant, timers + 1] : [clock.now(), 1];
        if (timers < BUSY) return clock.setTimeout(callback, delay);
        if (timers === BUSY) ledger.fault(`${BUSY} timers were set in one instant`);
        return clock.setTimeout(silent, Infinity);
      },
      clearTimeout: (timer) => clock.clearTimeout(timer),
      setImmediate: (callback) => clock.setImmediate(callback),
      random: () => clock.random(),
    };
  }

  async ticks(count: number): Promise<void> {
    for (let tick = 0; tick < count; tick++) await Promise.resolve();
  }

  settle(): Promise<void> {
    return this.advance(0);
  }

  /** In a few strides, so that what must hold is looked at in between. */
  async advance(ms: number): Promise<void> {
    const strides = Math.min(8, Math.max(1, Math.floor(ms / 5)));
    for (let stride = 0; stride < strides && this.ledger.faults.length === 0; stride++) {
      await this.clock.advance(ms / strides);
      audit(this.ledger, this.awaited, { pending: this.clock.pending - this.ownTimers, holding: this.clock.holding });
      this.nextTurn();
    }
  }

  private nextTurn(): void {
    this.ledger.turn++;
    this.ledger.timedOutAt.length = 0;
    this.callsInTurn = 0;
  }

  async stall(ms: number): Promise<void> {
    // What was under way is done first: nothing stalls in the middle of a promise job.
    await this.clock.settle();
    this.nextTurn();
    this.clock.stall(ms);
    // A deadline that passed meanwhile is heeded when the loop goes on.
    if (this.ledger.closing) this.ledger.closeDeadline = Math.max(this.ledger.closeDeadline, this.ledger.now);
  }
}
