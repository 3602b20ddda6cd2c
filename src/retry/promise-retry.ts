import type { Failure } from './failure.js';
import { takeTicket } from './give-ups.js';
import { RetryCall, type Invocation, type RetriedWork } from './retry-call.js';
import type { Attempt } from './retry-context.js';
import { countsAsFailure, type RetryPlan } from './retry-plan.js';

/**
 * Watches over a first attempt that ran on its own, outside of any context. As long as nothing fails, this is all that
 * a retry costs: one promise, one closure.
 *
 * @param invocation called when something has failed
 */
export function watchPromise(
  plan: RetryPlan,
  ticket: number,
  first: PromiseLike<unknown>,
  invocation: () => Invocation,
): Promise<unknown> {
  const promise = first instanceof Promise ? first : Promise.resolve(first);
  const failed = (error: unknown): unknown => resumePromise(plan, ticket, invocation(), { error });
  if (!plan.seesResults) return promise.then(undefined, failed);
  return promise.then((result: unknown) => {
    if (countsAsFailure(plan, result)) return resumePromise(plan, ticket, invocation(), { result });
    plan.budget?.noteSuccess();
    return result;
  }, failed);
}

/** Goes on after a first attempt that ran on its own and failed. */
export function resumePromise(
  plan: RetryPlan,
  ticket: number,
  invocation: Invocation,
  failure: Failure,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    new PromiseWork(plan, ticket, invocation, resolve, reject).call.resume(failure);
  });
}

/** Retries what knows of its first attempt. `first` makes that attempt, or yields what it has come to. */
export function retryPromise(
  plan: RetryPlan,
  invocation: Invocation,
  attempt: Attempt,
  first: () => unknown,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const work = new PromiseWork(plan, takeTicket(), invocation, resolve, reject);
    work.call.start(attempt, () => {
      work.follow(attempt, first);
    });
  });
}

class PromiseWork implements RetriedWork {
  readonly call: RetryCall;

  constructor(
    plan: RetryPlan,
    ticket: number,
    private readonly invocation: Invocation,
    private readonly resolve: (result: unknown) => void,
    private readonly reject: (error: unknown) => void,
  ) {
    this.call = new RetryCall(plan, this, ticket);
  }

  begin(attempt: Attempt): void {
    this.follow(attempt, () => attempt.run(() => this.invocation.again(attempt)));
  }

  follow(attempt: Attempt, work: () => unknown): void {
    const { call } = this;
    // Listened to whatever happens to the attempt: what it fails with after its time is no unhandled rejection.
    new Promise((resolve) => {
      resolve(work());
    }).then(
      (result) => {
        if (!call.isUnderWay(attempt) || !call.accepts(attempt, result)) return;
        call.succeeded();
        this.resolve(result);
      },
      (error: unknown) => {
        call.failed(attempt, error);
      },
    );
  }

  leave(): void {
    // A promise cannot be left; what it still comes to is ignored.
  }

  endWith(result: unknown): void {
    this.resolve(result);
  }

  giveUp(error: unknown): void {
    const recover = this.invocation.recovery();
    if (recover === undefined) {
      this.reject(error);
      return;
    }
    try {
      this.resolve(recover(error));
    } catch (thrown) {
      this.reject(thrown);
    }
  }

  fail(error: unknown): void {
    this.reject(error);
  }
}
