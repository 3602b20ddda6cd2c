import { describe, expect, test } from '@jest/globals';
import type { Result } from './entry.js';
import { spreadOf, summarise, type Summary } from './summary.js';

const summaryOf = (results: Record<string, Result>, ...goal: [Parameters<typeof summarise>[2]?]): Summary =>
  summarise(new Map(Object.entries(results)), 'floor', ...goal);

const FLOOR = { costs: [10, 20, 10] };

describe('A spread', () => {
  test('is the median and the quartiles, in whatever order the values come', () => {
    expect(spreadOf([5, 1, 4, 2, 3])).toEqual({ median: 3, quartiles: [2, 4] });
  });

  test('lies between two values where there is none in the middle', () => {
    expect(spreadOf([1, 2, 3, 4])).toEqual({ median: 2.5, quartiles: [1.75, 3.25] });
  });

  test('of one value is that value', () => {
    expect(spreadOf([7])).toEqual({ median: 7, quartiles: [7, 7] });
  });
});

describe('The summary', () => {
  test('compares what was measured in the same round: a round in which all are slow changes no ratio', () => {
    const { standings } = summaryOf({ floor: FLOOR, ours: { costs: [12, 24, 12] } });
    expect(standings['ours']).toMatchObject({
      cost: { median: 12 },
      ratio: { median: 1.2, quartiles: [1.2, 1.2] },
    });
    expect(standings['floor']).toMatchObject({ ratio: { median: 1 } });
  });

  test.each([
    [{ times: 1.2 }, true],
    [{ times: 1.1 }, false],
    [{ units: 12 }, true],
    [{ units: 11 }, false],
    [{ more: 2 }, true],
    [{ more: 1.9 }, false],
  ])('says whether ours, 1.2 times the floor, 12 units and 2 more than it, reaches the goal %j', (goal, met) => {
    expect(summaryOf({ floor: FLOOR, ours: { costs: [12, 24, 12] } }, goal).goalMet).toBe(met);
  });

  test('takes the difference round by round, as it does the ratio', () => {
    const summary = summaryOf({ floor: { costs: [10, 100, 11] }, ours: { costs: [12, 101, 14] } }, { more: 5 });
    expect(summary).toMatchObject({ goalMet: true, reached: 2 });
    expect(summary.standings['ours']).toMatchObject({ more: { median: 2, quartiles: [1.5, 2.5] } });
  });

  test('names the peers that ours does not beat; one that is as good is not beaten, one that is void is', () => {
    const results = {
      floor: FLOOR,
      ours: { costs: [12, 24, 12] },
      slower: { costs: [13, 25, 13] },
      equal: { costs: [12, 24, 12] },
      faster: { costs: [11, 22, 11] },
      cheat: { void: 'lends twice' },
    };
    expect(summaryOf(results).ahead).toEqual(['equal', 'faster']);
  });

  test('says nothing of peers where there are none, nor of a goal where ours is not measured', () => {
    expect(summaryOf({ floor: FLOOR, ours: FLOOR }).ahead).toBeUndefined();
    expect(summaryOf({ floor: FLOOR, ours: FLOOR }).goalMet).toBeUndefined();
    expect(summaryOf({ floor: FLOOR, tarn: FLOOR }, { times: 1 })).toMatchObject({
      goalMet: undefined,
      ahead: undefined,
      broken: undefined,
    });
  });

  test.each([
    ['the reference', { floor: { void: 'dead' }, ours: FLOOR }, 'floor is void: dead'],
    ['ours', { floor: FLOOR, ours: { void: 'cheats' } }, 'ours is void: cheats'],
    ['a peer', { floor: FLOOR, ours: FLOOR, tarn: { void: 'cheats' } }, undefined],
  ])('calls the benchmark broken or not when %s is void', (_, results: Record<string, Result>, broken) => {
    expect(summaryOf(results).broken).toBe(broken);
  });

  test('has spreads of whatever else was seen', () => {
    const { standings } = summaryOf({ floor: { ...FLOOR, also: { p99: [1, 2, 3] } } });
    expect(standings['floor']).toMatchObject({ also: { p99: { median: 2, quartiles: [1.5, 2.5] } } });
  });
});
