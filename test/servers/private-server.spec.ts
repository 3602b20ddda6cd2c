import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { whatIsMissing, whereInstalled } from './binaries.js';
import { askPostgres, postgres } from './postgres.js';
import { PrivateServer } from './private-server.js';
import { childrenOf, isAlive } from './processes.js';
import { askRedis, redis } from './redis.js';
import type { ServerKind } from './server-kind.js';
import { until } from '../until.js';

jest.setTimeout(60_000);

const KINDS: ReadonlyArray<{ kind: ServerKind; ask: (port: number) => Promise<unknown>; answer: unknown }> = [
  { kind: postgres(), ask: (port) => askPostgres(port, 'SELECT 42 AS answer'), answer: [{ answer: 42 }] },
  { kind: redis(), ask: (port) => askRedis(port, 'ECHO', '42'), answer: '42' },
];

for (const { kind, ask, answer } of KINDS) {
  whereInstalled(kind, describe)(`A private server of ${kind.name}`, () => {
    let server: PrivateServer;

    beforeAll(async () => {
      server = await PrivateServer.start(kind);
    });

    afterAll(() => server?.stop());

    const family = (): number[] => [server.pid!, ...childrenOf(new Set([server.pid!]))];

    test('answers on its port, and again after kill -9 and after an orderly restart', async () => {
      for (const end of [() => server.kill(), () => undefined]) {
        const before = family();
        await end();
        await server.restart();
        expect(before.filter(isAlive)).toEqual([]);
        expect(await ask(server.port)).toEqual(answer);
      }
    });

    test('is silent while it is paused, and answers then what it was asked meanwhile', async () => {
      // One that forks answers what it has been asked before only if its children stand still as well.
      server.pause();
      const asked = ask(server.port);
      const first = await Promise.race([asked, new Promise((resolve) => setTimeout(resolve, 300, 'silence'))]);
      server.resume();
      expect(first).toBe('silence');
      expect(await asked).toEqual(answer);
    });

    test('can be killed while it is paused', async () => {
      const before = family();
      server.pause();
      await server.kill();
      expect(before.filter(isAlive)).toEqual([]);
      await server.restart();
      expect(await ask(server.port)).toEqual(answer);
    });

    test('leaves nothing behind when it is stopped', async () => {
      await using another = await PrivateServer.start(kind);
      const { pid, folder } = another;
      expect(existsSync(folder)).toBe(true);
      await another.stop();
      expect(isAlive(pid!)).toBe(false);
      expect(existsSync(folder)).toBe(false);
    });
  });
}

whereInstalled(postgres(), describe)('When the process that started a server is killed', () => {
  test('nothing is left of the server, even if it was paused', async () => {
    const start = fileURLToPath(new URL('../start.js', import.meta.url));
    const program = spawn(process.execPath, [start, 'servers/left-alone'], {
      env: { ...process.env, NODE_OPTIONS: '' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const [line] = (await once(program.stdout.setEncoding('utf8'), 'data')) as [string];
      const { pids, folder } = JSON.parse(line) as { pids: number[]; folder: string };
      expect(pids.filter(isAlive).length).toBeGreaterThan(1);
      program.kill('SIGKILL');
      await until(() => !pids.some(isAlive) && !existsSync(folder), 'the server has gone');
    } finally {
      program.kill('SIGKILL');
    }
  });
});

describe('Where the binaries are missing', () => {
  const kind: ServerKind = { ...redis(), binaries: ['no-such-server'] };

  const withCI = (value: string, work: () => void): void => {
    const before = process.env['CI'];
    process.env['CI'] = value;
    try {
      work();
    } finally {
      if (before === undefined) delete process.env['CI'];
      else process.env['CI'] = before;
    }
  };

  test('the suite is skipped, and one line says how to install them', () => {
    const said = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    const skipped: string[] = [];
    const skip = (title: string): unknown => skipped.push(title);
    try {
      withCI('', () => {
        whereInstalled(
          kind,
          Object.assign(() => {}, { skip: skip as () => void }),
        )('Some suite', () => {});
      });
      expect(said.mock.calls).toEqual([
        ['Skipped: Some suite: no-such-server not found: apt-get install redis-server (or put Redis on PATH)\n'],
      ]);
    } finally {
      said.mockRestore();
    }
    expect(skipped).toEqual(['Some suite']);
  });

  test('it fails in CI', () => {
    withCI('true', () => {
      expect(() => whereInstalled(kind, describe)).toThrow(whatIsMissing(kind));
    });
  });

  test('a server cannot be started', async () => {
    await expect(PrivateServer.start(kind)).rejects.toThrow('apt-get install redis-server');
  });
});
