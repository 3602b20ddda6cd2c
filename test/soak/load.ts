import { isConnectionError } from '../../src/pool/connection-error.js';
import type { ConnectionPool } from '../../src/pool/connection-pool.js';
import { AcquireTimeoutError, RetryAttemptTimeoutError } from '../../src/pool/errors.js';
import type { Lease } from '../../src/pool/lease.js';
import { retry } from '../../src/retry/retry.js';
import type { Random } from '../faults/fault.js';
import type { LineClient } from '../faults/line-client.js';
import { pause } from '../until.js';

/** One way of using a pool. */
type Habit = (text: string) => Promise<void>;

/**
 * Callers who never stop asking, each in a way that chance decides anew each time: retried work, leases held by hand,
 * tries, callers who lose patience while they wait or while they work, and work that fails by itself.
 */
export class Load {
  /** What must not happen to anybody. */
  readonly faults: string[] = [];
  readonly counts = { calls: 0, answered: 0, failed: 0, gaveUp: 0, leases: 0, timeouts: 0 };
  private readonly held = new Set<LineClient>();
  private readonly callers: Array<Promise<void>>;
  private isOver = false;

  constructor(
    private readonly pool: ConnectionPool<LineClient>,
    private readonly random: Random,
    size: number,
  ) {
    this.callers = Array.from({ length: size }, (_, number) => this.live(number));
  }

  /** No more calls. Resolves once everybody has been told what became of his last. */
  async stop(): Promise<void> {
    this.isOver = true;
    await Promise.all(this.callers);
  }

  private async live(number: number): Promise<void> {
    const { counts } = this;
    for (let call = 0; !this.isOver; call++) {
      counts.calls++;
      try {
        await this.habit()(`${number}.${call}`);
      } catch (error) {
        this.judge(error);
      }
      await pause(this.random() * 3);
    }
  }

  /** What a caller may be told while the network is bad. */
  private judge(error: unknown): void {
    const { counts } = this;
    if (error instanceof Impatience) counts.gaveUp++;
    else counts.failed++;
    const isHonest =
      isConnectionError(error) || error instanceof RetryAttemptTimeoutError || error instanceof Impatience;
    if (!isHonest && !(error instanceof AcquireTimeoutError)) this.faults.push(`a caller was told: ${String(error)}`);
  }

  private habit(): Habit {
    const habits: readonly Habit[] = [
      this.retried,
      this.retried,
      this.byHand,
      this.atOnce,
      this.impatient,
      this.unlucky,
    ];
    return habits[Math.floor(this.random() * habits.length)]!;
  }

  /** As `@Retryable` does. */
  private readonly retried: Habit = (text) =>
    retry(({ signal }) => this.pool.use((client) => this.ask(client, text, signal), { signal }), {
      attemptTimeout: 250,
      delay: 5,
      backoff: () => 5,
    }).catch((error: unknown) => this.noteTimeout(error));

  private readonly byHand: Habit = async (text) => {
    const lease = await this.pool.acquire().catch((error: unknown) => this.noteTimeout(error));
    try {
      await this.ask(lease.connection, text, AbortSignal.timeout(250));
      lease.release();
    } catch (error) {
      lease.release(error);
      if (!isTimeout(error)) throw error;
    }
  };

  private readonly atOnce: Habit = async (text) => {
    const lease = this.pool.tryAcquire();
    if (lease === undefined) return;
    await this.end(lease, () => this.ask(lease.connection, text, AbortSignal.timeout(250)));
  };

  /** Leaves the queue, or the work, after a few milliseconds. */
  private readonly impatient: Habit = async (text) => {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(new Impatience('no patience')), this.random() * 4);
    try {
      const { signal } = controller;
      await this.pool.use((client) => this.ask(client, text, signal), { signal });
    } catch (error) {
      this.noteTimeout(error);
    } finally {
      clearTimeout(timer);
    }
  };

  /** Work that fails for reasons of its own, which costs no connection. */
  private readonly unlucky: Habit = async (text) => {
    const misfortune = new Error('bad luck');
    const work = async (client: LineClient): Promise<never> => {
      await this.ask(client, text, AbortSignal.timeout(250));
      throw misfortune;
    };
    await this.pool.use(work).catch((error: unknown) => {
      if (error !== misfortune && !isTimeout(error)) this.noteTimeout(error);
    });
  };

  private async end(lease: Lease<LineClient>, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      lease.discard(error);
      if (!isTimeout(error)) throw error;
      return;
    }
    lease.release();
  }

  private noteTimeout(error: unknown): never {
    if (error instanceof AcquireTimeoutError) this.counts.timeouts++;
    throw error;
  }

  private async ask(client: LineClient, text: string, signal: AbortSignal): Promise<void> {
    this.counts.leases++;
    if (this.held.has(client)) this.faults.push('a connection had two holders');
    this.held.add(client);
    try {
      const reply = await client.request('ECHO', text, signal);
      if (reply !== text) this.faults.push(`the caller of "${text}" got "${reply}"`);
      this.counts.answered++;
    } finally {
      this.held.delete(client);
    }
  }
}

/** The reason of a caller who gives up. */
class Impatience extends Error {}

function isTimeout(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'TimeoutError';
}
