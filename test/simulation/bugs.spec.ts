import { describe, expect, test } from '@jest/globals';
import { BUGS } from './bugs.js';
import { runProgram } from '../run-program.js';

/** Far more than any of them needs; on an engine without a bug as many are clean, which simulation.spec.ts sees to. */
const SEEDS = '2000';

describe('The simulation bites: it finds that', () => {
  test.concurrent.each(BUGS.map(({ name }) => name))(
    '%s',
    async (name) => {
      const { code, output, errors } = await runProgram(
        'test/plant.js',
        'simulation',
        name,
        '--seeds',
        SEEDS,
        '--as-found',
      );
      expect({ code, errors }).toEqual({ code: 1, errors: '' });
      expect(output).toMatch(/Seed \d+ breaks a promise/);
    },
    120_000,
  );

  test('there are twenty bugs or more, each of its own', () => {
    expect(BUGS.length).toBeGreaterThanOrEqual(20);
    expect(new Set(BUGS.map(({ file, from, to }) => `${file}: ${from} -> ${to}`)).size).toBe(BUGS.length);
  });

  test('a bug that there is not is asked for in vain, with the names of those that there are', async () => {
    const { code, errors } = await runProgram('test/plant.js', 'simulation', 'no such bug');
    expect(code).toBe(2);
    expect(errors).toContain('There is no bug "no such bug"');
    for (const { name } of BUGS) expect(errors).toContain(name);
  });
});
