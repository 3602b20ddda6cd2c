import { closeByShape, destroy } from './capabilities.js';
import type { Clock } from './clock.js';
import type { CloseReason, ConnectionFactory } from './connection-factory.js';
import { Deadlines } from './deadlines.js';
import { HookCall, silence } from './hook-call.js';
import type { PoolLog } from './pool-log.js';
import type { ResolvedSettings } from './settings.js';

/** Closes connections, each within `closeTimeout`, and knows how many are not yet closed. */
export class Closer<C> {
  /** Closes under way, those of broken and of late connections included, which take no slot. */
  inFlight = 0;
  private readonly deadlines: Deadlines<HookCall<never>>;

  constructor(
    private readonly factory: ConnectionFactory<C>,
    settings: ResolvedSettings,
    clock: Clock,
    private readonly log: PoolLog,
  ) {
    this.deadlines = new Deadlines(clock, settings.closeTimeout, (call) => call.timeOut(), false);
  }

  /** @param closed called once, when the connection is closed or its time is up; never inside this call */
  close(connection: C, reason: CloseReason, closed: () => void): void {
    const over = (): void => {
      this.inFlight--;
      closed();
    };
    let isLate = false;
    const timeOut = (): void => {
      isLate = true;
    };
    const call = new HookCall<void>(this.deadlines, timeOut, {
      done: over,
      // A close that failed, or took too long, may have left it open.
      failed: () => {
        const destroyed = this.destroy(connection);
        if (isLate) this.log.closeTimedOut(reason, destroyed);
        over();
      },
    });
    this.inFlight++;
    call.run(async () => {
      if (this.factory.close !== undefined) await this.factory.close(connection, reason);
      else await closeByShape(connection, reason);
    });
  }

  /** False if there is no way to. */
  private destroy(connection: C): boolean {
    const { factory } = this;
    if (factory.destroy === undefined) return destroy(connection);
    try {
      silence(factory.destroy(connection));
    } catch {
      // It had its chance; the slot is free all the same.
    }
    return true;
  }

  setVital(vital: boolean): void {
    this.deadlines.setVital(vital);
  }

  stop(): void {
    this.deadlines.clear();
  }
}
