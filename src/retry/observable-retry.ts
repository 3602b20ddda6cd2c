import { takeTicket } from './give-ups.js';
import { RetryCall, type Invocation, type RetriedWork } from './retry-call.js';
import { currentAttempt, firstAttempt, type Attempt } from './retry-context.js';
import { isThenable } from './retry-log.js';
import type { RetryPlan } from './retry-plan.js';

interface Observer {
  next(value: unknown): void;
  error(error: unknown): void;
  complete(): void;
}

interface Subscription {
  unsubscribe(): void;
}

/** What we need of an Observable; that of RxJS and of its likes have it. */
export interface ObservableLike {
  subscribe(observer: Observer): Subscription;
}

export type ObservableClass = new (subscribe: (subscriber: Observer) => (() => void) | void) => ObservableLike;

/**
 * The class of Observables that the value is one of, whichever library and copy of it they come from; undefined if it is
 * none. A client with a method `subscribe` (of Redis, MQTT, NATS) is none: an Observable says so by its symbol.
 */
export function observableClassOf(value: unknown): ObservableClass | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { subscribe } = value as Partial<ObservableLike>;
  if (typeof subscribe !== 'function' || !(hasSymbol(value, '@@observable') || hasSymbol(value, 'observable'))) return;
  // A Subject, a GroupedObservable and their like have Observable at the root; their own classes take other arguments.
  let root = value;
  for (let next = protoOf(value); next !== null && protoOf(next) !== null; next = protoOf(next)) root = next;
  const { constructor } = root as { constructor?: unknown };
  return root !== value && typeof constructor === 'function' ? (constructor as ObservableClass) : undefined;
}

function protoOf(value: object): object | null {
  return Object.getPrototypeOf(value) as object | null;
}

// RxJS looks for Symbol.observable when it is loaded, and makes do with a text if there was none.
function hasSymbol(value: object, name: '@@observable' | 'observable'): boolean {
  const key = name === 'observable' ? (Symbol as { observable?: symbol }).observable : name;
  return key !== undefined && typeof (value as Record<PropertyKey, unknown>)[key] === 'function';
}

/**
 * An Observable that retries: on an error the method runs again, and its new Observable is subscribed to.
 *
 * @param first yields what the method returned, or throws what it threw, before anyone subscribed
 * @param begun the attempt in which the method ran then, if it knew of it
 */
export function retryObservable(
  plan: RetryPlan,
  invocation: Invocation,
  Observable: ObservableClass,
  first: () => unknown,
  begun?: Attempt,
): ObservableLike {
  let unused = begun;
  return new Observable((subscriber) => {
    const work = new ObservableWork(plan, invocation, subscriber);
    const attempt = unused ?? firstAttempt();
    unused = undefined;
    const inContext = plan.needsContext || currentAttempt() !== undefined;
    work.call.start(attempt, () => {
      if (inContext) attempt.run(() => work.follow(attempt, first));
      else work.follow(attempt, first);
    });
    return () => {
      work.stop();
    };
  });
}

/** An Observable that does nothing but fail. */
export function failedObservable(Observable: ObservableClass, error: unknown): ObservableLike {
  return new Observable((subscriber) => {
    subscriber.error(error);
  });
}

class ObservableWork implements RetriedWork {
  readonly call: RetryCall;
  /** To the attempt under way, or to what recovers. */
  private subscription: Subscription | undefined;
  private stopped = false;

  constructor(
    plan: RetryPlan,
    private readonly invocation: Invocation,
    private readonly subscriber: Observer,
  ) {
    this.call = new RetryCall(plan, this, takeTicket());
  }

  begin(attempt: Attempt): void {
    attempt.run(() => {
      this.follow(attempt, () => this.invocation.again(attempt));
    });
  }

  follow(attempt: Attempt, work: () => unknown): void {
    const { call, subscriber } = this;
    const subscription = listen(work, {
      next: (value) => {
        if (call.isUnderWay(attempt) && call.accepts(attempt, value)) subscriber.next(value);
      },
      error: (error) => {
        call.failed(attempt, error);
      },
      complete: () => {
        if (!call.isUnderWay(attempt)) return;
        call.succeeded();
        subscriber.complete();
      },
    });
    // It may all be over by now: what emits while it is being subscribed to is ahead of its own subscription.
    if (call.isUnderWay(attempt)) this.subscription = subscription;
    else subscription.unsubscribe();
  }

  leave(): void {
    const { subscription } = this;
    this.subscription = undefined;
    subscription?.unsubscribe();
  }

  endWith(result: unknown): void {
    this.subscriber.next(result);
    this.subscriber.complete();
  }

  giveUp(error: unknown): void {
    const { subscriber } = this;
    const recover = this.invocation.recovery();
    if (recover === undefined) {
      subscriber.error(error);
      return;
    }
    this.subscription = listen(() => recover(error), {
      next: (value) => {
        subscriber.next(value);
      },
      error: (thrown) => {
        subscriber.error(thrown);
      },
      complete: () => {
        subscriber.complete();
      },
    });
    if (this.stopped) this.leave();
  }

  fail(error: unknown): void {
    this.subscriber.error(error);
  }

  /** Nobody listens any more. */
  stop(): void {
    this.stopped = true;
    this.call.cancel();
    this.leave();
  }
}

/** Subscribes to what the work yields: an Observable; else a promise or a plain value, as one value. */
function listen(work: () => unknown, observer: Observer): Subscription {
  let wanted = true;
  const emit = (value: unknown): void => {
    if (!wanted) return;
    observer.next(value);
    observer.complete();
  };
  const fail = (error: unknown): void => {
    if (wanted) observer.error(error);
  };
  try {
    const result = work();
    if (observableClassOf(result)) return (result as ObservableLike).subscribe(observer);
    if (isThenable(result)) result.then(emit, fail);
    else emit(result);
  } catch (error) {
    fail(error);
  }
  return {
    unsubscribe() {
      wanted = false;
    },
  };
}
