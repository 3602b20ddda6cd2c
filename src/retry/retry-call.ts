import { AsyncLocalStorage } from 'node:async_hooks';
import { matchesError } from '../pool/connection-error.js';
import { formatDuration } from '../pool/duration.js';
import { RetryAttemptTimeoutError, RetryTimeoutError } from '../pool/errors.js';
import { Countdown } from './countdown.js';
import { errorOf, type Failure } from './failure.js';
import { innerGaveUp, noteGaveUp } from './give-ups.js';
import { Pacing } from './pacing.js';
import { Attempt, currentAttempt } from './retry-context.js';
import type { RetryEvent } from './retry-options.js';
import { countsAsFailure, isRetried, type RetryPlan } from './retry-plan.js';

/** A call that can be made again. */
export interface Invocation {
  again(attempt: Attempt): unknown;
  /** What makes up for giving up, if anything does. */
  recovery(): ((error: unknown) => unknown) | undefined;
}

/** What is retried: calls that yield promises, or Observables. It tells the {@link RetryCall} what becomes of attempts. */
export interface RetriedWork {
  /** Begins the work once more, as this attempt. */
  begin(attempt: Attempt): void;
  /** The attempt is over: stop listening to it. */
  leave(): void;
  /** The call ends with this result, although it counts as a failure. */
  endWith(result: unknown): void;
  /** The call gives up: recover from the error, or fail with it. */
  giveUp(error: unknown): void;
  /** The call fails with the error. */
  fail(error: unknown): void;
}

const SHUTDOWN = 'the application is shutting down';

/**
 * One call and its attempts. The road: an attempt begins → it succeeds, and the call is over; or it fails → the failure
 * is judged → a pause → the next attempt. Three things end the call in the midst of it: the options' `signal` and their
 * `timeout` in an attempt or a pause, the application's shutdown in a pause.
 */
export class RetryCall {
  private readonly pacing: Pacing;
  private attempt: Attempt | undefined;
  private attemptNumber = 1;
  private failure: Failure | undefined;
  private deadline = Infinity;
  private over = false;
  private overall: Countdown | undefined;
  /** The time of the attempt or pause under way. */
  private current: Countdown | undefined;
  private leavePauses: (() => void) | undefined;
  // Timers, aborts and shutdown come from elsewhere; what follows them must still see the caller's AsyncLocalStorage.
  private readonly inCallersContext = AsyncLocalStorage.snapshot();
  /** The attempt of an outer retry inside of which this call was made. */
  private readonly around = currentAttempt();

  /** @param ticket see give-ups.ts */
  constructor(
    private readonly plan: RetryPlan,
    private readonly work: RetriedWork,
    private readonly ticket: number,
  ) {
    this.pacing = new Pacing(plan);
  }

  /** Begins with this attempt: `begin` begins its work, or listens to it if it is under way. */
  start(attempt: Attempt, begin: () => void): void {
    this.attempt = attempt;
    if (this.open()) this.run(attempt, begin);
  }

  /** Goes on after a first attempt that ran on its own, as nothing could abort it, and failed. */
  resume(failure: Failure): void {
    this.judge(failure, undefined);
  }

  isUnderWay(attempt: Attempt): boolean {
    return this.attempt === attempt;
  }

  /** Whether this result of the attempt is one to hand on; otherwise the attempt has failed by it. */
  accepts(attempt: Attempt, result: unknown): boolean {
    if (!countsAsFailure(this.plan, result)) return true;
    this.judge({ result }, attempt);
    return false;
  }

  /** The attempt under way has succeeded, and with it the call. */
  succeeded(): void {
    this.close();
    this.plan.budget?.noteSuccess();
  }

  /** The attempt has failed. One that was given up already may fail as it likes. */
  failed(attempt: Attempt, error: unknown): void {
    if (this.isUnderWay(attempt)) this.judge({ error }, attempt);
  }

  /** Nobody wants the result any more. */
  cancel(): void {
    this.close()?.abort();
  }

  private open(): boolean {
    const { options, clock } = this.plan;
    if (options.signal?.aborted === true) {
      this.onAbort();
      return false;
    }
    options.signal?.addEventListener('abort', this.onAbort);
    if (options.timeout < Infinity) {
      this.deadline = clock.now() + options.timeout;
      this.overall = new Countdown(clock, options.timeout, () => this.inCallersContext(() => this.onTimeout()));
    }
    return true;
  }

  private run(attempt: Attempt, begin: () => void): void {
    const { clock, options } = this.plan;
    this.attempt = attempt;
    if (options.attemptTimeout < Infinity) {
      const timeOut = (): void => this.inCallersContext(() => this.onAttemptTimeout(attempt));
      this.current = new Countdown(clock, options.attemptTimeout, timeOut);
    }
    begin();
  }

