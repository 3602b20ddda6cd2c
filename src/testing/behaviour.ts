import type { Clock } from '../pool/clock.js';
import { describeValue, isPlainObject, readObject, type Reading, type Rule } from '../pool/rules.js';
import { SPAN } from './arguments.js';

export const HOOKS = ['connect', 'keepalive', 'reset', 'close'] as const;

/** The hooks that a script can rule. */
export type ScriptedHook = (typeof HOOKS)[number];

/** What a hook does when it is called. */
export type Behaviour =
  /** Does what it should. */
  | 'succeed'
  /** Never settles, and does not listen to its signal. */
  | 'hang'
  /** Rejects when its signal is aborted, and not before. Not for close, which has no signal. */
  | 'obey'
  /** Rejects. */
  | { readonly fail: unknown }
  /** Throws before it returns a promise. */
  | { readonly throw: unknown }
  /** Connect only: yields this instead of a new connection. */
  | { readonly yield: unknown }
  /** Does the rest after so much time: milliseconds, or text such as `'2s'`. Default of the rest: `'succeed'`. */
  | { readonly after: number | string; readonly outcome?: Behaviour };

/** A behaviour in its normal form: times in milliseconds. */
export type ReadBehaviour =
  Exclude<Behaviour, { readonly after: unknown }> | { readonly after: number; readonly outcome?: ReadBehaviour };

const WORDS = ['succeed', 'hang', 'obey'] as const;
const OUTCOMES = ['fail', 'throw', 'yield'] as const;

/** What a hook cannot do: only a connect yields anything, and a close has no signal that it could obey. */
const SENSELESS: Record<ScriptedHook, readonly string[]> = {
  connect: [],
  keepalive: ['yield'],
  reset: ['yield'],
  close: ['yield', 'obey'],
};

/**
 * What a hook's behaviour may be. One that is misspelt, or that the hook cannot show, would do something else than the test
 * says, and nobody would see it.
 */
export function behaviourOf(hook: ScriptedHook): Rule<ReadBehaviour> {
  const isPossible = (kind: string): boolean => !SENSELESS[hook].includes(kind);
  const words = WORDS.filter(isPossible);
  const outcomes = OUTCOMES.filter(isPossible);
  const shown = [
    ...words.map((word) => `'${word}'`),
    ...outcomes.map((outcome) => `{ ${outcome}: ${outcome === 'yield' ? 'value' : 'error'} }`),
  ];
  return {
    allowed: `${shown.join(', ')} or { after: milliseconds, outcome?: any of these }`,
    read(value, path, reading) {
      if (isPlainObject(value)) {
        if ('after' in value) return readDelay(value, this, path, reading);
        const [only, ...more] = Object.keys(value);
        if (more.length === 0 && outcomes.some((outcome) => outcome === only)) return value as ReadBehaviour;
      }
      const word = words.find((each) => each === value);
      if (word === undefined) reading.faults.push({ path, received: describeValue(value), allowed: this.allowed });
      return word;
    },
  };
}

function readDelay(
  value: Record<string, unknown>,
  outcome: Rule<ReadBehaviour>,
  path: string,
  reading: Reading,
): ReadBehaviour {
  const { after, ...rest } = value;
  // Zero where it is wrong, which nobody gets to see.
  const milliseconds = SPAN.read(after, `${path}.after`, reading) ?? 0;
  return { after: milliseconds, ...readObject<{ outcome: ReadBehaviour }>(rest, { outcome }, path, reading) };
}

/** One call of a hook. */
export interface ScriptedCall {
  readonly clock: Pick<Clock, 'setTimeout'>;
  /** What `'obey'` obeys. A close has none. */
  readonly signal: AbortSignal | undefined;
  /** Does what the hook should. */
  succeed(): unknown;
}

/** Does what the script says. */
export function play(behaviour: ReadBehaviour, call: ScriptedCall): Promise<unknown> {
  if (behaviour === 'succeed') return Promise.resolve(call.succeed());
  if (behaviour === 'hang') return new Promise(() => {});
  if (behaviour === 'obey') return obey(call.signal!);
  if ('throw' in behaviour) throw behaviour.throw;
  if ('fail' in behaviour) return Promise.reject(behaviour.fail);
  if ('yield' in behaviour) return Promise.resolve(behaviour.yield);
  return new Promise((resolve) => {
    call.clock.setTimeout(() => {
      // In a promise of its own, which what is thrown rejects: nobody is left to throw it at.
      resolve(new Promise((settle) => settle(play(behaviour.outcome ?? 'succeed', call))));
    }, behaviour.after);
  });
}

function obey(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop);
  });
}
