import { toMilliseconds } from '../pool/duration.js';
import { PoolSettingsError } from '../pool/errors.js';
import { describeValue, isPlainObject, readObject, rule, type Reading, type Rule } from '../pool/rules.js';

/** A length of time that a test lets pass: it has an end, which a setting of the pool need not have. */
export const SPAN: Rule<number> = rule(
  'a time of 0 or more that ends: milliseconds, or text such as "30s"',
  (value) => {
    const milliseconds = value === false ? undefined : toMilliseconds(value);
    return milliseconds === Infinity ? undefined : milliseconds;
  },
);

/** An Error of whatever realm: in jest those that Node itself makes are no `instanceof Error`. */
export function isError(value: unknown): value is Error {
  const { name, message } = Object(value) as Partial<Error>;
  return typeof name === 'string' && typeof message === 'string';
}

/** What a connection dies of, if of anything. */
export const ERROR: Rule<Error> = {
  allowed: 'an Error',
  read(value, path, reading) {
    if (value === undefined || isError(value)) return value;
    reading.faults.push({ path, received: describeValue(value), allowed: this.allowed });
    return undefined;
  },
};

/** A list of what the rule allows. */
export function listOf<T>(each: Rule<T>, options: { readonly least?: 0 | 1 } = {}): Rule<T[]> {
  const { least = 0 } = options;
  const allowed = `a list${least === 0 ? '' : ' of at least one'}, each of which is ${each.allowed}`;
  return {
    allowed,
    read(value, path, reading) {
      const isLongEnough = Array.isArray(value) && value.length >= least;
      if (isLongEnough) return value.map((item, index) => each.read(item, `${path}[${index}]`, reading) as T);
      reading.faults.push({ path, received: describeValue(value), allowed });
      return undefined;
    },
  };
}

/**
 * Reads what a method was given by its rule.
 * @param subject what was called, as in `VirtualClock.advance()`
 * @throws PoolSettingsError which lists every fault
 */
export function readArgument<T>(rule: Rule<T>, value: unknown, path: string, subject: string): T {
  const reading: Reading = { faults: [], fromText: false };
  const read = rule.read(value, path, reading);
  if (reading.faults.length > 0) throw new PoolSettingsError(subject, reading.faults);
  return read as T;
}

/**
 * Reads an object of options; what is undefined is not given.
 * @throws PoolSettingsError which lists every fault
 */
export function readOptions<N>(
  rules: { readonly [key: string]: Rule<unknown> },
  options: unknown,
  subject: string,
): Partial<N> {
  const reading: Reading = { faults: [], fromText: false };
  const allowed = `an object of: ${Object.keys(rules).join(', ')}`;
  let read: Partial<N> = {};
  if (isPlainObject(options)) read = readObject<N>(options, rules, '', reading);
  else reading.faults.push({ path: 'options', received: describeValue(options), allowed });
  if (reading.faults.length > 0) throw new PoolSettingsError(subject, reading.faults);
  return read;
}
