import { describe, expect, test } from '@jest/globals';
import { WaitTimes } from '../../src/dashboard/wait-times.js';

function timesOf(...waits: number[]): WaitTimes {
  const times = new WaitTimes();
  for (const wait of waits) times.add(wait);
  return times;
}

describe('wait times', () => {
  test('have no percentile while nobody has waited', () => {
    expect(timesOf().percentile(0.5)).toBeNull();
    const cleared = timesOf(1, 2, 3);
    cleared.clear();
    expect(cleared.percentile(0.99)).toBeNull();
  });

  test.each([0.02, 0.7, 1, 3, 42, 999, 30_000, 3_600_000])('are right to within 5 %% at %s ms', (wait) => {
    expect(Math.abs(timesOf(wait).percentile(0.5)! / wait - 1)).toBeLessThan(0.05);
  });

  test('are 0 for those who got a connection at once', () => {
    expect(timesOf(0, 0.005, 0.01, 500).percentile(0.75)).toBe(0);
  });

  test('know who waited longest', () => {
    const waits = Array.from({ length: 1_000 }, (_, index) => index + 1);
    const times = timesOf(...waits);
    expect(times.percentile(0.5)! / 500).toBeCloseTo(1, 1);
    expect(times.percentile(0.99)! / 990).toBeCloseTo(1, 1);
    expect(times.percentile(1)! / 1_000).toBeCloseTo(1, 1);
  });

  test('take what is longer than a day as a day', () => {
    expect(timesOf(1e12).percentile(0.5)! / 86_400_000).toBeGreaterThan(1);
  });
});
