/** How pauses are spread, after "Exponential Backoff and Jitter" (AWS Architecture Blog, 2015). */
export type Jitter = 'none' | 'full' | 'equal' | 'decorrelated';

export interface BackoffOptions {
  /** The first pause, in milliseconds. */
  readonly delay: number;
  /** What each pause is multiplied by to make the next. */
  readonly multiplier: number;
  /** The longest pause, in milliseconds. */
  readonly maxDelay: number;
  readonly jitter: Jitter;
}

/** One step of a backoff: how long to pause, and which step follows. Immutable. */
export class BackoffStep {
  /** The pause, in milliseconds. */
  readonly pause: number;

  private constructor(
    private readonly options: BackoffOptions,
    private readonly random: () => number,
    private readonly ceiling: number,
    private readonly previous: number,
  ) {
    this.pause = this.spread();
  }

  static first(options: BackoffOptions, random: () => number): BackoffStep {
    const ceiling = Math.min(options.delay, options.maxDelay);
    return new BackoffStep(options, random, ceiling, ceiling);
  }

  /** The step after: a longer pause. */
  next(): BackoffStep {
    const { options, ceiling, random } = this;
    return new BackoffStep(options, random, Math.min(ceiling * options.multiplier, options.maxDelay), this.pause);
  }

  /** This step once more: a pause as long, spread anew. */
  again(): BackoffStep {
    return new BackoffStep(this.options, this.random, this.ceiling, this.previous);
  }

  private spread(): number {
    const { ceiling, options, random } = this;
    // Not by what follows: no end times a random 0 is no number.
    if (ceiling === Infinity) return Infinity;
    switch (options.jitter) {
      case 'none':
        return ceiling;
      case 'full':
        return ceiling * random();
      case 'equal':
        return ceiling / 2 + (ceiling / 2) * random();
      case 'decorrelated': {
        const { maxDelay } = options;
        const delay = Math.min(options.delay, maxDelay);
        return Math.min(maxDelay, delay + random() * Math.max(0, this.previous * 3 - delay));
      }
    }
  }
}
