import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Result } from './entry.js';
import type { Row } from './rows.js';
import type { Scenario } from './scenario.js';
import { summarise } from './summary.js';
import { comparisonHead, comparisonLines, showSpread, Table } from './table.js';

const SCENARIO: Scenario = {
  name: 'one caller',
  unit: 'ns',
  per: 'lease',
  reference: 'floor',
  contestants: {},
  goal: { times: 1.2 },
};

let table: Table;
beforeEach(() => {
  table = new Table();
});

function linesOf(results: Record<string, Result>, scenario: Partial<Scenario> = {}): string[] {
  const whole = { ...SCENARIO, ...scenario };
  const row: Row = { name: whole.name, scenario: whole, als: false, contestants: Object.keys(results) };
  const summary = summarise(new Map(Object.entries(results)), whole.reference, whole.goal);
  return table.lines(row, summary);
}

/** A line's columns: what two spaces or more divide. */
const columnsOf = (line: string): string[] => line.split(/ {2,}/);

const FLOOR = { costs: [1_200, 1_200, 1_200] };

describe('The table', () => {
  test('has a line for each scenario: the reference in its unit, the ratios of the others, the goal, and our place', () => {
    const [head, line] = linesOf({
      floor: FLOOR,
      ours: { costs: [1_320, 1_440, 1_200] },
      tarn: { costs: [3_000, 3_000, 3_000] },
    });
    expect(columnsOf(head!)).toEqual(['times the reference', 'floor', 'ours', 'tarn', 'goal']);
    expect(columnsOf(line!)).toEqual([
      'one caller',
      '1,200 ns',
      '1.10 ±0.05',
      '2.50 ±0.00',
      '≤ 1.20 met, ours is the best',
    ]);
  });

  test('says that a goal is missed, and who is ahead', () => {
    const [, line] = linesOf({ floor: FLOOR, ours: { costs: [1_800, 1_800, 1_800] }, tarn: FLOOR, other: FLOOR });
    expect(columnsOf(line!).at(-1)).toBe('≤ 1.20 MISSED, behind tarn and other');
  });

  test('says what a row is void for', () => {
    const lines = linesOf({ floor: FLOOR, ours: FLOOR, tarn: { void: 'callers were overtaken (3 of 9)' } });
    expect(columnsOf(lines[1]!)).toEqual(['one caller', '1,200 ns', '1.00 ±0.00', 'void', '≤ 1.20 met']);
    expect(lines[2]).toBe('  tarn is void: callers were overtaken (3 of 9)');
  });

  test('shows a goal in units, and none where there is none', () => {
    const bytes = linesOf({ floor: FLOOR, ours: FLOOR }, { unit: 'bytes', goal: { units: 2_000 } })[1]!;
    expect(columnsOf(bytes)).toEqual(['one caller', '1,200 bytes', '1.00 ±0.00', '≤ 2,000 bytes met at 1,200']);
    const more = linesOf({ floor: FLOOR, ours: { costs: [1_340, 1_340, 1_340] } }, { goal: { more: 100 } }).at(-1)!;
    expect(columnsOf(more).at(-1)).toBe('≤ 100 ns more MISSED at 140');
    expect(columnsOf(linesOf({ floor: FLOOR, ours: FLOOR }, { goal: undefined }).at(-1)!)).toEqual([
      'one caller',
      '1,200 ns',
      '1.00 ±0.00',
    ]);
  });

  test('has a new head only where others take part', () => {
    expect(linesOf({ floor: FLOOR, ours: FLOOR })).toHaveLength(2);
    expect(linesOf({ floor: FLOOR, ours: FLOOR })).toHaveLength(1);
    expect(linesOf({ floor: FLOOR, tarn: FLOOR })).toHaveLength(2);
  });

  test('has its columns below one another', () => {
    const [head, line] = linesOf({ floor: FLOOR, ours: FLOOR, 'sequelize-pool': FLOOR });
    expect(head!.indexOf('sequelize-pool') + 'sequelize-pool'.length).toBe(line!.lastIndexOf('±0.00') + 5);
  });
});

describe('A ratio', () => {
  test.each([
    [{ median: 1.234, quartiles: [1.2, 1.3] }, '1.23 ±0.05'],
    [{ median: 12.34, quartiles: [12, 13] }, '12.3 ±0.5'],
    [{ median: 123.4, quartiles: [120, 130] }, '123 ±5'],
    [{ median: Number.NaN, quartiles: [1, 1] }, '-'],
  ] as const)('%j is shown as fine as it can be told', (spread, shown) => {
    expect(showSpread(spread)).toBe(shown);
  });
});

describe('The comparison', () => {
  const row: Row = { name: 'one caller', scenario: SCENARIO, als: false, contestants: [] };

  test('has both costs, and the ratio', () => {
    const summary = summarise(
      new Map([
        ['base', { costs: [100, 200, 100] }],
        ['head', { costs: [90, 180, 90] }],
      ]),
      'base',
    );
    expect(columnsOf(comparisonHead())).toEqual(['head as times base', 'base', 'head', 'ratio']);
    expect(comparisonLines(row, summary, 'base', 'head').map(columnsOf)).toEqual([
      ['one caller', '100 ns', '90.0 ns', '0.90 ±0.00'],
    ]);
  });

  test('says why one of them is void', () => {
    const summary = summarise(
      new Map<string, Result>([
        ['base', { costs: [100] }],
        ['head', { void: 'it hangs' }],
      ]),
      'base',
    );
    const lines = comparisonLines(row, summary, 'base', 'head');
    expect(columnsOf(lines[0]!)).toEqual(['one caller', '100 ns', 'void', 'void']);
    expect(lines[1]).toBe('  head is void: it hangs');
  });
});
