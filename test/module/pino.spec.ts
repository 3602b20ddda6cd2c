import { describe, expect, test } from '@jest/globals';
import { runProgram } from '../run-program.js';

interface Line {
  readonly level: number;
  readonly context?: string;
  readonly msg: string;
}

/** Pino's. */
const [INFO, ERROR] = [30, 50];

describe('pools log through nestjs-pino', () => {
  test.each([
    ['once it is the logger of the application', []],
    ['where it is theirs alone', ['own']],
  ])('%s', async (_, args) => {
    const { code, output } = await runProgram('test/start.js', 'module/pino-application', ...args);
    const lines = output.split('\n').filter((line) => line.startsWith('{'));
    const ours = lines.map((line) => JSON.parse(line) as Line).filter(({ context }) => context === 'ConnectionPool');
    expect(ours).toMatchObject([
      { level: ERROR, msg: 'Pool "mail" cannot connect, and goes on trying: refused' },
      { level: INFO, msg: expect.stringMatching(/^Pool "mail" connects again, after .* and \d+ failed connects$/) },
    ]);
    expect(code).toBe(0);
  });
});
