import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Entrant, Result } from './entry.js';
import { measure } from './measure.js';
import type { Scenario } from './scenario.js';

/** What stands in a worker's place: a program each, after which nothing else is needed to be understood. */
const WORKERS = {
  counts: `let cost = 0; process.on('message', () => process.send({ cost: ++cost })); process.send({ ready: true });`,
  sees: `process.on('message', () => process.send({ cost: 5, also: { p99: 9 } })); process.send({ ready: true });`,
  cheats: `process.on('message', () => process.send({ cost: 1, void: 'it cheats' })); process.send({ ready: true });`,
  fails: `process.send({ failure: 'it will not' }); process.on('message', () => {});`,
  diesAtOnce: `process.exit(3);`,
  diesWhenAsked: `process.on('message', () => process.exit(4)); process.send({ ready: true });`,
  diesWhenReady: `process.send({ ready: true }, () => process.exit(5));`,
  isKilled: `process.on('message', () => process.kill(process.pid, 'SIGKILL')); process.send({ ready: true });`,
  isSilent: `process.on('message', () => {}); process.send({ ready: true });`,
  isNeverReady: `process.on('message', () => {});`,
  spins: `process.on('message', () => { for (;;); }); process.send({ ready: true });`,
  costsNothingKnown: `process.on('message', () => process.send({ cost: null })); process.send({ ready: true });`,
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'bench-'));
  await Promise.all(
    Object.entries(WORKERS).map(([name, program]) => writeFile(path.join(folder, `${name}.cjs`), program)),
  );
});
afterAll(() => rm(folder, { recursive: true }));

const entrant = (name: keyof typeof WORKERS): Entrant => ({
  name,
  contestant: name,
  worker: pathToFileURL(path.join(folder, `${name}.cjs`)),
});

const SCENARIO: Scenario = { name: 'any', unit: 'ns', per: 'lease', reference: 'counts', contestants: {} };

async function resultsOf(
  names: Array<keyof typeof WORKERS>,
  { scenario = {}, patience = 20_000 }: { scenario?: Partial<Scenario>; patience?: number } = {},
): Promise<Record<string, Result>> {
  const options = { rounds: 2, warmUp: 1, sample: 1, als: false, patience };
  return Object.fromEntries(await measure({ ...SCENARIO, ...scenario }, names.map(entrant), options));
}

describe('Measuring', () => {
  test('has a cost of each round, and throws those of the warm-up away', async () => {
    expect(await resultsOf(['counts'])).toEqual({ counts: { costs: [2, 3] } });
  });

  test('keeps what else was seen', async () => {
    expect(await resultsOf(['sees'])).toEqual({ sees: { costs: [5, 5], also: { p99: [9, 9] } } });
  });

  test.each([
    ['cheats', 'it cheats'],
    ['fails', 'it will not'],
    ['diesAtOnce', 'the process ended with 3'],
    ['diesWhenAsked', 'the process ended with 4'],
    ['diesWhenReady', 'the process ended with 5'],
    ['isKilled', 'the process ended with SIGKILL'],
    ['costsNothingKnown', 'its cost is null'],
  ] as const)('voids one that %s, says why, and goes on with the others', async (name, reason) => {
    expect(await resultsOf(['counts', name])).toEqual({ counts: { costs: [2, 3] }, [name]: { void: reason } });
  });

  test.each(['isSilent', 'isNeverReady', 'spins'] as const)(
    'voids one that %s, once patience is at an end',
    async (name) => {
      const results = await resultsOf([name], { patience: 1_000 });
      expect(results).toEqual({ [name]: { void: 'no answer in 1 s' } });
    },
  );

  test('hands the address of the service to each, and stops the service in the end', async () => {
    let stops = 0;
    const startService: Scenario['startService'] = async () => ({
      address: 'here',
      stop: async () => {
        stops++;
      },
    });
    expect(await resultsOf(['counts', 'diesAtOnce'], { scenario: { startService } })).toHaveProperty('counts.costs');
    expect(stops).toBe(1);
  });

  test.each<[string, Scenario['startService'], string]>([
    ['cannot start', () => Promise.reject(new Error('no port')), 'without a service: no port'],
    ['hangs', () => new Promise(() => {}), 'without a service: the service did not start within 0.1 s'],
  ])('voids all of a scenario whose service %s', async (_, startService, reason) => {
    const results = await resultsOf(['counts', 'sees'], { scenario: { startService }, patience: 100 });
    expect(results).toEqual({ counts: { void: reason }, sees: { void: reason } });
  });
});
