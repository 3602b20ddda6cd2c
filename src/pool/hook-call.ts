import type { Deadline, Deadlines } from './deadlines.js';

/** What becomes of a {@link HookCall}: exactly one of `done` and `failed`, or neither if it is given up. */
export interface HookOutcome<T> {
  done(value: T): void;
  failed(error: unknown): void;
  /** Nobody is interested any more. */
  givenUp?(reason: unknown): void;
  /** What to do with a value that arrives after the time-out, or after the call was given up. */
  late?(value: T): void;
}

/**
 * One call of a user's hook, which may throw, reject, hang, or settle when nobody waits for it any more. Nothing of that
 * gets past here: the outcome is told once, and never inside the call itself.
 */
export class HookCall<T> implements Deadline {
  due = 0;
  sooner: Deadline | undefined;
  later: Deadline | undefined;
  private controller: AbortController | undefined;
  private aborted: { readonly reason: unknown } | undefined;
  private over = false;

  /** @param deadlines where the call's time-out runs; their `onDue` must call {@link timeOut} */
  constructor(
    private readonly deadlines: Deadlines<HookCall<never>>,
    private readonly timeoutError: () => unknown,
    private readonly outcome: HookOutcome<T>,
  ) {}

  /** Aborted when nobody waits for the call any more. Made when it is asked for: it costs more than all the rest of a call. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.aborted !== undefined) this.controller.abort(this.aborted.reason);
    }
    return this.controller.signal;
  }

  run(hook: () => T | PromiseLike<T>): void {
    this.deadlines.add(this);
    let result: T | PromiseLike<T>;
    try {
      result = hook();
    } catch (error) {
      result = Promise.reject(error);
    }
    void this.settleBy(result);
  }

  /** The same, of a hook that has been called. */
  follow(result: T | PromiseLike<T>): void {
    this.deadlines.add(this);
    void this.settleBy(result);
  }

  /** Nobody is interested any more; aborts the hook's signal and tells nobody. */
  giveUp(reason: unknown): void {
    const wasUnderWay = this.finish();
    this.abort(reason);
    if (wasUnderWay) this.outcome.givenUp?.(reason);
  }

  timeOut(): void {
    this.over = true;
    const error = this.timeoutError();
    this.outcome.failed(error);
    // Last, for whoever listens to the signal may call the pool.
    this.abort(error);
  }

  private abort(reason: unknown): void {
    this.aborted = { reason };
    this.controller?.abort(reason);
  }

  private async settleBy(result: T | PromiseLike<T>): Promise<void> {
    let value: T;
    try {
      value = await result;
    } catch (error) {
      if (this.finish()) this.outcome.failed(error);
      return;
    }
    if (this.finish()) this.outcome.done(value);
    else this.outcome.late?.(value);
  }

  /** False if the call was over already. */
  private finish(): boolean {
    if (this.over) return false;
    this.over = true;
    this.deadlines.remove(this);
    return true;
  }
}

/**
 * For a hook that is to answer at once: a promise that it returns all the same (an `async` too many) must not reject
 * unseen.
 */
export function silence(answer: unknown): void {
  if (typeof answer === 'object') Promise.resolve(answer).catch(() => {});
}
