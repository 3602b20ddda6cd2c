import type { Clock } from './clock.js';
import type { CloseReason } from './connection-factory.js';
import { formatDuration } from './duration.js';
import { describeError } from './errors.js';
import { silence } from './hook-call.js';
import type { PoolLogger } from './settings.js';

/** The context under which Nest's logger shows a pool's lines. */
const CONTEXT = 'ConnectionPool';

/**
 * What a pool writes: one line an event, the facts in the message itself. Without a logger only leaks and forced closes
 * are told, as warnings of the process.
 */
export class PoolLog {
  private lost = 0;
  /** Since a connection was last opened without any trouble. */
  private missing = 0;
  private firstLoss: unknown;
  /** What came of the losses, to be told after them. */
  private readonly consequences: Array<() => void> = [];

  constructor(
    private readonly pool: string,
    private readonly logger: PoolLogger | undefined,
    private readonly clock: Clock,
  ) {}

  /** Connections lost in the same turn of the event loop make one line: a restart of the service breaks all at once. */
  connectionLost(cause: unknown): void {
    this.missing++;
    if (this.logger === undefined) return;
    if (this.lost++ > 0) return;
    this.firstLoss = cause;
    this.clock.setImmediate(() => this.tellLosses());
  }

  /** A connection has been opened, and connects are not failing: what was lost before is made up for. */
  opened(): void {
    this.missing = 0;
  }

  down(error: unknown): void {
    this.afterLosses('error', `cannot connect, and goes on trying: ${describeError(error)}`);
  }

  /** It was lost before it had served: a failed connect, as far as anybody can tell. */
  kicked(error: unknown): void {
    this.afterLosses(
      'error',
      `loses connections as soon as they are open, and goes on trying: ${describeError(error)}`,
    );
  }

  back(downFor: number, failures: number): void {
    const many = failures === 1 ? 'one failed connect' : `${failures} failed connects`;
    const lost = this.missing === 1 ? 'a lost connection is' : `${this.missing} lost connections are`;
    const replaced = this.missing === 0 ? '' : `; ${lost} replaced`;
    this.missing = 0;
    this.afterLosses('log', `connects again, after ${formatDuration(downFor)} and ${many}${replaced}`);
  }

  leaked(heldFor: number, origin: string): void {
    this.warn(`a lease has been held for ${formatDuration(heldFor)} (leakDetection); it was taken\n${origin}`);
  }

  collected(heldFor: number, origin: string): void {
    this.warn(
      `a lease was garbage-collected after ${formatDuration(heldFor)} without having been released; its connection is ` +
        `replaced. Use use(), or release() in a finally. It was taken\n${origin}`,
    );
  }

  closeTimedOut(reason: CloseReason, destroyed: boolean): void {
    const end = destroyed ? 'it was destroyed' : 'it has no destroy(), and was abandoned';
    this.warn(`closing a connection (${reason}) took longer than closeTimeout; ${end}`);
  }

  forcedShutdown(leased: number, timeout: number): void {
    const which = leased === 1 ? 'a connection that is' : `${leased} connections that are`;
    this.warn(`closes ${which} still leased: not returned within ${formatDuration(timeout)} of close()`);
  }

  private tellLosses(): void {
    const many = this.lost === 1 ? 'a connection' : `${this.lost} connections`;
    this.write('warn', `lost ${many}: ${describeLoss(this.firstLoss)}`);
    this.lost = 0;
    for (const tell of this.consequences.splice(0)) tell();
  }

  /** Cause before effect: what an outage began with stands above it. */
  private afterLosses(level: 'log' | 'error', message: string): void {
    if (this.lost === 0) this.write(level, message);
    else this.consequences.push(() => this.write(level, message));
  }

  /** What must be seen even where there is no logger. */
  private warn(message: string): void {
    if (this.logger !== undefined) this.write('warn', message);
    else process.emitWarning(`Pool "${this.pool}" ${message}`, 'ConnectionPoolWarning');
  }

  private write(level: 'log' | 'warn' | 'error', message: string): void {
    try {
      silence(this.logger?.[level](`Pool "${this.pool}" ${message}`, CONTEXT));
    } catch {
      // A logger that fails must not cost a connection.
    }
  }
}

function describeLoss(cause: unknown): string {
  return cause === undefined ? 'the other side closed it' : describeError(cause);
}
