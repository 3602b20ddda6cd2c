import { describeError } from '../pool/errors.js';
import { matchesError } from '../pool/connection-error.js';
import type { Clock } from '../pool/clock.js';
import type { PoolLogger } from '../pool/settings.js';
import type { Pauses } from './pauses.js';
import type { RetryBudget } from './retry-budget.js';
import { RetryLog } from './retry-log.js';
import type { LaidRetryOptions } from './retry-options.js';

/** Everything that a retried call goes by: worked out once for a method and an application. */
export interface RetryPlan {
  /** The class and the method, as in `MailService.fetch`. */
  readonly method: string;
  readonly options: LaidRetryOptions;
  readonly budget: RetryBudget | undefined;
  readonly log: RetryLog;
  readonly clock: Clock;
  /** The application's pauses; undefined outside of one. */
  readonly pauses: Pauses | undefined;
  /** Whether already the first attempt must know of itself, because something may abort its signal. */
  readonly needsContext: boolean;
  /** Whether anyone asks about results. */
  readonly seesResults: boolean;
}

export interface PlanParts {
  readonly method: string;
  /** The context of log lines: the class. */
  readonly context: string | undefined;
  readonly options: LaidRetryOptions;
  readonly budget: RetryBudget | undefined;
  /** Where the lines go unless the options say otherwise; undefined for silence. */
  readonly logger: PoolLogger | undefined;
  readonly clock: Clock;
  readonly pauses: Pauses | undefined;
}

export function makePlan({ method, context, options, budget, logger, clock, pauses }: PlanParts): RetryPlan {
  return {
    method,
    options,
    budget,
    log: new RetryLog(options, options.logger ?? logger, context),
    clock,
    pauses,
    needsContext: options.signal !== undefined || options.timeout < Infinity || options.attemptTimeout < Infinity,
    seesResults: budget !== undefined || options.retryOnResult !== undefined,
  };
}

/** Whether an attempt that failed with this error is one to retry. Its own time-out is, whatever `retryOn` says. */
export function isRetried({ options }: RetryPlan, error: unknown, timedOut: boolean): boolean {
  return !matchesError(error, options.abortOn) && (timedOut || matchesError(error, options.retryOn));
}

/** Whether the result counts as a failure. A predicate that throws has nothing against it. */
export function countsAsFailure(plan: RetryPlan, result: unknown): boolean {
  try {
    return plan.options.retryOnResult?.(result) === true;
  } catch (error) {
    plan.log.broken('retryOnResult', plan, `threw ${describeError(error)}`);
    return false;
  }
}
