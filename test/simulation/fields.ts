import * as fc from 'fast-check';
import { inspect } from 'node:util';

/**
 * One value of a script: what it may be, how one is drawn, and what is wrong with one that somebody wrote. All three in
 * one place, so that a new step or setting needs one line.
 */
export interface Field<T> {
  readonly arbitrary: fc.Arbitrary<T>;
  /** What is wrong with it: a line for each fault, none if it is well. */
  faults(value: unknown, path: string): string[];
}

export type ValueOf<F> = F extends Field<infer T> ? T : never;

export function oneOf<const T extends string | number | boolean>(...values: T[]): Field<T> {
  return {
    arbitrary: fc.constantFrom(...values),
    faults: (value, path) => {
      const known = values.includes(value as T);
      return known ? [] : [fault(path, value, `one of ${values.map((each) => JSON.stringify(each)).join(', ')}`)];
    },
  };
}

/** @param drawn the values that are drawn; others within the bounds may be written by hand */
export function whole(min: number, max: number, drawn?: readonly number[]): Field<number> {
  return {
    arbitrary: drawn === undefined ? fc.integer({ min, max }) : fc.constantFrom(...drawn),
    faults: (value, path) => {
      const well = Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max;
      return well ? [] : [fault(path, value, `a whole number from ${min} to ${max}`)];
    },
  };
}

/** @param weight how often in ten times it is there when it is drawn */
export function optional<T>(field: Field<T>, weight = 5): Field<T | undefined> {
  return {
    // What is not there comes first: it is what a shrinking script tries.
    arbitrary: fc.oneof(
      { withCrossShrink: true },
      { weight: 10 - weight, arbitrary: fc.constant(undefined) },
      { weight, arbitrary: field.arbitrary },
    ),
    faults: (value, path) => (value === undefined ? [] : field.faults(value, path)),
  };
}

export function either<A, B>(one: Field<A>, other: Field<B>): Field<A | B> {
  return {
    arbitrary: fc.oneof(one.arbitrary, other.arbitrary),
    faults: (value, path) => {
      const faults = one.faults(value, path);
      return faults.length === 0 || other.faults(value, path).length === 0 ? [] : faults;
    },
  };
}

export type Fields = Readonly<Record<string, Field<unknown>>>;
export type Values<F extends Fields> = { readonly [K in keyof F]: ValueOf<F[K]> };

/** An object with these fields and no others. */
export function object<F extends Fields>(fields: F): Field<Values<F>> {
  const arbitraries = Object.fromEntries(Object.entries(fields).map(([key, { arbitrary }]) => [key, arbitrary]));
  return {
    arbitrary: fc.record(arbitraries) as unknown as fc.Arbitrary<Values<F>>,
    faults: (value, path) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        return [fault(path, value, `an object with ${Object.keys(fields).join(', ')}`)];
      }
      const unknown = Object.keys(value).filter((key) => !(key in fields));
      return [
        ...unknown.map((key) =>
          fault(
            join(path, key),
            value[key as never],
            `not there; what may be there is ${Object.keys(fields).join(', ')}`,
          ),
        ),
        ...Object.entries(fields).flatMap(([key, field]) => field.faults(value[key as never], join(path, key))),
      ];
    },
  };
}

export function fault(path: string, received: unknown, allowed: string): string {
  return `${path}: received ${inspect(received, { depth: 1, breakLength: Infinity })}; allowed is ${allowed}`;
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
