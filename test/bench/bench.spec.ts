import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runProgram, type Ended } from '../run-program.js';
import { whereInstalled, type Programs } from '../servers/binaries.js';
import type { BenchmarkRecord } from './record.js';
import { EVERY_SCENARIO } from './every-scenario.js';

const bench = (...args: string[]): Promise<Ended> => runProgram('test/start.js', 'bench/main', ...args);
const compare = (...args: string[]): Promise<Ended> => runProgram('test/start.js', 'bench/compare', ...args);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'bench-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('The benchmark', () => {
  test('measures what is asked for, prints it, and writes and draws it', async () => {
    const [json, chart] = [path.join(folder, 'new', 'figures.json'), path.join(folder, 'figures.svg')];
    const { code, output, errors } = await bench(
      ...['--short', '--only', 'one caller', '--contestants', 'floor,ours', '--json', json, '--chart', chart],
    );
    expect({ code, errors }).toEqual({ code: 0, errors: '' });
    const names = EVERY_SCENARIO.map(({ name }) => name).filter((name) => name.includes('one caller'));
    for (const name of names) expect(output).toMatch(new RegExp(`^${name.replace(/[()]/g, '.')} .* ns .* ±`, 'm'));
    const { rows } = JSON.parse(await readFile(json, 'utf8')) as BenchmarkRecord;
    expect(rows.map(({ scenario }) => scenario)).toEqual(names);
    for (const { contestants } of rows) expect(Object.keys(contestants)).toEqual(['floor', 'ours']);
    expect(await readFile(chart, 'utf8')).toMatch(/^<svg [^]*nestjs-connection-pool[^]*<\/svg>\n$/);
  }, 120_000);

  test('measures with an AsyncLocalStorage too', async () => {
    const { code, output } = await bench(
      ...['--only', 'one caller, use()', '--contestants', 'ours', '--rounds', '1', '--sample', '1'],
    );
    expect(output).toMatch(/^one caller, use\(\) .*\none caller, use\(\) \[ALS\] /m);
    expect(code).toBe(0);
  }, 60_000);

  test.each([
    [['--contestants', 'theirs'], "--contestants: received 'theirs'; allowed is any of floor, ours, "],
    [['--only', 'no such thing'], "--only: received 'no such thing'; allowed is a part of one of\n  one caller\n"],
    [['--fast'], "Unknown option '--fast'"],
    [['--only', 'use()', '--chart', 'never-written.svg'], '--chart: none of the rows that it shows'],
  ])(
    'refuses %j, and says why',
    async (args, reason) => {
      const { code, errors } = await bench(...args);
      expect(errors).toContain(reason);
      expect(code).toBe(2);
    },
    60_000,
  );

  test('says before it measures that a file cannot be written', async () => {
    const file = path.join(folder, 'file');
    await writeFile(file, '');
    const { code, output, errors } = await bench('--json', path.join(file, 'figures.json'));
    expect(errors).toContain(file);
    expect({ code, output }).toEqual({ code: 2, output: '' });
  }, 60_000);
});

const git: Programs = { name: 'git', package: 'git', binaries: ['git'] };

describe('The comparison of two commits', () => {
  whereInstalled(git, describe)('With git', () => {
    test('measures both, and prints the ratio', async () => {
      const { code, output, errors } = await compare('HEAD', '--short', '--only', 'one caller, use()');
      expect({ code, errors }).toEqual({ code: 0, errors: '' });
      expect(output).toMatch(/^the working tree, as times HEAD \(\w{10}\)\n/);
      expect(output).toMatch(/^one caller, use\(\) +[\d,.]+ ns +[\d,.]+ ns +[\d.]+ ±[\d.]+$/m);
    }, 120_000);

    test.each([
      [['no-such-commit'], "'no-such-commit' is no commit of this repository"],
      [['HEAD', 'HEAD:src'], "'HEAD:src' is no commit of this repository"],
    ])('refuses %j, and says why', refuses, 60_000);
  });

  test.each([
    [['--output=x'], "Unknown option '--output'"],
    [[], 'allowed is one or two commits'],
  ])('refuses %j, and says why', refuses, 60_000);

  async function refuses(args: string[], reason: string): Promise<void> {
    const { code, errors } = await compare(...args);
    expect(errors).toContain(reason);
    expect(code).toBe(2);
  }
});
