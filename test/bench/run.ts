import { measure } from './measure.js';
import type { Pace } from './options.js';
import { recordOf, rowRecordOf, type BenchmarkRecord, type RowRecord } from './record.js';
import type { Row } from './rows.js';
import { summarise, type Summary } from './summary.js';

export interface Outcome {
  readonly record: BenchmarkRecord;
  /** What broke the benchmark itself: a line for each row. */
  readonly broken: readonly string[];
}

export interface RunOptions {
  readonly rows: readonly Row[];
  readonly pace: Pace;
  readonly worker: URL;
}

/** Measures row after row, and tells of each before it begins and once it is measured. */
export async function run(
  { rows, pace, worker }: RunOptions,
  tell: { begin(row: Row): void; end(row: Row, summary: Summary): void },
): Promise<Outcome> {
  const records: RowRecord[] = [];
  const broken: string[] = [];
  for (const row of rows) {
    tell.begin(row);
    const summary = await measureRow(row, pace, worker);
    tell.end(row, summary);
    records.push(rowRecordOf(row, summary));
    if (summary.broken !== undefined) broken.push(`${row.name}: ${summary.broken}`);
  }
  return { record: recordOf(pace, records), broken };
}

async function measureRow(row: Row, pace: Pace, worker: URL): Promise<Summary> {
  const entrants = row.contestants.map((name) => ({ name, contestant: name, worker }));
  const results = await measure(row.scenario, entrants, { ...pace, als: row.als });
  const summary = summarise(results, row.scenario.reference, row.scenario.goal);
  return pace.judges ? summary : { ...summary, goalMet: undefined, reached: undefined, ahead: undefined };
}
