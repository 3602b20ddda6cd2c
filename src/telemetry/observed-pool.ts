import type { PoolStats } from '../pool/stats.js';

/** What telemetry asks of a pool. */
export interface ObservedPool {
  readonly name: string;
  /** How many connections it keeps at least, and has at most. */
  readonly size: { readonly min: number; readonly max: number };
  stats(): PoolStats;
}
