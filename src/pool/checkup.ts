import type { Clock } from './clock.js';
import { ConnectionError } from './connection-error.js';
import type { ConnectionFactory, HookContext } from './connection-factory.js';
import { Deadlines } from './deadlines.js';
import { formatDuration } from './duration.js';
import { KeepaliveTimeoutError } from './errors.js';
import { HookCall, silence } from './hook-call.js';
import { State, type PooledConnection } from './pooled-connection.js';
import type { ResolvedSettings } from './settings.js';

type Hook<C> = (connection: C, context: HookContext) => void | Promise<void>;

/** What comes of a check; told at most once, and not if the connection was closed meanwhile. */
export interface CheckOutcome {
  passed(): void;
  failed(error: unknown): void;
}

/** Pings and resets connections that are in state checking. */
export class Checkup<C> {
  private readonly pings: Deadlines<HookCall<never>>;
  private readonly resets: Deadlines<HookCall<never>>;

  constructor(
    private readonly factory: ConnectionFactory<C>,
    private readonly settings: ResolvedSettings,
    clock: Clock,
  ) {
    const timeOut = (call: HookCall<never>): void => call.timeOut();
    this.pings = new Deadlines(clock, settings.keepaliveTimeout, timeOut, false);
    this.resets = new Deadlines(clock, settings.resetTimeout, timeOut, false);
  }

  ping(entry: PooledConnection<C>, outcome: CheckOutcome): void {
    const { name, keepaliveTimeout } = this.settings;
    const timeout = (): Error => new KeepaliveTimeoutError(name, keepaliveTimeout);
    this.call(entry, this.factory.keepalive, this.pings, timeout, outcome);
  }

  /** One that has nothing to undo, and says so at once by returning nothing, has passed at once. */
  reset(entry: PooledConnection<C>, outcome: CheckOutcome): void {
    const { name, resetTimeout } = this.settings;
    const timeout = (): Error => {
      const limit = formatDuration(resetTimeout);
      return new ConnectionError(`Pool "${name}": reset() did not finish within ${limit} (resetTimeout)`);
    };
    // Made only if it is needed, for it costs more than a lease does.
    let call: HookCall<void> | undefined;
    const callOf = (): HookCall<void> => (call ??= this.callOn(entry, this.resets, timeout, outcome));
    let isOver = false;
    const context = {
      get signal() {
        // Who looks at it only now has nothing to hope for.
        return isOver ? AbortSignal.abort() : callOf().signal;
      },
    };
    let result: unknown;
    try {
      result = this.factory.reset!(entry.connection, context);
    } catch (error) {
      result = Promise.reject(error);
    }
    isOver = call === undefined && (result === undefined || entry.state !== State.checking);
    if (entry.state !== State.checking) {
      // It has closed the pool, and the connection with it.
      silence(result);
    } else if (result === undefined) {
      entry.pending = undefined;
      outcome.passed();
    } else {
      callOf().follow(result as PromiseLike<void>);
    }
  }

  setVital(vital: boolean): void {
    this.pings.setVital(vital);
    this.resets.setVital(vital);
  }

  stop(): void {
    this.pings.clear();
    this.resets.clear();
  }

  private call(
    entry: PooledConnection<C>,
    hook: Hook<C> | undefined,
    deadlines: Deadlines<HookCall<never>>,
    timeoutError: () => unknown,
    outcome: CheckOutcome,
  ): void {
    const call = this.callOn(entry, deadlines, timeoutError, outcome);
    const context = {
      get signal() {
        return call.signal;
      },
    };
    call.run(() => hook?.call(this.factory, entry.connection, context));
  }

  private callOn(
    entry: PooledConnection<C>,
    deadlines: Deadlines<HookCall<never>>,
    timeoutError: () => unknown,
    outcome: CheckOutcome,
  ): HookCall<void> {
    const call = new HookCall<void>(deadlines, timeoutError, {
      done: () => {
        entry.pending = undefined;
        outcome.passed();
      },
      failed: (error) => {
        entry.pending = undefined;
        outcome.failed(error);
      },
    });
    entry.pending = call;
    return call;
  }
}
