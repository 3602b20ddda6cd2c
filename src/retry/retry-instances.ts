import { isRetryRuntime, type RetryRuntime } from './retry-runtime.js';

/**
 * The property under which Nest injects the runtime. It is a setter on the prototype, so that nothing stands on the
 * instance, and a frozen one takes it too.
 */
export const RUNTIME = Symbol('retry runtime');

/** A method by which an instance behind a Proxy is reached; see the accessor's setter. */
export const LINK = Symbol('link retry runtime');

const runtimes = new WeakMap<object, RetryRuntime>();

interface Linked {
  [RUNTIME]: unknown;
  [LINK]?(runtime: RetryRuntime): void;
}

/** Makes instances of the class able to take a runtime; whether they were not before. */
export function acceptRuntime(prototype: object): boolean {
  if (RUNTIME in prototype) return false;
  Object.defineProperties(prototype, {
    [RUNTIME]: {
      set(this: Linked, runtime: unknown) {
        // A mock, such as auto-mocking puts in place of what is missing, would answer every question with nonsense.
        if (!isRetryRuntime(runtime)) return;
        runtimes.set(this, runtime);
        // The instance may stand behind a Proxy, and this may be either. One that binds methods to the instance runs
        // this one on the instance, so that both are known.
        this[LINK]?.(runtime);
      },
    },
    [LINK]: {
      value(this: object, runtime: RetryRuntime) {
        runtimes.set(this, runtime);
      },
    },
  });
  return true;
}

/** The runtime of the application that made the instance, if it was injected. */
export function runtimeOf(instance: unknown): RetryRuntime | undefined {
  return runtimes.get(instance as object);
}

/**
 * Gives a runtime to an instance that injection does not reach, such as what a `useFactory` returned. What has no decorated
 * method, or has a runtime already, stays as it is; nothing is ever thrown.
 */
export function adopt(instance: unknown, runtime: RetryRuntime): void {
  try {
    if (typeof instance !== 'object' || instance === null || runtimes.has(instance)) return;
    if (RUNTIME in instance) (instance as Linked)[RUNTIME] = runtime;
  } catch {
    // An object behind a Proxy with a will of its own.
  }
}
