/** Somebody who waits until enough connections are open. */
interface Expectation {
  /** How many; undefined: as many as the pool is to have. */
  readonly connections: number | undefined;
  resolve(): void;
  reject(error: unknown): void;
}

/** Those who wait for the pool to be full. */
export class Readiness {
  private readonly expectations = new Set<Expectation>();

  /** @param demandChanged called when somebody begins to wait, and when nobody waits any more */
  constructor(private readonly demandChanged: () => void) {}

  get isAwaited(): boolean {
    return this.expectations.size > 0;
  }

  wait(connections: number | undefined, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        this.expectations.delete(expectation);
        signal?.removeEventListener('abort', onAbort);
        settle();
        this.demandChanged();
      };
      const expectation: Expectation = {
        connections,
        resolve: () => end(resolve),
        reject: (error) => end(() => reject(error)),
      };
      const onAbort = (): void => expectation.reject(signal?.reason);
      signal?.addEventListener('abort', onAbort);
      this.expectations.add(expectation);
      this.demandChanged();
    });
  }

  /** So many are open now, and so many make the pool full. */
  check(open: number, full: number): void {
    for (const expectation of this.expectations) {
      if (open >= (expectation.connections ?? full)) expectation.resolve();
    }
  }

  rejectAll(error: () => unknown): void {
    for (const expectation of this.expectations) expectation.reject(error());
  }
}
