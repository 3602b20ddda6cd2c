import type { Duration } from './duration.js';
import { LeakWatch } from './leak-watch.js';
import { readSignal, readTimeout } from './settings.js';
import type { Wait } from './wait-queue.js';

/** How to wait for a connection. Both govern the wait, not the work. */
export interface AcquireOptions {
  /** The longest wait; 0 is "do not wait". Default: the pool's `acquireTimeout`. */
  readonly timeout?: Duration;
  /** Ends the wait. Work that fails while it is aborted costs the connection: its reply may still be on its way. */
  readonly signal?: AbortSignal;
}

/** A method of the pool by which connections are borrowed. */
export type BorrowMethod = (...args: never[]) => unknown;

/** Reads what a caller says of how he waits. */
export class AcquireOptionsReader {
  constructor(
    private readonly pool: string,
    private readonly usualWait: Wait,
    /** Whether it is to be known where callers stand. */
    private readonly tracksOrigin: boolean,
  ) {}

  /**
   * @param method the one that was called, for who called it is his origin
   * @returns the usual wait, unless there is more to be known of this caller
   * @throws PoolSettingsError, or the reason of an aborted signal
   */
  read(options: AcquireOptions | undefined, method: BorrowMethod): Wait {
    if (options === undefined && !this.tracksOrigin) return this.usualWait;
    const signal = readSignal(this.pool, options?.signal);
    if (signal?.aborted === true) throw signal.reason as Error;
    const given = options?.timeout;
    const timeout = given === undefined ? this.usualWait.timeout : readTimeout(this.pool, given);
    const isUsual = given === undefined && signal === undefined && !this.tracksOrigin;
    if (isUsual) return this.usualWait;
    return { timeout, signal, origin: this.tracksOrigin ? LeakWatch.origin(method) : undefined, span: undefined };
  }
}
