import type { PoolStats } from '../pool/stats.js';

/** What telemetry asks of a pool. */
export interface ObservedPool {
  readonly name: string;
  /** How many connections it keeps at least, and has at most. */
  readonly size: { readonly min: number; readonly max: number };
  stats(): PoolStats;
}

/** Those that can be observed: a test may have put anything in the place of a pool. */
export function* observable(pools: Iterable<ObservedPool>): Iterable<ObservedPool> {
  for (const pool of pools) if (typeof pool.stats === 'function') yield pool;
}
