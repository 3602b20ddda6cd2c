import { inspect } from 'node:util';
import { toMilliseconds } from './duration.js';

/** One thing that is wrong with a setting: where it stands, what was found there, and what may stand there. */
export interface Fault {
  readonly path: string;
  readonly received: string;
  readonly allowed: string;
}

/** The faults found so far, and whether the values come from an environment, which knows only text. */
export interface Reading {
  readonly faults: Fault[];
  readonly fromText: boolean;
}

/**
 * What one setting may be. The only place that knows: the pool, retry(), the decorator and the module's validated
 * classes all read through it.
 */
export interface Rule<T> {
  /** What is allowed, in words. */
  readonly allowed: string;
  /** The value in its normal form; or undefined, and a fault noted, if it is not allowed. */
  read(value: unknown, path: string, reading: Reading): T | undefined;
}

/** A rule for each key of an object of settings. */
export type RulesFor<T> = { readonly [K in keyof T]-?: Rule<unknown> };

/**
 * Reads an object of settings by its rules: unknown keys and wrong values become faults, `undefined` is "not given".
 * The object itself is never changed.
 */
export function readObject<N>(
  value: unknown,
  rules: { readonly [key: string]: Rule<unknown> },
  path: string,
  reading: Reading,
): Partial<N> {
  const result: Record<string, unknown> = {};
  for (const [key, given] of Object.entries(value as object)) {
    const rule = Object.hasOwn(rules, key) ? rules[key] : undefined;
    const at = path === '' ? key : `${path}.${key}`;
    if (rule === undefined) {
      // Its value is not shown: what is unknown may be a secret that stands in the wrong place.
      const known = `nothing of this name; there are: ${Object.keys(rules).join(', ')}`;
      reading.faults.push({ path: at, received: `a value of type ${typeof given}`, allowed: known });
    } else if (isGiven(given, reading)) {
      result[key] = rule.read(given, at, reading);
    }
  }
  return result as Partial<N>;
}

/** Undefined is "not given"; so is a variable of the environment that is there and empty, as many tools leave one out. */
export function isGiven(value: unknown, reading: Reading): boolean {
  return value !== undefined && !(reading.fromText && value === '');
}

/** How a value is shown in a message: short, on one line. */
export function describeValue(value: unknown): string {
  const text = inspect(value, { depth: 1, breakLength: Infinity, maxStringLength: 60, maxArrayLength: 5 });
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

export function rule<T>(
  allowed: string,
  accept: (value: unknown) => T | undefined,
  fromText?: (text: string) => unknown,
): Rule<T> {
  return {
    allowed,
    read(value, path, reading) {
      const given = reading.fromText && typeof value === 'string' && fromText ? fromText(value) : value;
      const accepted = accept(given);
      if (accepted === undefined) reading.faults.push({ path, received: describeValue(value), allowed });
      return accepted;
    },
  };
}

/** Text of an environment that stands for something other than itself; any other text stays as it is. */
const textAsBoolean = (text: string): unknown => (text === 'false' ? false : text === 'true' ? true : text);
const textAsNumber = (text: string): unknown => (text.trim() === '' ? text : Number(text));

export function duration(options: { readonly above?: number } = {}): Rule<number> {
  const { above = -1 } = options;
  const bound = above < 0 ? '0 or more' : `more than ${above}`;
  return rule(
    `a duration of ${bound}: milliseconds, or text such as "30s", Infinity, or false for "off"`,
    (value) => {
      const milliseconds = toMilliseconds(value);
      return milliseconds !== undefined && milliseconds > above ? milliseconds : undefined;
    },
    textAsBoolean,
  );
}

/** For a duration that is 0 when it is off. */
export function offAsNone(duration: Rule<number>): Rule<number> {
  return {
    allowed: duration.allowed,
    read(value, path, reading) {
      const isOff = value === false || (reading.fromText && value === 'false');
      return duration.read(isOff ? 0 : value, path, reading);
    },
  };
}

export function wholeNumber(least: number, options: { readonly infinity?: boolean } = {}): Rule<number> {
  const infinity = options.infinity === true;
  return rule(
    `a whole number of ${least} or more${infinity ? ', or Infinity' : ''}`,
    (value) =>
      typeof value === 'number' && value >= least && (Number.isSafeInteger(value) || (infinity && value === Infinity))
        ? value
        : undefined,
    textAsNumber,
  );
}

export function numberFrom(least: number): Rule<number> {
  return rule(
    `a number of ${least} or more`,
    (value) => (typeof value === 'number' && value >= least && value < Infinity ? value : undefined),
    textAsNumber,
  );
}

export function boolean(): Rule<boolean> {
  return rule('true or false', (value) => (typeof value === 'boolean' ? value : undefined), textAsBoolean);
}

export function oneOf<const T extends string>(...choices: readonly T[]): Rule<T> {
  const allowed = `one of ${choices.map((choice) => `'${choice}'`).join(', ')}`;
  return rule(allowed, (value) => choices.find((choice) => choice === value));
}

export function text(): Rule<string> {
  return rule('a text that is not empty', (value) =>
    typeof value === 'string' && value.trim() !== '' ? value : undefined,
  );
}

export function func(what: string): Rule<(...args: never[]) => unknown> {
  return rule(what, (value) => (typeof value === 'function' ? (value as (...args: never[]) => unknown) : undefined));
}

/** An object that has all the named methods. */
export function objectWith<T extends object>(what: string, ...methods: readonly (keyof T & string)[]): Rule<T> {
  const allowed = `${what}: an object with ${methods.map((method) => `${method}()`).join(', ')}`;
  return rule(allowed, (value) => (hasMethods(value, methods) ? (value as T) : undefined));
}

function hasMethods(value: unknown, methods: readonly string[]): boolean {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  return methods.every((method) => typeof (value as Record<string, unknown>)[method] === 'function');
}

/** An object of settings of its own, such as `reconnect`; each of its faults carries its own path. */
export function group<T extends object>(rules: RulesFor<T>): Rule<Partial<T>> {
  const allowed = `an object of: ${Object.keys(rules).join(', ')}`;
  return {
    allowed,
    read(value, path, reading) {
      const given = reading.fromText && typeof value === 'string' ? parseJson(value) : value;
      if (isPlainObject(given)) return readObject<T>(given, rules, path, reading);
      reading.faults.push({ path, received: describeValue(value), allowed });
      return undefined;
    },
  };
}

/** Structured settings stand in an environment as JSON. */
export function parseJson(json: string): unknown {
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return json;
  }
}

export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What tells errors apart: a class, an error code, or a predicate. */
export type ErrorMatcher =
  // A class may have any constructor, which only `any` says.
  // oxlint-disable-next-line typescript/no-explicit-any
  (abstract new (...args: any[]) => unknown) | string | ((error: any) => boolean);

/** A list of error matchers; in an environment, codes with commas between, or a list of them as JSON. */
export function errorMatchers(): Rule<readonly ErrorMatcher[]> {
  return rule(
    'a list of error classes, error codes and predicates',
    (value) => (Array.isArray(value) && value.every(isErrorMatcher) ? value : undefined),
    (codes) => (codes.startsWith('[') ? parseJson(codes) : codes.split(',').map((code) => code.trim())),
  );
}

function isErrorMatcher(value: unknown): value is ErrorMatcher {
  return typeof value === 'function' || (typeof value === 'string' && value !== '');
}
