import { systemClock } from '../pool/clock.js';
import { PoolSettingsError } from '../pool/errors.js';
import { describeValue, type Reading } from '../pool/rules.js';
import { takeTicket } from './give-ups.js';
import { retryPromise, watchPromise } from './promise-retry.js';
import { budgetFrom, type RetryBudget, type RetryBudgetOptions } from './retry-budget.js';
import type { Invocation } from './retry-call.js';
import { currentAttempt, firstAttempt, type RetryContext } from './retry-context.js';
import { layRetryOptions, readRetryOptions, type RetryOptions } from './retry-options.js';
import { makePlan, type RetryPlan } from './retry-plan.js';

/** As {@link RetryOptions}; but there is no class whose method `recover` could name. */
export interface RetryFunctionOptions<R = unknown> extends Omit<RetryOptions, 'recover'> {
  /** Makes up for giving up: its result is the result. Default: none. */
  // An error may be anything, which a user narrows by saying so.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly recover?: (error: any) => R | PromiseLike<R>;
}

/**
 * Calls `work` and, as long as it fails with an error to retry (a connection error, unless `retryOn` says otherwise), calls
 * it again after a pause: what `@Retryable` does, without a class. It needs no application and knows nothing of one: no
 * presets, no end of pauses at shutdown, and it is silent unless given a `logger`. A `budget` given as options is one
 * for all calls that are given the same object of budget options; keep it in a constant.
 *
 *     const mail = await retry(({ signal }) => fetchMail(signal), { maxRetries: 5, attemptTimeout: '2s' });
 *
 * Rejects with the last error itself; with the reason of `signal` once that is aborted, whether in an attempt or in a
 * pause; with RetryTimeoutError if `timeout` ran out before any attempt had failed; with PoolSettingsError, listing every
 * fault, if the options are wrong.
 *
 * @param work gets the attempt's number from 1, its signal, and the error of the attempt before
 */
export async function retry<R>(
  work: (context: RetryContext) => R | PromiseLike<R>,
  options: RetryFunctionOptions<R> = {},
): Promise<R> {
  const plan = planOf(work, options);
  const invocation: Invocation = {
    again: (attempt) => work(attempt.context),
    recovery: () => options.recover,
  };
  const attempt = firstAttempt();
  if (plan.needsContext || currentAttempt() !== undefined) {
    return retryPromise(plan, invocation, attempt, () => attempt.run(() => work(attempt.context))) as Promise<R>;
  }
  const ticket = takeTicket();
  const first = new Promise<R>((resolve) => {
    resolve(work(attempt.context));
  });
  return watchPromise(plan, ticket, first, () => invocation) as Promise<R>;
}

/** The budgets of budget options, which callers hold. */
const budgets = new WeakMap<RetryBudgetOptions, RetryBudget>();

function budgetOf(given: RetryOptions['budget']): RetryBudget | undefined {
  const known = (typeof given === 'object' && budgets.get(given)) || budgetFrom(given);
  if (typeof given === 'object' && known) budgets.set(given, known);
  return known;
}

function planOf(work: unknown, options: Omit<RetryOptions, 'recover'>): RetryPlan {
  const reading: Reading = { faults: [], fromText: false };
  const method = (typeof work === 'function' && work.name) || 'retry()';
  const read = readRetryOptions(options, reading);
  if (typeof work !== 'function') {
    reading.faults.push({ path: 'work', received: describeValue(work), allowed: 'a function to call' });
  }
  if (typeof read.recover === 'string') {
    const allowed = 'a function, as there is no class whose method it could name';
    reading.faults.push({ path: 'recover', received: describeValue(read.recover), allowed });
  }
  if (reading.faults.length > 0) throw new PoolSettingsError(`retry of ${method}`, reading.faults);
  return makePlan({
    method,
    context: undefined,
    options: layRetryOptions([read]),
    // Not what was read of it, which is another object at each call.
    budget: budgetOf(options.budget),
    logger: undefined,
    clock: systemClock,
    pauses: undefined,
  });
}
