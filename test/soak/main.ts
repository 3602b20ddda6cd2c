import process from 'node:process';
import { parseArgs } from 'node:util';
import logUpdate from 'log-update';
import { FAULT_NAMES, type FaultName } from '../faults/fault-spec.js';
import { FAULTS } from '../faults/faults.js';
import { soak, type SoakOptions, type SoakReport } from './soak.js';

/** What chance may do to a connection: nothing can be said of what a client makes of bytes that were made up. */
const NAMES = FAULT_NAMES.filter((name) => !('corrupts' in FAULTS[name]));

/** The program: npm run soak. Ends with 1 if something was lost or left, with 2 if it was asked for what makes no sense. */
const USAGE = `npm run soak -- [options]
  --minutes M    let faults come for M minutes (default: 1)
  --callers N    so many callers at once (default: 60)
  --size N       connections in the pool (default: 20)
  --seed N       what is random (default: another each time, which is told)
  --faults A,B   only these faults: ${NAMES.join(', ')}
`;

/** How often the state of things is told, in milliseconds: redrawn in a terminal, a line elsewhere. */
const TOLD_EVERY = process.stdout.isTTY ? 200 : 10_000;

/** @throws Error that says what is wrong, and what is allowed */
function readOptions(args: readonly string[]): SoakOptions {
  const string = { type: 'string' } as const;
  const options = { minutes: string, callers: string, size: string, seed: string, faults: string };
  const { values } = parseArgs({ args: [...args], options });
  const number = (name: keyof typeof options, usual: number, least: number, most: number): number => {
    const text = values[name];
    if (text === undefined) return usual;
    const value = text.trim() === '' ? Number.NaN : Number(text);
    const well = value >= least && value <= most && (name === 'minutes' || Number.isSafeInteger(value));
    if (!well) throw new Error(`--${name}: received '${text}'; allowed is a number from ${least} to ${most}`);
    return value;
  };
  const names = values.faults?.split(',');
  const unknown = names?.filter((name) => !NAMES.includes(name as FaultName)) ?? [];
  if (unknown.length > 0) {
    throw new Error(`--faults: received '${unknown.join(', ')}'; allowed is any of ${NAMES.join(', ')}`);
  }
  return {
    duration: number('minutes', 1, 0.01, 10_000) * 60_000,
    callers: number('callers', 60, 1, 10_000),
    size: number('size', 20, 1, 1_000),
    seed: number('seed', Math.floor(Math.random() * 1_000_000), 0, 2 ** 31 - 1),
    faults: (names ?? NAMES) as FaultName[],
  };
}

async function main(): Promise<number> {
  let options: SoakOptions;
  try {
    options = readOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  console.log(`seed ${options.seed}, ${options.callers} callers on ${options.size} connections`);
  let told = Date.now();
  const report = await soak(options, (elapsed, { acts, pool }) => {
    if (Date.now() - told < TOLD_EVERY) return;
    told = Date.now();
    const { totals, open, waiting } = pool.stats();
    const line =
      `${Math.round(elapsed / 1_000)} s: ${acts} acts of the network, ${totals.acquired} leases, ` +
      `${totals.connected} connections opened, ${open} open, ${waiting} waiting`;
    if (process.stdout.isTTY) logUpdate(line);
    else console.log(line);
  });
  if (process.stdout.isTTY) logUpdate.done();
  tell(report);
  return report.faults.length > 0 ? 1 : 0;
}

function tell({ faults, before, after, acts, calls, totals }: SoakReport): void {
  const kilobytes = (bytes: number): string => `${Math.round(bytes / 1_000)} kB`;
  console.log(`${acts} acts of the network; ${JSON.stringify(calls)}; ${JSON.stringify(totals)}`);
  console.log(`heap ${kilobytes(before.heap)} after the warm-up, ${kilobytes(after.heap)} at the end`);
  for (const fault of faults) console.log(`  ${fault}`);
  console.log(faults.length === 0 ? 'nothing was lost and nothing is left' : `${faults.length} faults`);
}

const code = await main();
// What was leaked may keep the process up for ever.
process.stdout.write('', () => process.exit(code));
