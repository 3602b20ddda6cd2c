import { describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runProgram, type Ended } from '../run-program.js';
import { run } from './run.js';
import { printScript, readScript } from './script.js';

const simulate = (...args: string[]): Promise<Ended> => runProgram('test/start.js', 'simulation/main', ...args);

/** A caller comes, goes, and comes again. */
const PROGRAMME = {
  seed: 7,
  settings: { size: 2, keepalive: 300 },
  factory: { keepalive: true },
  backend: { connect: { outcome: 'ok', after: 5 } },
  steps: [
    { do: 'acquire', timeout: 20 },
    { do: 'advance', ms: 500 },
    { do: 'release', lease: 0, failure: 'connection' },
    { do: 'restart', error: true },
    { do: 'try' },
  ],
};

async function replay(script: string): Promise<Ended> {
  const folder = await mkdtemp(path.join(tmpdir(), 'script-'));
  try {
    const file = path.join(folder, 'script.json');
    await writeFile(file, script);
    return await simulate('--replay', file);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('The simulation', () => {
  test('runs programmes of callers and faults, and the pool keeps its promises in all of them', async () => {
    const { code, output } = await simulate('--seeds', '1000');
    expect(output).toMatch(
      /\n?1000 programmes from seed 1, \d{5,} steps, looked at \d{6,} times: no promise was broken\n$/,
    );
    expect(code).toBe(0);
  }, 120_000);

  test('is the same each time: a seed decides everything', async () => {
    const [one, other] = await Promise.all([
      simulate('--seeds', '20', '--from', '500'),
      simulate('--seeds', '20', '--from', '500'),
    ]);
    expect(one.output).toBe(other.output);
  }, 60_000);

  test('runs for as long as it is told', async () => {
    const { code, output } = await simulate('--minutes', '0.02', '--workers', '1');
    expect(output).toMatch(/^\d+ programmes from seed 1, /);
    expect(code).toBe(0);
  }, 60_000);

  test('replays a script', async () => {
    const { code, output } = await replay(JSON.stringify(PROGRAMME));
    expect(output).toMatch(/^5 steps, looked at \d+ times: 0 faults\n$/);
    expect(code).toBe(0);
  }, 60_000);

  test.each([
    [['--seeds', '0'], "--seeds: received '0'; allowed is a whole number from 1 to"],
    [['--seeds', '1e3x'], "--seeds: received '1e3x'; allowed is a whole number"],
    [['--from', '-1'], '--from'],
    [['--minutes', 'soon'], "--minutes: received 'soon'; allowed is a number from 0.01"],
    [['--sedes', '5'], '--sedes'],
    [['--replay', 'no-such-file.json'], 'no-such-file.json'],
  ])(
    'refuses %j, and says why',
    async (args, reason) => {
      const { code, errors } = await simulate(...args);
      expect(errors).toContain(reason);
      expect(code).toBe(2);
    },
    60_000,
  );
});

describe('A script', () => {
  test('is read as it was printed, with a line for each step', () => {
    const programme = readScript(JSON.stringify(PROGRAMME));
    const script = printScript(programme);
    expect(readScript(script)).toEqual(programme);
    expect(script.split('\n').filter((line) => line.startsWith('    { "do": '))).toHaveLength(5);
  });

  test('may leave out all but the steps', () => {
    expect(readScript('{ "steps": [], "settings": { "size": 3 } }')).toMatchObject({
      seed: 0,
      settings: { size: 3, connectTimeout: 100 },
      factory: { tells: 'events' },
      backend: { close: { outcome: 'ok' } },
      steps: [],
    });
  });

  test.each<[string, unknown]>([
    ['script: received []; allowed is an object with seed, settings, factory, backend, steps', []],
    ['steps: received undefined; allowed is a list of steps', {}],
    ["steps[0].do: received 'explode'; allowed is one of acquire, use, try", { steps: [{ do: 'explode' }] }],
    ['steps[0]: received 5; allowed is an object whose "do" is one of', { steps: [5] }],
    ['steps[0].ms: received -1; allowed is a whole number from 0', { steps: [{ do: 'advance', ms: -1 }] }],
    ['steps[0].ms: received 1; allowed is not there', { steps: [{ do: 'settle', ms: 1 }] }],
    ["steps[0].error: received 'yes'; allowed is one of true, false", { steps: [{ do: 'restart', error: 'yes' }] }],
    [
      'backend.connect.outcome: received \'sulk\'; allowed is one of "ok"',
      { backend: { connect: { outcome: 'sulk' } } },
    ],
    ["backend: received 'up'; allowed is an object with connect", { backend: 'up' }],
    ['settings.size: received 0; allowed is a whole number from 1', { settings: { size: 0 } }],
    ['settings.sise: received 2; allowed is not there; what may be there is size,', { settings: { sise: 2 } }],
    ["factory.tells: received 'lies'; allowed is one of", { factory: { tells: 'lies' } }],
    ["seed: received 'x'; allowed is a whole number", { seed: 'x' }],
    ['sead: received 1; allowed is not there', { sead: 1 }],
  ])('that makes no sense is refused: %s', (reason, script) => {
    expect(() => readScript(JSON.stringify(script))).toThrow(reason);
  });

  const comeAndGo = [
    { do: 'acquire', timeout: 'Infinity' },
    { do: 'use', signal: 0, work: { work: 'promise', takes: 5, failure: 'plain' } },
    { do: 'advance', ms: 20 },
    { do: 'usable', connection: 0, answer: 'throws' },
    { do: 'release', lease: 0, failure: 'known' },
    { do: 'try' },
    { do: 'advance', ms: 100 },
  ];
  test.each([
    ['numbers', { factory: { kind: 'number', tells: 'nothing' } }],
    ['functions', { factory: { kind: 'function', tells: 'watch', isUsable: true } }],
    ['streams', { factory: { kind: 'stream', closedBy: 'methods', keepalive: true } }],
    ['what comes back after it was closed', { settings: { maxUses: 1 }, backend: { connect: { outcome: 'back' } } }],
    ['what may take for ever', { settings: { connectTimeout: 'Infinity' }, backend: { connect: { outcome: 'hang' } } }],
    [
      'what cannot be watched',
      { factory: { tells: 'watch' }, backend: { connect: { outcome: 'ok', watch: 'throws' } } },
    ],
    ['errors of the user', { settings: { connectionErrors: 'code' }, factory: { knowsErrors: 'rejects' } }],
  ])('may be about %s', async (_, script) => {
    const { faults, step } = await run(readScript(JSON.stringify({ ...script, steps: comeAndGo })));
    expect(faults).toEqual([]);
    expect(step).toBe(comeAndGo.length);
  });

  test('that is no JSON is refused', () => {
    expect(() => readScript('{ steps: }')).toThrow('The script is no JSON');
  });
});
