import { describeValue, isPlainObject, oneOf, readObject, type Reading, type Rule } from '../pool/rules.js';
import { SPAN } from './arguments.js';

/** What a hook does when it is called. */
export type Behaviour =
  /** Does what it should. */
  | 'succeed'
  /** Never settles, and does not listen to its signal. */
  | 'hang'
  /** Rejects when its signal is aborted, and not before. */
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

const PLAIN = oneOf('succeed', 'hang', 'obey');
const OUTCOMES = ['fail', 'throw', 'yield'];

/** What a behaviour may be. A misspelt one would do something else than the test says, and nobody would see it. */
export const BEHAVIOUR: Rule<ReadBehaviour> = {
  allowed:
    "'succeed', 'hang', 'obey', { fail: error }, { throw: error }, { yield: value } or " +
    '{ after: milliseconds, outcome?: any of these }',
  read(value, path, reading) {
    if (isPlainObject(value)) {
      if ('after' in value) return readDelay(value, path, reading);
      const [only, ...more] = Object.keys(value);
      if (only !== undefined && more.length === 0 && OUTCOMES.includes(only)) return value as ReadBehaviour;
    }
    const plain = PLAIN.read(value, path, { ...reading, faults: [] });
    if (plain === undefined) reading.faults.push({ path, received: describeValue(value), allowed: this.allowed });
    return plain;
  },
};

function readDelay(value: Record<string, unknown>, path: string, reading: Reading): ReadBehaviour {
  const { after, ...rest } = value;
  // Zero where it is wrong, which nobody gets to see.
  const milliseconds = SPAN.read(after, `${path}.after`, reading) ?? 0;
  return {
    after: milliseconds,
    ...readObject<{ outcome: ReadBehaviour }>(rest, { outcome: BEHAVIOUR }, path, reading),
  };
}
