import { AsyncLocalStorage } from 'node:async_hooks';

/** What an attempt can know of itself. */
export interface RetryContext {
  /** The call under way, counted from 1. */
  readonly attempt: number;
  /** Aborted when the attempt is to stop: `attemptTimeout`, `timeout`, the `signal` of the options, unsubscribing. */
  readonly signal: AbortSignal;
  /** What the attempt before failed with; undefined in the first. */
  readonly lastError: unknown;
}

/** One attempt, as the retry sees it. Work gets to see its {@link context} only. */
export class Attempt {
  private controller: AbortController | undefined;
  private gaveUpOn: Set<unknown> | undefined;
  private hasRun = false;

  constructor(
    readonly attempt: number,
    readonly lastError: unknown,
  ) {}

  // Made when asked for: most attempts never look. And never one for all, on which listeners would pile up.
  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    return this.controller.signal;
  }

  /** What the work may know: an object of its own, from which nothing leads here. */
  get context(): RetryContext {
    const { attempt, lastError } = this;
    const signal = (): AbortSignal => this.signal;
    return {
      attempt,
      // A property as any other, also to who copies it; but still made only when asked for.
      get signal() {
        return signal();
      },
      lastError,
    };
  }

  abort(reason?: unknown): void {
    this.controller ??= new AbortController();
    this.controller.abort(reason);
  }

  /** Whether work has run as this attempt, so that what is inside of it knows about it. */
  get entered(): boolean {
    return this.hasRun;
  }

  /** Runs work as this attempt: `retryContext()` inside of it, however deep, tells of this. */
  run<R>(work: () => R): R {
    this.hasRun = true;
    return attempts.run(this, work);
  }

  /** Notes that a retry inside of this attempt gave up on the error. */
  noteGaveUp(error: unknown): void {
    this.gaveUpOn ??= new Set();
    this.gaveUpOn.add(error);
  }

  /** Whether a retry inside of this attempt gave up on the error. */
  innerGaveUp(error: unknown): boolean {
    return this.gaveUpOn?.has(error) === true;
  }
}

const attempts = new AsyncLocalStorage<Attempt>();

/** The attempt inside of which this code runs. A first attempt that needs no context has none. */
export function currentAttempt(): Attempt | undefined {
  return attempts.getStore();
}

export function firstAttempt(): Attempt {
  return new Attempt(1, undefined);
}

/**
 * The attempt inside of which this code runs: its number from 1, its signal, and what the one before failed with. Outside
 * of a retry, and in a first attempt with neither `signal`, `timeout` nor `attemptTimeout`, that is attempt 1 with a
 * signal that never aborts.
 */
export function retryContext(): RetryContext {
  return (currentAttempt() ?? firstAttempt()).context;
}
