import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import logUpdate from 'log-update';
import { readOptions, type Options } from './options.js';
import { run } from './run.js';
import { printScript, readScript } from './script.js';
import { runSeeds, type Finding, type Progress } from './workers.js';

/** The program: npm run simulate. Ends with 1 if a promise was broken, with 2 if it was asked for what makes no sense. */
const FOLDER = path.join('build', 'simulation');

/** How often the state of things is told, in milliseconds: redrawn in a terminal, a line elsewhere. */
const TOLD_EVERY = process.stdout.isTTY ? 200 : 10_000;

async function main(): Promise<number> {
  let options: Options;
  let script: ReturnType<typeof readScript> | undefined;
  try {
    options = readOptions(process.argv.slice(2), availableParallelism());
    if (options.replay !== undefined) script = readScript(textOf(options.replay));
  } catch (error) {
    console.error((error as Error).message);
    return 2;
  }
  return script === undefined ? simulate(options) : replay(script);
}

/** @throws Error that names the file */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`--replay: '${file}' cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

async function replay(script: ReturnType<typeof readScript>): Promise<number> {
  const { faults, looks } = await run(script);
  for (const fault of faults) console.log(fault);
  console.log(`${script.steps.length} steps, looked at ${looks} times: ${faults.length} faults`);
  return faults.length > 0 ? 1 : 0;
}

async function simulate(options: Options): Promise<number> {
  const begun = Date.now();
  let told = begun;
  let last: Progress = { seeds: 0, steps: 0, looks: 0 };
  const finding = await runSeeds(options, (progress) => {
    last = progress;
    if (Date.now() - told < TOLD_EVERY) return;
    told = Date.now();
    const line = describe(progress, options, begun);
    if (process.stdout.isTTY) logUpdate(line);
    else console.log(line);
  });
  if (process.stdout.isTTY) logUpdate.done();
  if (finding !== undefined) show(finding);
  console.log(
    `${last.seeds} programmes from seed ${options.from}, ${last.steps} steps, looked at ${last.looks} times: ` +
      (finding === undefined ? 'no promise was broken' : 'a promise was broken'),
  );
  return finding === undefined ? 0 : 1;
}

function show(finding: NonNullable<Finding>): void {
  if ('hangs' in finding) {
    console.log(
      `The programme of seed ${finding.seed} does not end: npm run simulate -- --from ${finding.seed} --seeds 1`,
    );
    return;
  }
  const file = path.join(FOLDER, `seed-${finding.seed}.json`);
  const script = printScript(finding.programme);
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(file, script);
  console.log(`Seed ${finding.seed} breaks a promise:\n${finding.faults.map((fault) => `  ${fault}`).join('\n')}\n`);
  console.log(`${script}\nReplay it: npm run simulate -- --replay ${file}`);
}

function describe({ seeds, steps }: Progress, options: Options, begun: number): string {
  const elapsed = Date.now() - begun;
  const part = Math.max(seeds / options.seeds, elapsed / options.duration);
  const done = Math.round(Math.min(1, part) * 30);
  const bar = '█'.repeat(done) + '░'.repeat(30 - done);
  return `${bar} ${seeds} programmes, ${steps} steps, ${Math.round(steps / (elapsed / 1_000))} steps a second`;
}

process.exitCode = await main();
