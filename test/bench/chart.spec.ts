import { describe, expect, test } from '@jest/globals';
import { drawRatios, telling } from './chart.js';
import { recordOf, type RowRecord } from './record.js';
import { EVERY_SCENARIO } from './every-scenario.js';
import type { Standing } from './summary.js';

const PACE = { rounds: 1, warmUp: 0, sample: 1, patience: 1, judges: true };

const standing = (ratio: number, spread = 0): Standing => ({
  costs: [],
  cost: { median: 1_234, quartiles: [1_234, 1_234] },
  ratio: { median: ratio, quartiles: [ratio - spread, ratio + spread] },
  more: { median: 0, quartiles: [0, 0] },
  also: {},
});

function chartOf(contestants: Record<string, Standing>, more: Partial<RowRecord> = {}): string {
  const row: RowRecord = {
    scenario: 'one caller',
    als: false,
    unit: 'ns',
    per: 'lease',
    reference: 'floor',
    contestants: { floor: standing(1), ...contestants },
    ...more,
  };
  return drawRatios(recordOf(PACE, [row]));
}

interface Bar {
  readonly x: number;
  readonly width: number;
}

const barsIn = (svg: string): Bar[] =>
  [...svg.matchAll(/<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="14"/g)].map(([, x, width]) => ({
    x: Number(x),
    width: Number(width),
  }));
const textsIn = (svg: string): string[] => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text!);

describe('The chart of the benchmark', () => {
  test('begins all bars at the floor, and a ratio that is the square of another has a bar of twice the length', () => {
    const [one, two] = barsIn(chartOf({ ours: standing(3), tarn: standing(9) })) as [Bar, Bar];
    expect(one.x).toBe(two.x);
    expect(two.width).toBeCloseTo(2 * one.width, 0);
  });

  test('draws what costs less than the floor to the left of it', () => {
    const [less, more] = barsIn(chartOf({ ours: standing(0.8), tarn: standing(2) })) as [Bar, Bar];
    expect(less.x + less.width).toBeCloseTo(more.x, 0);
  });

  test('has a bar and a figure for each, the reference excepted, whose cost stands beside the title', () => {
    const svg = chartOf({ ours: standing(1.2), tarn: standing(12.34), other: { void: 'it <cheats>' } });
    expect(barsIn(svg)).toHaveLength(2);
    const texts = textsIn(svg);
    expect(texts).toEqual(
      expect.arrayContaining([
        'nestjs-connection-pool',
        '1.20',
        'tarn',
        '12.3',
        'other',
        'void: it &lt;cheats>',
        'floor: 1,234 ns per lease',
      ]),
    );
    expect(svg).not.toMatch(/NaN|undefined|<script|href/);
  });

  test('keeps everything on the sheet, whatever the ratios are', () => {
    for (const { x, width } of barsIn(chartOf({ ours: standing(0.01), tarn: standing(1e6), other: standing(40, 5) }))) {
      expect(x).toBeGreaterThan(0);
      expect(x + width).toBeLessThan(880);
    }
  });

  test('leaves out what was not measured and what is not telling', () => {
    expect(barsIn(chartOf({ ours: standing(2) }, { scenario: 'something else' }))).toEqual([]);
    expect(textsIn(chartOf({ ours: standing(2) })).filter((text) => text === 'nestjs-connection-pool')).toHaveLength(1);
  });

  test('is of scenarios that there are', () => {
    const told = EVERY_SCENARIO.flatMap(({ name }) => [false, true].filter((als) => telling(name, als)));
    expect(told).toHaveLength(5);
  });
});
