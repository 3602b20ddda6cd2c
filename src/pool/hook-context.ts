/** What makes a signal when it is asked for one. */
interface SignalSource {
  readonly signal: AbortSignal;
}

/** Under which a context has the source of its signal, where nobody sees it who copies, compares or prints the context. */
const SOURCE = Symbol('source');

const SIGNAL: PropertyDescriptor & ThisType<{ readonly [SOURCE]: SignalSource }> = {
  enumerable: true,
  get() {
    return this[SOURCE].signal;
  },
};

/**
 * Gives a signal to what a hook is told. It is the context's own, so that `{ ...context }` has it too; and it is read through a
 * getter that all contexts share, for one of each takes longer to make than a lease.
 */
export function withSignal<T extends object>(context: T, source: SignalSource): T & SignalSource {
  Object.defineProperty(context, SOURCE, { value: source });
  return Object.defineProperty(context, 'signal', SIGNAL) as T & SignalSource;
}
