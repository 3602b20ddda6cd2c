import { describe, expect, test } from '@jest/globals';
import { readCompareOptions, readOptions } from './options.js';
import type { Scenario } from './scenario.js';

const open = (): never => {
  throw new Error('nothing is measured here');
};
const scenario = (name: string, contestants: string[], more: Partial<Scenario> = {}): Scenario => ({
  name,
  unit: 'ns',
  per: 'lease',
  reference: contestants[0]!,
  contestants: Object.fromEntries(contestants.map((each) => [each, open])),
  ...more,
});

const SCENARIOS = [
  scenario('one caller', ['floor', 'ours', 'tarn']),
  scenario('100 callers', ['floor', 'ours', 'tarn']),
  scenario('idle memory', ['floor', 'ours'], { als: false }),
  scenario('queries', ['bare client', 'pg-pool']),
];

const rowsFor = (...args: string[]): string[] => readOptions(args, SCENARIOS).rows.map(({ name }) => name);

describe('The options of the benchmark', () => {
  test('are, by default, every scenario without an AsyncLocalStorage and with one, where that makes a difference', () => {
    expect(rowsFor()).toEqual([
      'one caller',
      'one caller [ALS]',
      '100 callers',
      '100 callers [ALS]',
      'idle memory',
      'queries',
      'queries [ALS]',
    ]);
    expect(readOptions([], SCENARIOS)).toMatchObject({ json: undefined, chart: undefined, pace: { judges: true } });
  });

  test.each([
    [['--als'], ['one caller [ALS]', '100 callers [ALS]', 'queries [ALS]']],
    [['--without-als'], ['one caller', '100 callers', 'idle memory', 'queries']],
    [
      ['--only', 'caller', '--without-als'],
      ['one caller', '100 callers'],
    ],
    [
      ['--only', 'one', '--only', 'idle'],
      ['one caller', 'one caller [ALS]', 'idle memory'],
    ],
    [
      ['--contestants', 'pg-pool'],
      ['queries', 'queries [ALS]'],
    ],
    [['--short'], ['one caller', '100 callers', 'idle memory', 'queries']],
    [['--short', '--als', '--only', 'one'], ['one caller [ALS]']],
  ])('%j chooses rows', (args, rows) => {
    expect(rowsFor(...args)).toEqual(rows);
  });

  test('keep whom the others are compared with, first, whoever is asked for', () => {
    const { rows } = readOptions(['--contestants', 'tarn,ours', '--only', 'one', '--als'], SCENARIOS);
    expect(rows.map(({ contestants }) => contestants)).toEqual([['floor', 'ours', 'tarn']]);
    expect(readOptions(['--contestants', 'pg-pool'], SCENARIOS).rows[0]!.contestants).toEqual([
      'bare client',
      'pg-pool',
    ]);
  });

  test('say how often and how long; a short run does less, unless it is told, and judges nobody', () => {
    expect(readOptions(['--rounds', '5', '--sample', '7'], SCENARIOS).pace).toMatchObject({ rounds: 5, sample: 7 });
    const { pace } = readOptions(['--short', '--rounds', '3'], SCENARIOS);
    expect(pace).toMatchObject({ rounds: 3, warmUp: 0, sample: 1, judges: false });
  });

  test.each([
    [['--rounds', '0'], "--rounds: received '0'; allowed is a whole number from 1 to 1000"],
    [['--rounds', '1.5'], "--rounds: received '1.5'; allowed is a whole number"],
    [['--sample', 'long'], "--sample: received 'long'; allowed is a whole number from 1 to 10000"],
    [['--sample', ''], "--sample: received ''; allowed is"],
    [
      ['--contestants', 'ours,hers'],
      "--contestants: received 'hers'; allowed is any of floor, ours, tarn, bare client",
    ],
    [
      ['--only', 'two callers'],
      "--only: received 'two callers'; allowed is a part of one of\n  one caller\n  100 callers",
    ],
    [['--json', ''], "--json: received ''; allowed is the name of a file"],
    [['--contestants', 'pg-pool', '--only', 'idle'], 'Nothing is left to be measured'],
    [['--only', 'idle', '--als'], 'Nothing is left to be measured'],
    [['--chrat', 'x.svg'], "Unknown option '--chrat'"],
    [['everything'], "'everything'"],
  ])('%j are refused, with what is wrong and what is allowed', (args, reason) => {
    expect(() => readOptions(args, SCENARIOS)).toThrow(reason);
  });

  test('are refused all at once', () => {
    expect(() => readOptions(['--rounds', 'x', '--only', 'zzz'], SCENARIOS)).toThrow(/^--rounds: [^]*\n--only: /);
  });
});

describe('The options of a comparison', () => {
  const read = (...args: string[]) => readCompareOptions(args, SCENARIOS, 'ours');

  test('are one commit or two, and what is measured of those scenarios in which ours takes part', () => {
    expect(read('main', '--rounds', '3')).toMatchObject({ base: 'main', head: undefined, pace: { rounds: 3 } });
    expect(read('main', 'topic')).toMatchObject({ base: 'main', head: 'topic' });
    expect(read('main', '--without-als').rows.map(({ name }) => name)).toEqual([
      'one caller',
      '100 callers',
      'idle memory',
    ]);
  });

  test.each([
    [[], "commits: received ''; allowed is one or two commits"],
    [['a', 'b', 'c'], "commits: received 'a b c'; allowed is one or two commits"],
    [['a', '--rounds', '-1'], '--rounds'],
    [['a', '--contestants', 'tarn'], '--contestants'],
    [['a', '--only', 'queries'], 'Nothing is left to be measured'],
  ])('%j are refused, with what is wrong and what is allowed', (args, reason) => {
    expect(() => read(...args)).toThrow(reason);
  });
});
