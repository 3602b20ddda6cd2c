import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { printRecord, type BenchmarkRecord } from './record.js';
import type { Row } from './rows.js';
import { run, type Outcome } from './run.js';
import type { Scenario } from './scenario.js';

/** Stands in the worker's place, and makes of each contestant what its name says. */
const WORKER = `
  const cost = { floor: 10, ours: 12.3456789, slow: 20 }[process.argv[3]];
  process.on('message', () => process.send(cost === undefined ? { cost: 1, void: 'it cheats' } : { cost, also: { p99: 3 } }));
  process.send({ ready: true });
`;
const SCENARIO: Scenario = {
  name: 'one caller',
  unit: 'ns',
  per: 'lease',
  reference: 'floor',
  contestants: {},
  goal: { times: 1.3 },
};
const PACE = { rounds: 3, warmUp: 0, sample: 1, patience: 20_000, judges: true };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'bench-'));
  await writeFile(path.join(folder, 'worker.cjs'), WORKER);
});
afterAll(() => rm(folder, { recursive: true }));

const told: string[] = [];
function runWith(contestants: string[], { judges = true, scenario = SCENARIO } = {}): Promise<Outcome> {
  told.length = 0;
  const row: Row = { name: scenario.name, scenario, als: false, contestants };
  const worker = pathToFileURL(path.join(folder, 'worker.cjs'));
  return run(
    { rows: [row, { ...row, name: 'another', als: true }], pace: { ...PACE, judges }, worker },
    { begin: ({ name }) => told.push(`${name} begins`), end: ({ name }) => told.push(`${name} ends`) },
  );
}

const printed = (outcome: Outcome): BenchmarkRecord => JSON.parse(printRecord(outcome.record)) as BenchmarkRecord;

describe('A run', () => {
  test('tells of each row when it begins and when it has ended', async () => {
    await runWith(['floor']);
    expect(told).toEqual(['one caller begins', 'one caller ends', 'another begins', 'another ends']);
  });

  test('records on what, how, and all that was measured', async () => {
    const record = printed(await runWith(['floor', 'ours', 'slow', 'cheat']));
    expect(record).toMatchObject({ node: process.version, pace: PACE, cpu: { model: expect.any(String) } });
    expect(new Date(record.date).toISOString()).toBe(record.date);
    expect(record.cpu.cores).toBeGreaterThan(0);
    expect(record.rows.map(({ als }) => als)).toEqual([false, true]);
    const same = (value: number) => ({ median: value, quartiles: [value, value] });
    expect(record.rows[0]).toEqual({
      scenario: 'one caller',
      als: false,
      unit: 'ns',
      per: 'lease',
      reference: 'floor',
      goal: { times: 1.3 },
      goalMet: true,
      ahead: [],
      contestants: {
        floor: { costs: [10, 10, 10], cost: same(10), ratio: same(1), more: same(0), also: { p99: same(3) } },
        ours: {
          costs: [12.3457, 12.3457, 12.3457],
          cost: same(12.3457),
          ratio: same(1.23457),
          more: same(2.34568),
          also: { p99: same(3) },
        },
        slow: { costs: [20, 20, 20], cost: same(20), ratio: same(2), more: same(10), also: { p99: same(3) } },
        cheat: { void: 'it cheats' },
      },
    });
  });

  test('that is too short to judge does not', async () => {
    const [row] = printed(await runWith(['floor', 'ours', 'slow'], { judges: false })).rows;
    expect(row).toHaveProperty('goal');
    expect(row).not.toHaveProperty('goalMet');
    expect(row).not.toHaveProperty('ahead');
  });

  test('is not broken by a peer that is void', async () => {
    expect((await runWith(['floor', 'ours', 'cheat'])).broken).toEqual([]);
  });

  test('is broken by a reference that is void, and says in which rows', async () => {
    const { broken, record } = await runWith(['cheat', 'ours'], { scenario: { ...SCENARIO, reference: 'cheat' } });
    expect(broken).toEqual(['one caller: cheat is void: it cheats', 'another: cheat is void: it cheats']);
    expect(record.rows[0]!.contestants['ours']).toEqual({ void: 'there is nothing to compare it with' });
  });
});
