import type { Figures } from '../scenario.js';

/** How long callers waited for what they came for, in nanoseconds. */
export class Latencies {
  private values: number[] = [];

  note(latency: number): void {
    this.values.push(latency);
  }

  /** The median, and what one caller in a hundred had to wait at least; then it begins anew. */
  take(): Figures {
    const sorted = Float64Array.from(this.values).toSorted();
    this.values = [];
    const quantile = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? NaN;
    return { p50: quantile(0.5), p99: quantile(0.99) };
  }
}
