import { cpus } from 'node:os';
import process from 'node:process';
import type { Pace } from './options.js';
import type { Row } from './rows.js';
import type { Goal, Scenario } from './scenario.js';
import type { Standing, Summary } from './summary.js';

/**
 * What --json writes: everything that was measured, and on what.
 *
 * ```
 * {
 *   "date": "2026-01-31T12:00:00.000Z",
 *   "node": "v20.19.0",
 *   "cpu": { "model": "…", "cores": 8 },
 *   "pace": { "rounds": 15, "warmUp": 3, "sample": 40, "patience": 60000, "judges": true },   times in milliseconds
 *   "rows": [
 *     {
 *       "scenario": "one caller", "als": false, "unit": "ns", "per": "lease",
 *       "reference": "floor", "goal": { "times": 1.2 }, "goalMet": true, "ahead": [],
 *       "contestants": {
 *         "floor": {
 *           "costs": [101.2, …],                                             one a round, in the unit
 *           "cost": { "median": 101, "quartiles": [100, 103] },
 *           "ratio": { "median": 1, "quartiles": [1, 1] },                   to the reference in the same round
 *           "more": { "median": 0, "quartiles": [0, 0] },                    less the reference in the same round
 *           "also": { "p99": { "median": 1, "quartiles": [1, 1] } }          whatever else the scenario saw
 *         },
 *         "tarn": { "void": "callers were overtaken (3 of 5000)" }
 *       }
 *     }
 *   ]
 * }
 * ```
 *
 * `goal`, `goalMet` and `ahead` are left out where there is none, or nothing that could be compared, or if the run was too short
 * to judge; a ratio to a reference
 * that costs nothing is null.
 */
export interface BenchmarkRecord {
  readonly date: string;
  readonly node: string;
  readonly cpu: { readonly model: string; readonly cores: number };
  readonly pace: Pace;
  readonly rows: readonly RowRecord[];
}

export interface RowRecord {
  readonly scenario: string;
  /** Whether an AsyncLocalStorage was active. */
  readonly als: boolean;
  readonly unit: Scenario['unit'];
  readonly per: string;
  readonly reference: string;
  readonly goal?: Goal;
  /** Whether ours reaches the goal. */
  readonly goalMet?: boolean;
  /** The peers that are not slower than ours. */
  readonly ahead?: readonly string[];
  readonly contestants: Readonly<Record<string, Standing>>;
}

export function recordOf(pace: Pace, rows: readonly RowRecord[]): BenchmarkRecord {
  const cores = cpus();
  return {
    date: new Date().toISOString(),
    node: process.version,
    cpu: { model: cores[0]?.model ?? 'unknown', cores: cores.length },
    pace,
    rows,
  };
}

export function rowRecordOf({ scenario, als }: Row, { standings, goalMet, ahead }: Summary): RowRecord {
  const { name, unit, per, reference, goal } = scenario;
  return { scenario: name, als, unit, per, reference, goal, goalMet, ahead, contestants: standings };
}

/** As text, with numbers as fine as anybody can use. */
export function printRecord(record: BenchmarkRecord): string {
  const rounded = (_key: string, value: unknown): unknown =>
    typeof value === 'number' ? Number(value.toPrecision(6)) : value;
  return `${JSON.stringify(record, rounded, 2)}\n`;
}
