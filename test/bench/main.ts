import { accessSync, constants, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import logUpdate from 'log-update';
import { drawRatios, telling } from './chart.js';
import { EVERY_SCENARIO } from './every-scenario.js';
import { readOptions, type Options } from './options.js';
import { possible } from './possible.js';
import { printRecord } from './record.js';
import type { Row } from './rows.js';
import { run } from './run.js';
import type { Summary } from './summary.js';
import { Table } from './table.js';

/**
 * The program: npm run bench. Ends with 0 whatever the figures are, with 1 if the benchmark itself breaks, with 2 if it was
 * asked for what makes no sense.
 */
async function main(): Promise<number> {
  let options: Options;
  let rows: Row[];
  try {
    options = readOptions(process.argv.slice(2), EVERY_SCENARIO);
    prepare(options);
    rows = await possible(options.rows, console.error);
  } catch (error) {
    console.error((error as Error).message);
    return 2;
  }
  const { pace, json, chart } = options;
  if (!pace.judges) console.log('A short run shows that all can be measured; how fast it is, it cannot show.\n');
  const table = new Table();
  const { record, broken } = await run(
    { rows, pace, worker: new URL('./worker.js', import.meta.url) },
    {
      begin: (row: Row): void => {
        if (process.stdout.isTTY) logUpdate(`${row.name} …`);
      },
      end: (row: Row, summary: Summary): void => {
        if (process.stdout.isTTY) logUpdate.clear();
        for (const line of table.lines(row, summary)) console.log(line);
      },
    },
  );
  if (json !== undefined) writeFileSync(json, printRecord(record));
  if (chart !== undefined) writeFileSync(chart, drawRatios(record));
  for (const line of broken) console.error(`The benchmark is broken: ${line}`);
  return broken.length > 0 ? 1 : 0;
}

/** What cannot be written is told before it takes minutes to have it. */
function prepare({ rows, json, chart }: Options): void {
  for (const file of [json, chart]) {
    if (file === undefined) continue;
    const folder = path.dirname(file);
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  }
  if (chart === undefined || rows.some(({ scenario, als }) => telling(scenario.name, als))) return;
  throw new Error('--chart: none of the rows that it shows is among those that are to be measured');
}

const code = await main();
// A service that hangs may keep the process up for ever.
process.stdout.write('', () => process.exit(code));
