import type { PoolEvent } from '../pool/channels.js';
import type { PoolStats } from '../pool/stats.js';

/** What telemetry asks of a pool. */
export interface ObservedPool {
  readonly name: string;
  /** What its events call `poolId`. */
  readonly id: symbol;
  /** How many connections it keeps at least, and has at most. */
  readonly size: { readonly min: number; readonly max: number };
  stats(): PoolStats;
}

/** Those that can be observed: a test may have put anything in the place of a pool. */
export function* observable(pools: Iterable<ObservedPool>): Iterable<ObservedPool> {
  for (const pool of pools) if (typeof pool.stats === 'function') yield pool;
}

/** Tells what happens in these pools from what happens in others of the process, which may have the same names. */
export class OwnPools {
  /** Those that were found once: pools come and go, but none is anybody else's later. */
  private readonly known = new WeakSet<symbol>();

  constructor(private readonly pools: Iterable<ObservedPool>) {}

  has({ poolId }: PoolEvent): boolean {
    if (this.known.has(poolId)) return true;
    for (const { id } of this.pools) {
      if (id !== poolId) continue;
      this.known.add(id);
      return true;
    }
    return false;
  }
}
