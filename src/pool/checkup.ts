import type { Clock } from './clock.js';
import { ConnectionError } from './connection-error.js';
import type { ConnectionFactory, HookContext } from './connection-factory.js';
import { Deadlines } from './deadlines.js';
import { formatDuration } from './duration.js';
import { KeepaliveTimeoutError } from './errors.js';
import { HookCall, silence } from './hook-call.js';
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
    this.pings = new Checks(clock, keepaliveTimeout, pingTimeout, outcomes.ping);
    this.resets = new Checks(clock, resetTimeout, resetTimeoutError, outcomes.reset);
  }

  ping(entry: PooledConnection<C>): void {
    const context = new CheckContext(this.pings, entry);
    context.call.run(() => this.factory.keepalive?.(entry.connection, context));
  }

  /** One that has nothing to undo, and says so at once by returning nothing, has passed at once. */
  reset(entry: PooledConnection<C>): void {
    const { resets } = this;
    const context = new CheckContext(resets, entry);
    let result: unknown;
    try {
      result = this.factory.reset!(entry.connection, context);
    } catch (error) {
      result = Promise.reject(error);
    }
    if (entry.state !== State.checking) {
      // It has closed the pool, and the connection with it.
      context.end();
      silence(result);
    } else if (result === undefined) {
      context.end();
      entry.pending = undefined;
      resets.outcome.passed(entry);
    } else {
      context.call.follow(result as PromiseLike<void>);
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

/** What a check's hook is told. Of a class, for an object with an accessor of its own takes longer to make than a lease. */
class CheckContext<C> implements HookContext {
  private begun: HookCall<void> | undefined;
  private isOver = false;

  constructor(
    private readonly checks: Checks<C>,
    private readonly entry: PooledConnection<C>,
  ) {}

  /** Made only if it is needed, for it costs more than a lease does. */
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
