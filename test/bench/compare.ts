import process from 'node:process';
import { EVERY_SCENARIO } from './every-scenario.js';
import { measure } from './measure.js';
import { readCompareOptions, type CompareOptions } from './options.js';
import { possible } from './possible.js';
import { revisionOf, type Revision } from './revision.js';
import type { Row } from './rows.js';
import { OURS, summarise } from './summary.js';
import { comparisonHead, comparisonLines } from './table.js';

/**
 * The program: npm run bench:compare -- BASE [HEAD]. Measures ours as it was at one commit and as it is at another, in turns.
 * Ends with 0 whatever the figures are, with 1 if either cannot be measured, with 2 if it was asked for what makes no sense.
 */
async function main(): Promise<number> {
  let options: CompareOptions;
  let rows: Row[];
  let base: Revision;
  let head: Revision;
  try {
    options = readCompareOptions(process.argv.slice(2), EVERY_SCENARIO, OURS);
    rows = await possible(options.rows, console.error);
    base = await revisionOf(options.base);
    head = await revisionOf(options.head);
  } catch (error) {
    console.error((error as Error).message);
    return 2;
  }
  console.log(`${head.name}, as times ${base.name}\n`);
  console.log(comparisonHead());
  let isBroken = false;
  for (const row of rows) {
    const summary = await compareRow(row, base, head, options.pace);
    for (const line of comparisonLines(row, summary, 'base', 'head')) console.log(line);
    isBroken ||= Object.values(summary.standings).some((standing) => 'void' in standing);
  }
  return isBroken ? 1 : 0;
}

async function compareRow(row: Row, base: Revision, head: Revision, pace: CompareOptions['pace']) {
  const entrants = [
    { name: 'base', contestant: OURS, worker: base.worker },
    { name: 'head', contestant: OURS, worker: head.worker },
  ];
  return summarise(await measure(row.scenario, entrants, { ...pace, als: row.als }), 'base');
}

const code = await main();
// A service that hangs may keep the process up for ever.
process.stdout.write('', () => process.exit(code));
