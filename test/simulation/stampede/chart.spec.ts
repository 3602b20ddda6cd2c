import { describe, expect, test } from '@jest/globals';
import { drawChart, type Chart, type Panel } from './chart.js';

const X = { label: 'seconds', from: 0, to: 10, ticks: [0, 5, 10] };
const PANEL: Panel = {
  title: 'Speed',
  color: '#123456',
  y: { label: 'calls', from: 0, to: 100, ticks: [0, 50, 100] },
  data: [
    { x: 0, y: 0 },
    { x: 5, y: 50 },
    { x: 10, y: 100 },
  ],
};
const chartOf = (...panels: Panel[]): Chart => ({ title: 'A & B < C', subtitle: ['one', 'two'], x: X, panels });

/** The places of a path that is drawn in this color. */
const placesIn = (svg: string, color: string): number[][] => {
  const path = new RegExp(`<path d="([^"]*)"[^>]*"${color}"`).exec(svg)![1]!;
  return path
    .split(/[ML]/)
    .slice(1)
    .map((place) => place.split(' ').map(Number));
};

describe('drawChart', () => {
  test('joins points by a line, the lowest at the bottom left, the highest at the top right, the middle between them', () => {
    const places = placesIn(drawChart(chartOf(PANEL)), PANEL.color);
    const [[left, bottom], [middle, half], [right, top]] = places as [
      [number, number],
      [number, number],
      [number, number],
    ];
    expect(middle).toBeCloseTo((left + right) / 2, 0);
    expect(half).toBeCloseTo((bottom + top) / 2, 0);
    expect([right - left, bottom - top]).toEqual([780, 170]);
  });

  test('on a logarithmic axis ten times as much is always as much higher', () => {
    const y = { ...PANEL.y, from: 1, to: 1_000, ticks: [1, 10, 100, 1_000], scale: 'log' as const };
    const data = [1, 10, 100, 1_000].map((value, x) => ({ x, y: value }));
    const heights = placesIn(drawChart(chartOf({ ...PANEL, y, data })), PANEL.color).map(([, height]) => height!);
    const steps = heights.slice(1).map((height, index) => heights[index]! - height);
    for (const step of steps) expect(step).toBeCloseTo(170 / 3, 0);
  });

  test('draws a bar for each value that reaches above the bottom', () => {
    const svg = drawChart(chartOf({ ...PANEL, barWidth: 1, data: [...PANEL.data, { x: 7, y: 0 }] }));
    const bars = /<path d="([^"]*Z)"/.exec(svg)![1]!;
    expect(bars.match(/Z/g)).toHaveLength(2);
    // The last is as wide as the axis allows: none.
    expect(bars).toMatch(/^M466 \d+V\d+H544V\d+Z/);
  });

  test('puts panels below one another, over one x axis', () => {
    const [one, two] = [drawChart(chartOf(PANEL)), drawChart(chartOf(PANEL, { ...PANEL, color: '#abcdef' }))];
    const [, [, upper]] = placesIn(two, PANEL.color) as [number[], number[]];
    const [, [, lower]] = placesIn(two, '#abcdef') as [number[], number[]];
    expect(lower! - upper!).toBeGreaterThan(170);
    expect(two.match(/>seconds</g)).toHaveLength(1);
    const heightOf = (svg: string): number => Number(/ height="(\d+)"/.exec(svg)![1]);
    expect(heightOf(two) - heightOf(one)).toBe(lower! - upper!);
  });

  test('writes what is to be read, and nothing that a browser would take for markup', () => {
    const notes = [
      { x: 1, y: 1, text: 'here' },
      { x: 9, y: 1, text: 'there' },
    ];
    const svg = drawChart(chartOf({ ...PANEL, remark: 'well', bands: [{ from: 2, to: 4, label: 'away' }], notes }));
    const written = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, content]) => content);
    expect(written).toEqual(
      expect.arrayContaining([
        'A &amp; B &lt; C',
        'one',
        'two',
        'Speed',
        'well',
        'away',
        'here',
        'there',
        'calls',
        '50',
      ]),
    );
    expect(svg).not.toMatch(/<script|<style|href|NaN|undefined/);
  });
});
