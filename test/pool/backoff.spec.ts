import { describe, expect, test } from '@jest/globals';
import { BackoffStep, type BackoffOptions, type Jitter } from '../../src/pool/backoff.js';

const OPTIONS: BackoffOptions = { delay: 100, multiplier: 2, maxDelay: 1_000, jitter: 'none' };

function pauses(options: Partial<BackoffOptions>, random: () => number, count = 6): number[] {
  const result: number[] = [];
  let step = BackoffStep.first({ ...OPTIONS, ...options }, random);
  for (let i = 0; i < count; i++, step = step.next()) result.push(step.pause);
  return result;
}

describe('a delay without end', () => {
  test.each(['none', 'full', 'equal', 'decorrelated'] as const)('stays one with jitter %s', (jitter) => {
    const options = { delay: Infinity, multiplier: 2, maxDelay: Infinity, jitter };
    expect(BackoffStep.first(options, () => 0).next().pause).toBe(Infinity);
  });

  test('is cut by maxDelay', () => {
    const options = { delay: Infinity, multiplier: 2, maxDelay: 30_000, jitter: 'decorrelated' } as const;
    expect(BackoffStep.first(options, () => 0.5).pause).toBe(30_000);
  });
});

describe('backoff', () => {
  test('without jitter the pauses are multiplied, up to the longest', () => {
    expect(pauses({}, () => 0.5)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  });

  test('a multiplier of 1 keeps them as they are', () => {
    expect(pauses({ multiplier: 1 }, () => 0.5, 3)).toEqual([100, 100, 100]);
  });

  test('a first pause above the longest is cut', () => {
    expect(pauses({ delay: 5_000 }, () => 0.5, 2)).toEqual([1_000, 1_000]);
  });

  test('no pause stays no pause', () => {
    expect(pauses({ delay: 0 }, () => 0.9, 3)).toEqual([0, 0, 0]);
  });

  test.each<[Jitter, number, number[]]>([
    ['full', 0, [0, 0, 0]],
    ['full', 0.5, [50, 100, 200]],
    ['equal', 0, [50, 100, 200]],
    ['equal', 0.5, [75, 150, 300]],
    ['decorrelated', 0, [100, 100, 100]],
    ['decorrelated', 0.5, [200, 350, 575]],
  ])('%s jitter, drawing %p, pauses for %p', (jitter, draw, expected) => {
    expect(pauses({ jitter }, () => draw, 3)).toEqual(expected);
  });

  test.each<[Jitter]>([['full'], ['equal'], ['decorrelated']])(
    '%s jitter never exceeds the longest pause',
    (jitter) => {
      expect(Math.max(...pauses({ jitter }, () => 0.999_999, 20))).toBeLessThanOrEqual(1_000);
    },
  );

  test('decorrelated jitter is never below the first pause, even after a pause of none', () => {
    expect(pauses({ jitter: 'decorrelated', delay: 0 }, () => 0.5, 3)).toEqual([0, 0, 0]);
  });

  test('a step can be taken again: as long, spread anew', () => {
    const draws = [0.1, 0.9, 0.2, 0.7];
    const first = BackoffStep.first({ ...OPTIONS, jitter: 'full' }, () => draws.shift()!);
    const second = first.next();
    expect([first.pause, second.pause, second.again().pause, first.again().pause]).toEqual([10, 180, 40, 70]);
  });

  test('steps are immutable: asking for the next changes nothing', () => {
    const first = BackoffStep.first(OPTIONS, () => 0.5);
    expect([first.next().pause, first.next().pause, first.pause]).toEqual([200, 200, 100]);
  });
});
