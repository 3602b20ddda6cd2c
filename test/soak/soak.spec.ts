import { describe, expect, test } from '@jest/globals';
import { runProgram, type Ended } from '../run-program.js';
import { BUGS } from './bugs.js';

const soak = (...args: string[]): Promise<Ended> => runProgram('test/start.js', 'soak/main', ...args);

describe('The soak bites: it finds that', () => {
  test.concurrent.each(BUGS.map(({ name }) => name))(
    '%s',
    async (name) => {
      const args = ['soak', name, '--minutes', '0.05', '--callers', '30', '--size', '8', '--seed', '3'];
      const { code, output } = await runProgram('test/plant.js', ...args);
      expect(code).toBe(1);
      expect(output).toMatch(/\d+ faults\n$/);
    },
    60_000,
  );
});

describe('The soak', () => {
  test('loads a pool on a bad network, and finds everything where it was', async () => {
    const { code, output } = await soak('--minutes', '0.05', '--callers', '30', '--size', '8', '--seed', '7');
    expect(output).toContain('seed 7, 30 callers on 8 connections');
    expect(output).toMatch(/heap \d+ kB after the warm-up, \d+ kB at the end\nnothing was lost and nothing is left\n$/);
    expect(code).toBe(0);
  }, 60_000);

  test('can be told which faults there are to be', async () => {
    const { code, output } = await soak('--minutes', '0.02', '--faults', 'reset,fin', '--seed', '7');
    expect(output).toContain('nothing is left');
    expect(code).toBe(0);
  }, 60_000);

  test.each([
    [['--minutes', 'long'], "--minutes: received 'long'; allowed is a number from 0.01"],
    [['--seed', '1.5'], "--seed: received '1.5'"],
    [['--faults', 'say'], "--faults: received 'say'; allowed is any of none, silent"],
    [['--faults', 'reset,sulk'], "--faults: received 'sulk'; allowed is any of none, silent, halfOpen, reset"],
    [['--hours', '1'], '--hours'],
  ])(
    'refuses %j, and says why',
    async (args, reason) => {
      const { code, errors } = await soak(...args);
      expect(errors).toContain(reason);
      expect(errors).toContain('npm run soak -- [options]');
      expect(code).toBe(2);
    },
    60_000,
  );
});
