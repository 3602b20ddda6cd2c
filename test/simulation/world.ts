import type { Clock } from '../../src/pool/clock.js';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import type { SizeBounds } from '../../src/pool/settings.js';
import { VirtualClock } from '../../src/testing/virtual-clock.js';
import { audit, type Awaited } from './audit.js';
import { auditListeners } from './audit-hooks.js';
import { Backend, type BackendHost } from './backend.js';
import type { Call } from './behaviour.js';
import { Callers, type CallersHost, type Wait } from './callers.js';
import type { SimulatedConnection } from './connections.js';
import { Ledger } from './ledger.js';
import { limitsOf, settingsOf } from './limits.js';
import type { Programme } from './programme.js';

const silent = (): void => {};

/** More timers than this in one instant: a busy loop. */
const BUSY = 10_000;

/** A pool, its backend and its callers, in virtual time: what a programme acts on. */
export class World implements BackendHost, CallersHost {
  readonly clock: VirtualClock;
  readonly ledger: Ledger;
  readonly backend: Backend;
  readonly callers: Callers;
  readonly pool: ConnectionPool<SimulatedConnection>;
  /** Those who wait for the pool to be full, and for its end. */
  readonly awaited: Awaited = { ready: [], close: undefined, closed: false };
  /** Timers of the world's own; the others are the pool's. */
  ownTimers = 0;
  /** How often hooks have called the pool in this turn, and how deep in hooks that do so we are. */
  callsInTurn = 0;
  private depth = 0;

  constructor({ seed, settings, factory, backend }: Programme) {
    this.clock = new VirtualClock({ seed });
    this.backend = new Backend(this, factory, backend);
    const given = settingsOf(settings, factory);
    this.ledger = new Ledger(limitsOf(given, this.backend, factory), this.clock);
    const { report } = this.ledger;
    this.pool = new ConnectionPool(this.backend, { ...given, clock: this.clockOfPool(), logger: report });
    this.ledger.pool = this.pool;
    this.callers = new Callers(this);
  }

  // The owner --------------------------------------------------------------------------------------------------------

  ready({
    signal,
    connections,
  }: {
    readonly signal?: number | undefined;
    readonly connections?: number | undefined;
  }): void {
    const { ledger, pool } = this;
    const given = signal === undefined ? undefined : this.callers.signals[signal]!.signal;
    const one = { connections, signal: given, isOver: false };
    this.awaited.ready.push(one);
    if (!ledger.closing && given?.aborted !== true) ledger.started = true;
    pool.ready({ signal: given, connections }).then(
      () => {
        one.isOver = true;
        const { open } = pool.stats();
        const isFull = open >= (connections ?? ledger.bounds.min);
        // They were open; what has happened since, in the same instant, is another matter.
        const wasFull = ledger.lastCloseAt === ledger.now || ledger.resizedAt === ledger.now;
        if (!isFull && !wasFull) ledger.fault(`ready() has resolved, and only ${open} are open`);
      },
      (error: unknown) => {
        one.isOver = true;
        const isClosed = ledger.closing && (error as { code?: string }).code === 'ERR_POOL_CLOSED';
        if (!isClosed && error !== given?.reason) ledger.fault(`ready() rejected with ${String(error)}`);
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

  close(given: Wait['timeout']): void {
    const timeout = given === 'Infinity' ? Infinity : given;
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
        return this.callers.acquire({ timeout: 50 });
      case 'try':
        return this.callers.tryAcquire();
      case 'use':
        return this.callers.use({ work: 'value', takes: 0, failure: 'plain', midway: undefined }, { timeout: 50 });
      case 'release':
        return this.callers.release(0, undefined);
      case 'discard':
        return this.callers.discard(0, 'connection');
      case 'die':
        return this.backend.kill(0, true);
      case 'ready':
        return this.ready({});
      case 'recycle':
        return this.recycle();
      case 'shrink':
        return this.resize(1, 1);
      case 'grow':
        // A hook that makes a pool larger each time it is called would make it very large.
        return this.resize(Math.min(max + 1, 8), Math.min(max + 1, 8));
      case 'close':
        return this.close(0);
    }
  }

  // Time ---------------------------------------------------------------------------------------------------------------

  /** A little earlier or later than said: of what happens at the same time, either may come first. */
  later(ms: number, callback: () => void): void {
    this.ownTimers++;
    const begun = this.clock.now();
    const delay = Math.max(0, ms + (this.clock.random() - 0.5) / 1_000);
    this.clock
      .setTimeout(() => {
        this.ownTimers--;
        // What comes of something that was begun at this very instant was not on its way before.
        this.ledger.isArriving = this.clock.now() > begun;
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
        if (!(delay >= 0 && delay < 2 ** 31)) ledger.fault(`a timer was set for ${delay} ms, which fires at once`);
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
      const { signals, aborted } = this.callers;
      auditListeners(this.ledger, this.awaited, [...signals.map(({ signal }) => signal), ...aborted]);
      aborted.length = 0;
      this.nextTurn();
    }
  }

  private nextTurn(): void {
    this.ledger.turn++;
    this.ledger.timedOutAt.length = 0;
    this.ledger.missedAt.length = 0;
    this.callsInTurn = 0;
  }

  async stall(ms: number): Promise<void> {
    // What was under way is done first: nothing stalls in the middle of a promise job.
    await this.clock.settle();
    this.nextTurn();
    this.clock.stall(ms);
    this.ledger.stalledUntil = this.ledger.now;
    // A deadline that passed meanwhile is heeded when the loop goes on.
    if (this.ledger.closing) this.ledger.closeDeadline = Math.max(this.ledger.closeDeadline, this.ledger.now);
  }
}
