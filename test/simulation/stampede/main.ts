/**
 * Runs the stampede as the pool is by default and without what bounds it, prints the figures of both, and draws
 * docs/stampede.svg of this project: npm run stampede
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { plot } from './plot.js';
import { OUTAGE, peak, RUNS, slowestLogin, stampede, type Stampede } from './stampede.js';

/** Wherever it is started from: this runs in build/tools/test/simulation/stampede. */
const FILE = path.resolve(import.meta.dirname, '../../../../../docs/stampede.svg');

/** What is told of a run, and how it is read off. */
const FIGURES: Array<[what: string, of: (run: Stampede) => number]> = [
  ['connects per second at the most, in the first second', (run) => peak(1_000, run, 0, 1_000)],
  ['... in the rest of the outage', (run) => peak(1_000, run, 1_000, OUTAGE)],
  ['... after the return', (run) => peak(1_000, run, OUTAGE)],
  ['connects per 100 ms at the most, in the first second', (run) => peak(100, run, 0, 1_000)],
  ['... in the rest of the outage', (run) => peak(100, run, 1_000, OUTAGE)],
  ['... after the return', (run) => peak(100, run, OUTAGE)],
  ['connects in all', (run) => run.attempts.length],
  ['slowest login, in ms', slowestLogin],
  ['all open again after the return, in s', (run) => (run.fullAt - OUTAGE) / 1_000],
];

if (process.argv.length > 2) {
  console.error(`received '${process.argv.slice(2).join(' ')}'; it takes no options`);
  process.exit(2);
}

const defaults = await stampede(RUNS.defaults);
const unbounded = await stampede(RUNS.unbounded);
print('', 'by default', 'no jitter, no limit');
for (const [what, of] of FIGURES) print(what, show(of(defaults)), show(of(unbounded)));
writeFileSync(FILE, plot(defaults, unbounded));
console.log('\ndocs/stampede.svg shows both.');

function print(what: string, left: string, right: string): void {
  console.log(`${what.padEnd(54)}${left.padStart(10)}${right.padStart(21)}`);
}

function show(figure: number): string {
  return String(Math.round(figure * 10) / 10);
}
