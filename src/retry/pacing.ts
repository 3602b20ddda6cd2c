import { BackoffStep } from '../pool/backoff.js';
import { isConnectionError } from '../pool/connection-error.js';
import { toMilliseconds } from '../pool/duration.js';
import { describeError } from '../pool/errors.js';
import { describeValue } from '../pool/rules.js';
import { errorOf, type Failure } from './failure.js';
import type { RetryPlan } from './retry-plan.js';

/** How long one call pauses before each of its retries. */
export class Pacing {
  private step: BackoffStep | undefined;

  constructor(private readonly plan: RetryPlan) {}

  /**
   * The pause after this attempt, in milliseconds; undefined for none at all, as a fresh connection is waiting; Infinity
   * if there shall be no retry.
   */
  after(attempt: number, failure: Failure): number | undefined {
    const { immediateFirstRetry, backoff } = this.plan.options;
    if (attempt === 1 && (immediateFirstRetry ?? isConnectionFailure(failure))) return undefined;
    return backoff ? this.ask(backoff, attempt, errorOf(failure)) : this.nextStep();
  }

  /** What the user's function says; the settings of the backoff if it says nothing of use. */
  private ask(backoff: (attempt: number, error: unknown) => unknown, attempt: number, error: unknown): number {
    try {
      const answer = backoff(attempt, error);
      const pause = toMilliseconds(answer);
      if (pause !== undefined) return pause;
      this.plan.log.broken('backoff', this.plan, `yielded ${describeValue(answer)}, which is no Duration`);
    } catch (thrown) {
      this.plan.log.broken('backoff', this.plan, `threw ${describeError(thrown)}`);
    }
    return this.nextStep();
  }

  private nextStep(): number {
    const { options, clock } = this.plan;
    this.step = this.step ? this.step.next() : BackoffStep.first(options, () => clock.random());
    return this.step.pause;
  }
}

function isConnectionFailure(failure: Failure): boolean {
  return 'error' in failure && isConnectionError(failure.error);
}
