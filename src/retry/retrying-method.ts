import { systemClock } from '../pool/clock.js';
import type { PoolLogger } from '../pool/settings.js';
import { takeTicket } from './give-ups.js';
import { failedObservable, observableClassOf, retryObservable, type ObservableClass } from './observable-retry.js';
import { retryPromise, watchPromise } from './promise-retry.js';
import { budgetFrom, RetryBudget } from './retry-budget.js';
import type { Invocation } from './retry-call.js';
import { currentAttempt, firstAttempt, type Attempt } from './retry-context.js';
import type { RetryDefinition } from './retry-definition.js';
import { runtimeOf } from './retry-instances.js';
import { isThenable } from './retry-log.js';
import { layRetryOptions } from './retry-options.js';
import { isRetried, makePlan, type RetryPlan } from './retry-plan.js';

export type Method = (this: unknown, ...args: unknown[]) => unknown;

/** A decorated method: what its calls go through. */
export class RetryingMethod {
  /** For calls on what no application made; where each instance has a budget of its own, for those without an instance. */
  private plan: RetryPlan | undefined;
  /** For instances that no application made, which have a budget of their own. */
  private readonly plans = new WeakMap<object, RetryPlan>();
  /** What the method returns, once seen, so that one that throws instead of returning an Observable still yields one. */
  private observableClass: ObservableClass | undefined;

  /** @param logger for instances that no application made, and until the application has one */
  constructor(
    private readonly original: Method,
    private readonly definition: RetryDefinition,
    private readonly logger: PoolLogger,
  ) {}

  call(self: unknown, args: unknown[]): unknown {
    let plan: RetryPlan;
    try {
      plan = this.planFor(self);
    } catch (error) {
      return this.afterNoPlan(error);
    }
    if (plan.needsContext || currentAttempt() !== undefined) return this.callInContext(plan, self, args);
    // The main road: a call that succeeds pays for one promise and one closure.
    const ticket = takeTicket();
    let result: unknown;
    try {
      result = Reflect.apply(this.original, self, args);
    } catch (error) {
      return this.afterThrow(plan, self, args, error, firstAttempt());
    }
    if (isThenable(result)) return watchPromise(plan, ticket, result, () => this.invocation(plan, self, args));
    return this.retryIfObservable(plan, self, args, result);
  }

  /** A call whose first attempt must know of itself: something may abort it, or an outer retry is around it. */
  private callInContext(plan: RetryPlan, self: unknown, args: unknown[]): unknown {
    const attempt = firstAttempt();
    const again = (): unknown => Reflect.apply(this.original, self, args);
    // Aborted already: the method is not even begun. At a class it might be one that yields its result at once.
    if (plan.options.signal?.aborted === true && !this.definition.onClass) return this.begin(plan, self, args, again);
    let result: unknown;
    try {
      result = attempt.run(again);
    } catch (error) {
      return this.afterThrow(plan, self, args, error, attempt);
    }
    if (isThenable(result)) return retryPromise(plan, this.invocation(plan, self, args), attempt, () => result);
    return this.retryIfObservable(plan, self, args, result, attempt);
  }

  private retryIfObservable(
    plan: RetryPlan,
    self: unknown,
    args: unknown[],
    result: unknown,
    attempt?: Attempt,
  ): unknown {
    const observableClass = observableClassOf(result);
    if (observableClass === undefined) return result;
    this.observableClass = observableClass;
    return this.begin(plan, self, args, () => result, attempt);
  }

  /** The method cannot be begun. It fails as it would on its own: later, but at a class, where it may have no later. */
  private afterNoPlan(error: unknown): unknown {
    if (this.observableClass) return failedObservable(this.observableClass, error);
    if (this.definition.onClass && !isAsyncFunction(this.original)) throw error;
    return Promise.reject(error);
  }

  /**
   * The method threw instead of returning what it says it returns. If the error is one to retry, the result will come
   * later; otherwise the throw stays what it is, as it does at a class, where the method may have no later.
   */
  private afterThrow(plan: RetryPlan, self: unknown, args: unknown[], error: unknown, attempt: Attempt): unknown {
    if (this.definition.onClass || !isRetried(plan, error, false)) throw error;
    const rethrow = (): never => {
      throw error;
    };
    return this.begin(plan, self, args, rethrow, attempt);
  }

  /** An Observable if that is what the method is known to return, or else a promise. */
  private begin(
    plan: RetryPlan,
    self: unknown,
    args: unknown[],
    first: () => unknown,
    attempt: Attempt = firstAttempt(),
  ): unknown {
    const invocation = this.invocation(plan, self, args);
    return this.observableClass
      ? retryObservable(plan, invocation, this.observableClass, first, attempt)
      : retryPromise(plan, invocation, attempt, first);
  }

  private invocation(plan: RetryPlan, self: unknown, args: unknown[]): Invocation {
    return {
      again: () => Reflect.apply(this.original, self, args),
      recovery: () => this.recovery(plan, self, args),
    };
  }

  private recovery(plan: RetryPlan, self: unknown, args: unknown[]): ((error: unknown) => unknown) | undefined {
    const { recover } = plan.options;
    // A class or a preset may name the very method that is to be called instead of the others: that one just fails.
    if (recover === undefined || recover === this.definition.key) return undefined;
    const method = typeof recover === 'string' ? (self as Record<string, unknown> | undefined)?.[recover] : recover;
    if (typeof method === 'function') return (error) => Reflect.apply(method, self, [error, ...args]) as unknown;
    plan.log.broken('recover', plan, `names "${String(recover)}", which is no method of the instance`);
    return undefined;
  }

  private planFor(self: unknown): RetryPlan {
    return runtimeOf(self)?.planOf(this.definition, this.logger) ?? this.planOutside(self);
  }

  /**
   * How calls on what no application made are retried: a plain `new`, a `useValue`, the class itself. A budget belongs to
   * the instance (or the class), since two applications may have one each; all else is the same for all of them.
   */
  private planOutside(self: unknown): RetryPlan {
    const shared = this.sharedPlan();
    const { budget } = this.definition.options;
    const owns = typeof budget === 'object' && !(budget instanceof RetryBudget);
    if (!owns || !isObject(self)) return shared;
    const known = this.plans.get(self);
    if (known) return known;
    const plan = { ...shared, budget: budgetFrom(budget) };
    this.plans.set(self, plan);
    return plan;
  }

  private sharedPlan(): RetryPlan {
    if (this.plan) return this.plan;
    const { method, className, preset, options } = this.definition;
    this.plan = makePlan({
      method,
      context: className,
      options: layRetryOptions([options]),
      budget: budgetFrom(options.budget),
      logger: this.logger,
      clock: systemClock,
      pauses: undefined,
    });
    if (preset !== undefined) {
      this.plan.log.warn(
        `${method}: called on an instance that no application injected, so that its retry knows no preset "${preset}" ` +
          'and goes by the built-in defaults. Let Nest make the instance, or give the options at the decorator.',
      );
    }
    return this.plan;
  }
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

/** Whether it is written as `async`, so that it cannot but return a promise. */
function isAsyncFunction(method: Method): boolean {
  return Object.prototype.toString.call(method) === '[object AsyncFunction]';
}
