import { describe, expect, test } from '@jest/globals';
import { formatDuration, toMilliseconds } from '../../src/pool/duration.js';

describe('Duration', () => {
  test.each<[unknown, number]>([
    [0, 0],
    [1.5, 1.5],
    [30_000, 30_000],
    [Infinity, Infinity],
    ['Infinity', Infinity],
    [false, Infinity],
    ['0', 0],
    ['1500', 1_500],
    ['250ms', 250],
    ['30s', 30_000],
    ['1.5s', 1_500],
    ['.5s', 500],
    ['10 min', 600_000],
    ['2h', 7_200_000],
    ['1 day', 86_400_000],
    ['1w', 604_800_000],
  ])('%p is %p ms', (given, milliseconds) => {
    expect(toMilliseconds(given)).toBe(milliseconds);
  });

  test.each<[unknown]>([
    [-1],
    [-Infinity],
    [NaN],
    ['-5s'],
    [''],
    [' '],
    [' 30s'],
    ['30 parsecs'],
    ['1,5s'],
    ['s'],
    ['false'],
    ['infinity'],
    ['9'.repeat(101)],
    [true],
    [null],
    [undefined],
    [{}],
    [[30]],
    [30n],
    [new Date(0)],
  ])('%p is no duration', (given) => {
    expect(toMilliseconds(given)).toBeUndefined();
  });
});

describe('formatDuration', () => {
  test.each<[number, string]>([
    [0, '0 ms'],
    [0.4, '0 ms'],
    [999, '999 ms'],
    [1_000, '1 s'],
    [1_500, '1.5 s'],
    [1_549, '1.5 s'],
    [30_000, '30 s'],
    [119_999, '120 s'],
    [120_000, '2 min'],
    [150_000, '2.5 min'],
    [3_600_000, '60 min'],
    [Infinity, 'for ever'],
  ])('%p is written as %p', (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });
});
