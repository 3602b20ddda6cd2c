import { LeaseReleasedError } from './errors.js';
import type { PooledConnection } from './pooled-connection.js';

/**
 * A connection on loan. Release it when the work is done; `use()` does it by itself.
 *
 * `await using lease = await pool.acquire()` works too, but disposal cannot know that the block failed: it is
 * `release()` without an error. Prefer `use()`, or call `release(error)` where you catch.
 */
export interface Lease<C> extends Disposable, AsyncDisposable {
  /** @throws LeaseReleasedError after the lease has been released or discarded */
  readonly connection: C;
  /**
   * Back to the pool. Given what the work failed with, it decides as `use()` does whether the connection is broken.
   * A second call does nothing.
   */
  release(error?: unknown): void;
  /** Closes the connection; the pool opens another. Given an error, that error counts as a connection error. */
  discard(error?: unknown): void;
}

/** How the work on a connection ended, if not well. */
export type Outcome = 'failed' | 'discarded';

/** Where leases go when they are over. */
export interface LeaseHome<C> {
  readonly name: string;
  /** All went well. */
  receive(entry: PooledConnection<C>): void;
  /** It did not, or not for certain. */
  judge(entry: PooledConnection<C>, outcome: Outcome, error: unknown, signal: AbortSignal | undefined): void;
}

export class PoolLease<C> implements Lease<C> {
  /** Undefined once released. */
  private entry: PooledConnection<C> | undefined;

  constructor(
    private readonly home: LeaseHome<C>,
    entry: PooledConnection<C>,
  ) {
    this.entry = entry;
  }

  get connection(): C {
    if (this.entry === undefined) throw new LeaseReleasedError(this.home.name);
    return this.entry.connection;
  }

  release(error?: unknown): void {
    if (error !== undefined) {
      this.end('failed', error);
      return;
    }
    const { entry } = this;
    if (entry === undefined) return;
    this.entry = undefined;
    this.home.receive(entry);
  }

  discard(error?: unknown): void {
    this.end('discarded', error);
  }

  /** The work failed; unlike `release(error)` it knows so even if what was thrown is undefined. */
  fail(error: unknown): void {
    this.end('failed', error);
  }

  [Symbol.dispose](): void {
    this.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.release();
    return Promise.resolve();
  }

  private end(outcome: Outcome, error: unknown): void {
    const { entry } = this;
    if (entry === undefined) return;
    this.entry = undefined;
    this.home.judge(entry, outcome, error, this.signal);
  }

  /** What ends the wait for it. */
  protected get signal(): AbortSignal | undefined {
    return undefined;
  }
}

/** A lease of a caller with a signal, which is asked how the work ended. */
export class SignalledLease<C> extends PoolLease<C> {
  constructor(
    home: LeaseHome<C>,
    entry: PooledConnection<C>,
    private readonly ownSignal: AbortSignal,
  ) {
    super(home, entry);
  }

  protected override get signal(): AbortSignal {
    return this.ownSignal;
  }
}

// Promises ask whatever they are resolved with for a `then`. Here they learn at once that a lease has none; without this
// they look through all that it and its prototypes have.
// oxlint-disable-next-line unicorn/no-thenable -- that it is none is the point
Object.defineProperty(PoolLease.prototype, 'then', { value: undefined, writable: true, configurable: true });
