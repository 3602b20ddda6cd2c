import type { Clock } from './clock.js';
import type { PooledConnection } from './pooled-connection.js';
import type { Stock } from './stock.js';

/** Chooses, with care, which idle connection is lent next. */
export class IdleChoice<C> {
  /** @param checkAfterIdle what was neither used nor pinged for so long must be pinged first, in milliseconds */
  constructor(
    private readonly stock: Stock<C>,
    private readonly clock: Clock,
    private readonly checkAfterIdle: number,
  ) {}

  /** Takes one that says that it can be lent as it is. It is leased from then on. */
  take(): PooledConnection<C> | undefined {
    const { stock } = this;
    for (;;) {
      const entry = this.nextInLine();
      if (entry === undefined) return undefined;
      stock.idle.remove(entry);
      stock.census.lend(entry);
      if (stock.isUsable(entry)) return entry;
      stock.loseUnusable(entry);
    }
  }

  private nextInLine(): PooledConnection<C> | undefined {
    const { next } = this.stock.idle;
    return next !== undefined && this.isStale(next) ? this.fresh() : next;
  }

  /** The last used of the idle connections that need no check. */
  private fresh(): PooledConnection<C> | undefined {
    const { idle } = this.stock;
    let entry = idle.newest;
    // In fifo the newest is the last used or pinged: if even that one is stale, all are.
    while (entry !== undefined && this.isStale(entry)) entry = idle.order === 'lifo' ? idle.older(entry) : undefined;
    return entry;
  }

  private isStale(entry: PooledConnection<C>): boolean {
    return this.checkAfterIdle !== Infinity && this.clock.now() - entry.activeAt >= this.checkAfterIdle;
  }
}
