import { parseArgs, inspect } from 'node:util';
import type { MeasureOptions } from './measure.js';
import { contestantsOf, rowsOf, type Row, type Selection } from './rows.js';
import type { Scenario } from './scenario.js';

/** How thoroughly is measured. */
export interface Pace extends Omit<MeasureOptions, 'als'> {
  /** Whether it says who is faster. */
  readonly judges: boolean;
}

/** What the benchmark was asked to do. */
export interface Options {
  readonly rows: readonly Row[];
  readonly pace: Pace;
  /** Files to write. */
  readonly json: string | undefined;
  readonly chart: string | undefined;
}

/** What a comparison was asked to do. */
export interface CompareOptions {
  readonly rows: readonly Row[];
  readonly pace: Pace;
  /** A commit, in any way that git understands. */
  readonly base: string;
  /** undefined: what is in the working tree. */
  readonly head: string | undefined;
}

const USUAL: Pace = { rounds: 15, warmUp: 3, sample: 40, patience: 60_000, judges: true };
/** To see that everything can be measured. */
const SHORT: Pace = { rounds: 1, warmUp: 0, sample: 1, patience: 60_000, judges: false };

const HOW = `  --only TEXT          only scenarios whose name contains it; may be repeated
  --rounds N           so many samples of each (default: ${USUAL.rounds})
  --sample MS          so long each (default: ${USUAL.sample})
  --als                only with an AsyncLocalStorage active in the process (default: without one, and with one)
  --without-als        only without one
  --short              all scenarios that take no seconds, once, without an AsyncLocalStorage: to see that it works; the figures say nothing
`;

export const USAGE = `npm run bench -- [options]
${HOW}  --contestants A,B    only these, and whom they are compared with (default: all)
  --json FILE          write everything that was measured
  --chart FILE         draw some telling rows, as SVG
`;

export const COMPARE_USAGE = `npm run bench:compare -- BASE [HEAD] [options]
  BASE, HEAD           two commits; without HEAD: the working tree as it is
${HOW}`;

const string = { type: 'string' } as const;
const boolean = { type: 'boolean' } as const;
const MEASURING = {
  only: { type: 'string', multiple: true },
  rounds: string,
  sample: string,
  als: boolean,
  'without-als': boolean,
  short: boolean,
} as const;
const BENCH = { ...MEASURING, contestants: string, json: string, chart: string } as const;

/** What was written, of what both commands take. */
interface Written {
  readonly only?: string[] | undefined;
  readonly rounds?: string | undefined;
  readonly sample?: string | undefined;
  readonly als?: boolean | undefined;
  readonly 'without-als'?: boolean | undefined;
  readonly short?: boolean | undefined;
}

/** @throws Error with a line for each option that is wrong or unknown */
export function readOptions(args: readonly string[], scenarios: readonly Scenario[]): Options {
  const { values } = parsed(USAGE, () => parseArgs({ args: [...args], options: BENCH }));
  const faults: string[] = [];
  const contestants = values.contestants?.split(',');
  const known = contestantsOf(scenarios);
  for (const name of contestants ?? []) {
    if (!known.includes(name)) faults.push(fault('--contestants', name, `any of ${known.join(', ')}`));
  }
  for (const name of ['json', 'chart'] as const) {
    if (values[name]?.trim() === '') faults.push(fault(`--${name}`, values[name], 'the name of a file'));
  }
  const pace = readPace(values, faults);
  const rows = selectRows(scenarios, readSelection(values, scenarios, faults, contestants), faults);
  refuse(faults, USAGE);
  return { rows, pace, json: values.json, chart: values.chart };
}

/** @throws Error with a line for each option that is wrong or unknown */
export function readCompareOptions(
  args: readonly string[],
  scenarios: readonly Scenario[],
  contestant: string,
): CompareOptions {
  const parse = () => parseArgs({ args: [...args], options: MEASURING, allowPositionals: true });
  const { values, positionals } = parsed(COMPARE_USAGE, parse);
  const faults: string[] = [];
  const [base, head] = positionals;
  if (base === undefined || positionals.length > 2) {
    faults.push(fault('commits', positionals.join(' '), 'one or two commits'));
  }
  const pace = readPace(values, faults);
  const rows = selectRows(scenarios, readSelection(values, scenarios, faults, [contestant]), faults);
  refuse(faults, COMPARE_USAGE);
  return { rows, pace, base: base!, head };
}

function parsed<T>(usage: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    // Node's own text names the option that it does not know.
    throw new Error(`${(error as Error).message}\n\n${usage}`, { cause: error });
  }
}

function readPace({ rounds, sample, short }: Written, faults: string[]): Pace {
  const usual = short === true ? SHORT : USUAL;
  const whole = (name: string, text: string | undefined, most: number): number | undefined => {
    if (text === undefined) return undefined;
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (Number.isSafeInteger(value) && value >= 1 && value <= most) return value;
    faults.push(fault(name, text, `a whole number from 1 to ${most}`));
    return undefined;
  };
  return {
    ...usual,
    rounds: whole('--rounds', rounds, 1_000) ?? usual.rounds,
    sample: whole('--sample', sample, 10_000) ?? usual.sample,
  };
}

function readSelection(
  { only = [], als = false, 'without-als': withoutAls = false, short = false }: Written,
  scenarios: readonly Scenario[],
  faults: string[],
  contestants: readonly string[] | undefined,
): Selection {
  for (const text of only) {
    if (scenarios.some(({ name }) => name.includes(text))) continue;
    faults.push(fault('--only', text, `a part of one of\n${scenarios.map(({ name }) => `  ${name}`).join('\n')}`));
  }
  const both = als === withoutAls && (als || !short);
  return { only, contestants, isShort: short, als: both ? [false, true] : [als] };
}

function selectRows(scenarios: readonly Scenario[], selection: Selection, faults: readonly string[]): Row[] {
  const rows = rowsOf(scenarios, selection);
  if (rows.length > 0 || faults.length > 0) return rows;
  // Each option makes sense by itself.
  throw new Error('Nothing is left to be measured: the options ask for scenarios in which none of these takes part');
}

function refuse(faults: readonly string[], usage: string): void {
  if (faults.length > 0) throw new Error(`${faults.join('\n')}\n\n${usage}`);
}

function fault(option: string, received: string | undefined, allowed: string): string {
  return `${option}: received ${inspect(received)}; allowed is ${allowed}`;
}
