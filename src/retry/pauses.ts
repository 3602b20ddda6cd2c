/** The pauses of one application's retries, so that its shutdown can end them. */
export class Pauses {
  private readonly enders = new Set<() => void>();
  private over = false;

  /** Whether the application is shutting down, so that no pause is begun any more. */
  get ended(): boolean {
    return this.over;
  }

  /** Has `end` called when the application shuts down, unless the function returned has been called before. */
  add(end: () => void): () => void {
    this.enders.add(end);
    return () => {
      this.enders.delete(end);
    };
  }

  endAll(): void {
    this.over = true;
    // Each ender takes itself out of the set, which a running iteration over a Set allows.
    for (const end of this.enders) end();
  }
}
