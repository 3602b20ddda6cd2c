import type { Clock } from './clock.js';
import { ConnectionError } from './connection-error.js';
import type { ConnectionFactory, HookContext } from './connection-factory.js';
import { Deadlines } from './deadlines.js';
import { formatDuration } from './duration.js';
import { KeepaliveTimeoutError } from './errors.js';
import { HookCall, silence } from './hook-call.js';
import { withSignal } from './hook-context.js';
import { State, type PooledConnection } from './pooled-connection.js';
import type { ResolvedSettings } from './settings.js';

/** What comes of a check; told at most once, and not if the connection was closed meanwhile. */
export interface CheckOutcome<C> {
  passed(entry: PooledConnection<C>): void;
  failed(entry: PooledConnection<C>, error: unknown): void;
}

/** Pings and resets connections that are in state checking. */
export class Checkup<C> {
  private readonly pings: Checks<C>;
  private readonly resets: Checks<C>;
  private readonly resetTakesContext: boolean;

  constructor(
    private readonly factory: ConnectionFactory<C>,
    { name, keepaliveTimeout, resetTimeout }: ResolvedSettings,
    clock: Clock,
    outcomes: { readonly ping: CheckOutcome<C>; readonly reset: CheckOutcome<C> },
  ) {
    const pingTimeout = (): Error => new KeepaliveTimeoutError(name, keepaliveTimeout);
    const resetTimeoutError = (): Error => {
      const limit = formatDuration(resetTimeout);
      return new ConnectionError(`Pool "${name}": reset() did not finish within ${limit} (resetTimeout)`);
    };
    this.resetTakesContext = factory.reset !== undefined && factory.reset.length > 1;
    this.pings = new Checks(clock, keepaliveTimeout, pingTimeout, outcomes.ping);
    this.resets = new Checks(clock, resetTimeout, resetTimeoutError, outcomes.reset);
  }

  ping(entry: PooledConnection<C>): void {
    const call = this.pings.begin(entry);
    call.run(() => this.factory.keepalive?.(entry.connection, withSignal({}, call)));
  }

  /** One that has nothing to undo, and says so at once by returning nothing, has passed at once. */
  reset(entry: PooledConnection<C>): void {
    const { resets } = this;
    const lazy = new LazyCall(resets, entry);
    let result: unknown;
    try {
      // One that has no parameter for it is not worth a context that can be copied.
      const context = this.resetTakesContext ? withSignal({}, lazy) : lazy;
      result = this.factory.reset!(entry.connection, context);
    } catch (error) {
      result = Promise.reject(error);
    }
    if (entry.state !== State.checking) {
      // It has closed the pool, and the connection with it.
      lazy.end();
      silence(result);
    } else if (result === undefined) {
      lazy.end();
      entry.pending = undefined;
      resets.outcome.passed(entry);
    } else {
      lazy.call.follow(result as PromiseLike<void>);
    }
  }

  setVital(vital: boolean): void {
    this.pings.deadlines.setVital(vital);
    this.resets.deadlines.setVital(vital);
  }

  stop(): void {
    this.pings.deadlines.clear();
    this.resets.deadlines.clear();
  }
}

/** Checks of one kind. */
class Checks<C> {
  readonly deadlines: Deadlines<HookCall<never>>;

  constructor(
    clock: Clock,
    timeout: number,
    private readonly timeoutError: () => Error,
    readonly outcome: CheckOutcome<C>,
  ) {
    this.deadlines = new Deadlines(clock, timeout, (call) => call.timeOut(), false);
  }

  begin(entry: PooledConnection<C>): HookCall<void> {
    const { outcome } = this;
    const call = new HookCall<void>(this.deadlines, this.timeoutError, {
      done: () => {
        entry.pending = undefined;
        outcome.passed(entry);
      },
      failed: (error) => {
        entry.pending = undefined;
        outcome.failed(entry, error);
      },
    });
    entry.pending = call;
    return call;
  }
}

/** A reset, which becomes a call only if it must be waited for, or its signal is looked at: that costs more than a lease does. */
class LazyCall<C> implements HookContext {
  private begun: HookCall<void> | undefined;
  private isOver = false;

  constructor(
    private readonly checks: Checks<C>,
    private readonly entry: PooledConnection<C>,
  ) {}

  get call(): HookCall<void> {
    return (this.begun ??= this.checks.begin(this.entry));
  }

  get signal(): AbortSignal {
    // Who looks at it only now has nothing to hope for.
    return this.isOver && this.begun === undefined ? AbortSignal.abort() : this.call.signal;
  }

  end(): void {
    this.isOver = true;
  }
}
