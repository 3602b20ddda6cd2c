import { parseArgs } from 'node:util';
import { fault } from './fields.js';

/** What the simulation was asked to do. */
export interface Options {
  /** The first seed, and how many; infinitely many if there is a time. */
  readonly from: number;
  readonly seeds: number;
  /** For how long, in milliseconds. */
  readonly duration: number;
  readonly workers: number;
  /** Whether a programme that breaks a promise is made shorter before it is shown. */
  readonly shrinks: boolean;
  /** A script to replay, instead of seeds. */
  readonly replay: string | undefined;
}

export const USAGE = `npm run simulate -- [options]
  --seeds N      run the programmes of N seeds (default: 1000)
  --minutes M    run for M minutes, however many seeds that takes
  --from N       the first seed (default: 1)
  --workers N    on so many cores (default: all)
  --as-found     show a programme that breaks a promise as it was found, and do not look for a shorter one
  --replay FILE  run a script that an earlier run has printed, or that you wrote
`;

const MOST = 2 ** 31 - 1;

/** @throws Error with a line for each option that is wrong or unknown */
export function readOptions(args: readonly string[], cores: number): Options {
  const { values, faults } = parse(args);
  const number = (
    name: 'seeds' | 'from' | 'workers' | 'minutes',
    least: number,
    most: number,
    isWhole: boolean,
  ): number | undefined => {
    const text = values[name];
    if (text === undefined) return undefined;
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (value >= least && value <= most && (!isWhole || Number.isSafeInteger(value))) return value;
    faults.push(fault(`--${name}`, text, `a ${isWhole ? 'whole ' : ''}number from ${least} to ${most}`));
    return undefined;
  };
  const minutes = number('minutes', 0.01, 10_000, false);
  const seeds = number('seeds', 1, MOST, true);
  const options = {
    from: number('from', 0, MOST, true) ?? 1,
    seeds: seeds ?? (minutes === undefined ? 1_000 : Infinity),
    duration: minutes === undefined ? Infinity : minutes * 60_000,
    workers: number('workers', 1, 64, true) ?? cores,
    shrinks: values['as-found'] !== true,
    replay: values.replay,
  };
  const besides = Object.keys(values).filter((name) => name !== 'replay');
  if (options.replay !== undefined && besides.length > 0) {
    faults.push(fault('--replay', `besides --${besides.join(', --')}`, 'no other option: a script says it all'));
  }
  if (faults.length > 0) throw new Error(`${faults.join('\n')}\n\n${USAGE}`);
  return options;
}

function parse(args: readonly string[]) {
  const options = {
    seeds: { type: 'string' },
    minutes: { type: 'string' },
    from: { type: 'string' },
    workers: { type: 'string' },
    'as-found': { type: 'boolean' },
    replay: { type: 'string' },
  } as const;
  try {
    return { values: parseArgs({ args: [...args], options }).values, faults: [] as string[] };
  } catch (error) {
    // Node's own text names the option that it does not know.
    throw new Error(`${(error as Error).message}\n\n${USAGE}`, { cause: error });
  }
}
