import { describe, expect, test } from '@jest/globals';
import {
  boolean,
  describeValue,
  func,
  isPlainObject,
  objectWith,
  parseJson,
  readObject,
  rule,
  text,
  wholeNumber,
} from '../../src/pool/rules.js';
import type { Fault, Rule } from '../../src/pool/rules.js';

function read<T>(by: Rule<T>, value: unknown, fromText = false): { value: T | undefined; faults: Fault[] } {
  const faults: Fault[] = [];
  return { value: by.read(value, 'at', { faults, fromText }), faults };
}

describe('rules', () => {
  test('boolean: true and false, and from an environment their names', () => {
    expect(read(boolean(), true).value).toBe(true);
    expect(read(boolean(), false)).toEqual({ value: false, faults: [] });
    expect(read(boolean(), 'true').faults).toEqual([{ path: 'at', received: "'true'", allowed: 'true or false' }]);
    expect([read(boolean(), 'true', true).value, read(boolean(), 'false', true).value]).toEqual([true, false]);
    expect(read(boolean(), '1', true).faults).toHaveLength(1);
  });

  test('func: functions alone', () => {
    const given = (): void => {};
    expect(read(func('a callback'), given).value).toBe(given);
    expect(read(func('a callback'), 'no').faults).toEqual([{ path: 'at', received: "'no'", allowed: 'a callback' }]);
  });

  test('wholeNumber: Infinity only where it is allowed', () => {
    expect(read(wholeNumber(1), 5)).toEqual({ value: 5, faults: [] });
    expect(read(wholeNumber(1), Infinity).faults).toEqual([
      { path: 'at', received: 'Infinity', allowed: 'a whole number of 1 or more' },
    ]);
    expect(read(wholeNumber(1, { infinity: true }), Infinity).value).toBe(Infinity);
  });

  test('objectWith: methods may be inherited, and a function may have them', () => {
    const by = objectWith<{ go(): void }>('a goer', 'go');
    class Goer {
      go(): void {}
    }
    const goer = new Goer();
    const callable = Object.assign(() => {}, { go: () => {} });
    expect([read(by, goer).value, read(by, callable).value]).toEqual([goer, callable]);
    expect(read(by, {}).faults).toEqual([{ path: 'at', received: '{}', allowed: 'a goer: an object with go()' }]);
  });

  test('rule: text that stands for something is read only from an environment', () => {
    const by = rule('a seven', (value) => (value === 7 ? 7 : undefined), Number);
    expect([read(by, '7', true).value, read(by, 7, true).value, read(by, 7).value]).toEqual([7, 7, 7]);
    expect(read(by, '7').faults).toEqual([{ path: 'at', received: "'7'", allowed: 'a seven' }]);
  });

  test('readObject: paths lead through groups', () => {
    const faults: Fault[] = [];
    const result = readObject<{ a: string }>({ a: 'x', b: undefined, c: 1 }, { a: text(), b: text() }, 'pools.mail', {
      faults,
      fromText: false,
    });
    expect(result).toEqual({ a: 'x' });
    expect(faults).toEqual([
      { path: 'pools.mail.c', received: 'a value of type number', allowed: 'nothing of this name; there are: a, b' },
    ]);
  });

  test('describeValue: on one line, however deep', () => {
    expect(describeValue({ a: { b: { c: 1 } }, d: [1, 2, 3, 4, 5, 6, 7] })).toBe(
      '{ a: { b: [Object] }, d: [ 1, 2, 3, 4, 5, ... 2 more items ] }',
    );
    expect(describeValue('x'.repeat(61))).toBe(`'${'x'.repeat(60)}'... 1 more character`);
  });

  test('parseJson: what is no JSON stays the text that it is', () => {
    expect([parseJson('{"a":1}'), parseJson('5'), parseJson('soon')]).toEqual([{ a: 1 }, 5, 'soon']);
  });

  test.each<[unknown, boolean]>([
    [{}, true],
    [Object.create(null), true],
    [new (class Settings {})(), true],
    [[], false],
    [null, false],
    [() => {}, false],
    ['{}', false],
  ])('isPlainObject: %p is %p', (value, expected) => {
    expect(isPlainObject(value)).toBe(expected);
  });
});
