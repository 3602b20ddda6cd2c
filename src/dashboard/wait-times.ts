/** Buckets in each doubling of the time: a percentile is right to within 5 %. */
const FINENESS = 8;

/** Ten microseconds, in milliseconds: whoever waits for less has not waited. */
const LEAST = 0.01;

/** Enough for a day. */
const BUCKETS = 270;

/** How long callers waited, as counts: many callers take no more room than few. */
export class WaitTimes {
  private readonly counts = new Uint32Array(BUCKETS);
  private total = 0;

  /** @param wait in milliseconds */
  add(wait: number): void {
    const bucket = wait <= LEAST ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log2(wait / LEAST) * FINENESS));
    this.counts[bucket]!++;
    this.total++;
  }

  /** The wait that this part of the callers did not exceed, in milliseconds; null if there were none. */
  percentile(part: number): number | null {
    if (this.total === 0) return null;
    let left = Math.ceil(this.total * part);
    const bucket = this.counts.findIndex((count) => (left -= count) <= 0);
    return bucket === 0 ? 0 : round(LEAST * 2 ** ((bucket - 0.5) / FINENESS));
  }

  clear(): void {
    this.counts.fill(0);
    this.total = 0;
  }
}

/** Three digits are all that it knows. */
function round(milliseconds: number): number {
  return Number(milliseconds.toPrecision(3));
}
