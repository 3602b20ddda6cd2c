import type { Clock } from './clock.js';
import { ConnectionError } from './connection-error.js';
import type { ConnectionFactory, HookContext } from './connection-factory.js';
import { Deadlines } from './deadlines.js';
import { formatDuration } from './duration.js';
import { KeepaliveTimeoutError } from './errors.js';
import { HookCall } from './hook-call.js';
import type { PooledConnection } from './pooled-connection.js';
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

  reset(entry: PooledConnection<C>, outcome: CheckOutcome): void {
    const { name, resetTimeout } = this.settings;
    const limit = formatDuration(resetTimeout);
    const timeout = (): Error =>
      new ConnectionError(`Pool "${name}": reset() did not finish within ${limit} (resetTimeout)`);
    this.call(entry, this.factory.reset, this.resets, timeout, outcome);
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
    const context = {
      get signal() {
        return call.signal;
      },
    };
    call.run(() => hook?.call(this.factory, entry.connection, context));
  }
}
