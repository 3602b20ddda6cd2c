/**
 * Runs the stampede as the pool is by default and without what bounds it, prints the figures of both, and draws
 * docs/stampede.svg, in the folder from which it is started: node test/start.js simulation/stampede/main
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { plot } from './plot.js';
import { OUTAGE, peak, RUNS, slowestLogin, stampede, type Stampede } from './stampede.js';

const FILE = 'docs/stampede.svg';

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

const defaults = await stampede(RUNS.defaults);
const unbounded = await stampede(RUNS.unbounded);
print('', 'by default', 'no jitter, no limit');
for (const [what, of] of FIGURES) print(what, show(of(defaults)), show(of(unbounded)));
mkdirSync('docs', { recursive: true });
writeFileSync(FILE, plot(defaults, unbounded));
console.log(`\n${FILE} shows both.`);

function print(what: string, left: string, right: string): void {
  console.log(`${what.padEnd(54)}${left.padStart(10)}${right.padStart(21)}`);
}

function show(figure: number): string {
  return String(Math.round(figure * 10) / 10);
}