  private judge(failure: Failure, attempt: Attempt | undefined, timedOut = false): void {
    const { plan, ticket } = this;
    this.failure = failure;
    this.endStage();
    if ('error' in failure) {
      const { error } = failure;
      const given = innerGaveUp(error, ticket, attempt);
      if (!isRetried(plan, error, timedOut)) {
        if (given || matchesError(error, plan.options.abortOn)) noteGaveUp(error, ticket, this.around);
        this.close();
        this.work.fail(error);
        return;
      }
      if (given) {
        this.giveUp(undefined);
        return;
      }
    }
    plan.budget?.noteFailure();
    const { delay, reason } = this.prospect(failure);
    if (reason === undefined) this.pause(delay);
    else this.giveUp(reason);
  }

  /** The pause before the next attempt (undefined: none), or the reason why there is none. */
  private prospect(failure: Failure): { readonly delay?: number | undefined; readonly reason?: string } {
    const { options, budget, clock, pauses } = this.plan;
    if (this.attemptNumber > options.maxRetries) return { reason: `maxRetries is ${options.maxRetries}` };
    if (budget?.allowsRetry === false) return { reason: 'the retry budget is used up' };
    const delay = this.pacing.after(this.attemptNumber, failure);
    if (delay === Infinity) return { reason: 'no pause would be long enough' };
    if (delay !== undefined && pauses?.ended === true) return { reason: SHUTDOWN };
    if (clock.now() + (delay ?? 0) >= this.deadline) {
      return { reason: `another attempt would overrun its timeout of ${formatDuration(options.timeout)}` };
    }
    return { delay };
  }

  private pause(delay: number | undefined): void {
    const { clock, log, pauses } = this.plan;
    log.retrying(this.event(delay ?? 0), this.failure!);
    // What the user's functions did may have ended the call.
    if (this.over) return;
    if (delay === undefined) {
      this.next();
      return;
    }
    this.leavePauses = pauses?.add(() => this.inCallersContext(() => this.giveUp(SHUTDOWN)));
    this.current = new Countdown(clock, delay, () => this.inCallersContext(() => this.next()));
  }

  private next(): void {
    this.endStage();
    this.attemptNumber += 1;
    const attempt = new Attempt(this.attemptNumber, errorOf(this.failure!));
    this.run(attempt, () => this.work.begin(attempt));
  }

  /** @param reason undefined if a retry inside of this one has said it */
  private giveUp(reason: string | undefined): void {
    const { log } = this.plan;
    const failure = this.failure!;
    this.close();
    if (reason === undefined) log.gaveUpQuietly(this.event(0));
    else log.gaveUp(this.event(0), failure, reason);
    if ('result' in failure) {
      this.work.endWith(failure.result);
      return;
    }
    noteGaveUp(failure.error, this.ticket, this.around);
    this.work.giveUp(failure.error);
  }

  private readonly onAbort = (): void => {
    const reason: unknown = this.plan.options.signal?.reason;
    this.close()?.abort(reason);
    noteGaveUp(reason, this.ticket, this.around);
    this.inCallersContext(() => this.work.fail(reason));
  };

  private onTimeout(): void {
    const error = new RetryTimeoutError(this.plan.method, this.plan.options.timeout, this.attemptNumber);
    if (this.failure === undefined || !('error' in this.failure)) this.failure = { error };
    this.endStage()?.abort(error);
    this.giveUp(`its timeout of ${formatDuration(this.plan.options.timeout)} is over`);
  }

  private onAttemptTimeout(attempt: Attempt): void {
    const error = new RetryAttemptTimeoutError(this.plan.method, this.plan.options.attemptTimeout, this.attemptNumber);
    this.endStage();
    attempt.abort(error);
    this.judge({ error }, attempt, true);
  }

  /** Ends the call: no timer and no listener stays. Yields the attempt that was under way. */
  private close(): Attempt | undefined {
    this.over = true;
    this.overall?.cancel();
    this.plan.options.signal?.removeEventListener('abort', this.onAbort);
    return this.endStage();
  }

  /** Ends the attempt or the pause under way, and yields the attempt. */
  private endStage(): Attempt | undefined {
    const { attempt } = this;
    this.attempt = undefined;
    this.current?.cancel();
    this.leavePauses?.();
    if (attempt) this.work.leave();
    return attempt;
  }

  private event(delay: number): RetryEvent {
    return { method: this.plan.method, attempt: this.attemptNumber, error: errorOf(this.failure!), delay };
  }
}
