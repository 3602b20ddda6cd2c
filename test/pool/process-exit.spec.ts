import { execFile } from 'node:child_process';
import { mkdtemp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { transform } from '@swc/core';
import { fateOf, fullPool, ruledPool } from './ruled-pool.js';

describe('P11: timers that let the process end', () => {
  it('are those of upkeep', async () => {
    const { clock, pool } = await fullPool(
      { size: { min: 1, max: 3 }, keepalive: 10_000, maxLifetime: 60_000, idleTimeout: 30_000 },
      { hooks: ['keepalive'] },
    );
    expect(clock.pending).toBeGreaterThan(0);
    for (let turn = 0; turn < 100; turn++) {
      await clock.advance(1_000);
      expect(clock.holding).toBe(0);
    }
    expect(pool.stats().totals.pings).toBeGreaterThan(0);
  });

  it('are those of pings, resets and closes that hang, with nobody waiting', async () => {
    const { clock, pool, factory } = await fullPool(
      { size: 3, keepalive: 10_000 },
      { hooks: ['keepalive', 'reset'], clock: { random: () => 0 } },
    );
    factory.always('keepalive', 'hang').always('reset', 'hang').always('close', 'hang').always('connect', 'hang');
    const lease = pool.tryAcquire()!;
    pool.tryAcquire()!.release();
    pool.recycle();
    expect(pool.stats()).toMatchObject({ leased: 1, checking: 1, closing: 1 });
    expect(clock.pending).toBeGreaterThan(0);
    expect(clock.holding).toBe(0);
    lease.discard();
    await clock.settle();
    expect(pool.stats().connecting).toBe(1);
    expect(clock.holding).toBe(0);
    await clock.advance(60_000);
    expect(clock.holding).toBe(0);
  });

  it('are those of connects and of pauses between them, with nobody waiting', async () => {
    const { clock, pool } = ruledPool(
      { size: 3 },
      { prepare: (factory) => factory.next('connect', 'hang').always('connect', { fail: new Error('down') }) },
    );
    pool.start();
    for (let turn = 0; turn < 100; turn++) {
      await clock.advance(777);
      expect(clock.pending).toBeGreaterThan(0);
      expect(clock.holding).toBe(0);
    }
  });

  it('are those of a connection on probation', async () => {
    const { clock, pool } = ruledPool(
      { size: 1 },
      { prepare: (factory) => factory.next('connect', { fail: new Error('down') }) },
    );
    pool.start();
    await clock.advance(200);
    expect(pool.stats()).toMatchObject({ idle: 1, downSince: expect.any(Number) });
    expect(clock.pending).toBeGreaterThan(0);
    expect(clock.holding).toBe(0);
  });

  it('are those of leak detection, and of leases', async () => {
    const { clock, pool } = await fullPool({ size: 1, leakDetection: 5_000 });
    const before = clock.pending;
    pool.tryAcquire();
    expect(clock.pending).toBe(before + 1);
    expect(clock.holding).toBe(0);
  });
});

describe('P11: timers that keep the process alive', () => {
  it.each([undefined, 500, Infinity])(
    'are those behind an acquire while the backend is down (timeout %s)',
    async (timeout) => {
      const { clock, pool } = ruledPool(
        { size: 2, acquireTimeout: 10_000 },
        { prepare: (factory) => factory.always('connect', { fail: new Error('down') }) },
      );
      pool.start();
      await clock.advance(1_000);
      expect(clock.holding).toBe(0);
      const fate = fateOf(pool.acquire({ timeout }));
      for (let turn = 0; turn < 20; turn++) {
        expect(clock.holding).toBeGreaterThan(0);
        await clock.advance(20);
        expect(fate.state).toBe('pending');
      }
      if (timeout === Infinity) return;
      await clock.advance(20_000);
      expect(fate.state).toBe('rejected');
      expect(clock.holding).toBe(0);
    },
  );

  it('are those of the connect that an acquire waits for', async () => {
    const { clock, pool } = ruledPool({ size: 1 }, { prepare: (factory) => factory.always('connect', { after: 100 }) });
    const controller = new AbortController();
    pool.start();
    await clock.settle();
    const idleOnly = clock.holding;
    const fate = fateOf(pool.acquire({ timeout: Infinity, signal: controller.signal }));
    // One more than the scripted connect's own.
    expect(clock.holding).toBe(idleOnly + 1);
    controller.abort(new Error('enough'));
    await clock.settle();
    expect(fate.state).toBe('rejected');
    expect(clock.holding).toBe(idleOnly);
  });

  it('are those of the check that an acquire waits for', async () => {
    const { clock, pool, factory } = await fullPool({ size: 1, checkAfterIdle: 0 }, { hooks: ['keepalive'] });
    factory.always('keepalive', 'hang');
    const fate = fateOf(pool.acquire({ timeout: Infinity }));
    expect(clock.holding).toBe(1);
    await clock.advance(5_000);
    // The ping has failed; a new connection serves him.
    expect(fate.state).toBe('fulfilled');
    expect(clock.holding).toBe(0);
  });

  it('are those behind ready', async () => {
    const { clock, pool, factory } = ruledPool(
      { size: 2 },
      { prepare: (scripted) => scripted.always('connect', { fail: new Error('down') }) },
    );
    const ready = fateOf(pool.ready());
    for (let turn = 0; turn < 20; turn++) {
      await clock.advance(50);
      expect(clock.holding).toBeGreaterThan(0);
    }
    factory.always('connect', 'succeed');
    await clock.advance(60_000);
    expect(ready.state).toBe('fulfilled');
    expect(clock.holding).toBe(0);
  });

  it('are no longer those behind a ready that was aborted', async () => {
    const { clock, pool } = ruledPool({ size: 1 }, { prepare: (factory) => factory.always('connect', 'hang') });
    const controller = new AbortController();
    const ready = fateOf(pool.ready({ signal: controller.signal }));
    await clock.settle();
    expect(clock.holding).toBe(1);
    controller.abort(new Error('enough'));
    await clock.settle();
    expect(ready.reason).toEqual(new Error('enough'));
    expect(clock.holding).toBe(0);
  });

  it('are those behind close: its deadline, and farewells', async () => {
    const { clock, pool, factory } = await fullPool({ size: 2 });
    factory.always('close', 'hang');
    const lease = pool.tryAcquire()!;
    const closed = fateOf(pool.close({ timeout: Infinity }));
    expect(clock.holding).toBe(1);
    await clock.advance(5_000);
    void pool.close({ timeout: 20_000 });
    expect(clock.holding).toBe(1);
    lease.release();
    await clock.settle();
    expect(clock.holding).toBe(2);
    await clock.advance(5_000);
    expect(closed.state).toBe('fulfilled');
    expect(clock.pending).toBe(0);
  });

  it('are those of farewells that had begun before close', async () => {
    const { clock, pool, factory } = await fullPool({ size: 1, closeTimeout: 5_000 });
    factory.next('close', 'hang');
    pool.recycle();
    expect(clock.holding).toBe(0);
    const closed = fateOf(pool.close({ timeout: Infinity }));
    expect(clock.holding).toBe(1);
    await clock.advance(5_000);
    expect(closed.state).toBe('fulfilled');
  });
});

describe('P11: a process of its own', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'nestjs-connection-pool-'));
    const target = path.join(directory, 'pool');
    await mkdir(target);
    await writeFile(path.join(directory, 'package.json'), '{ "type": "module" }');
    await symlink(path.join(root, 'node_modules'), path.join(directory, 'node_modules'));
    const source = path.join(root, 'src', 'pool');
    for (const file of await readdir(source)) {
      const text = await readFile(path.join(source, file), 'utf8');
      const { code } = await transform(text, {
        swcrc: false,
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'es6' },
      });
      await writeFile(path.join(target, file.replace(/\.ts$/, '.js')), code);
    }
  });

  afterAll(() => rm(directory, { recursive: true, force: true }));

  /** What a process that runs this prints, and how it ends; it is killed if it does not end by itself. */
  async function run(script: string): Promise<{ code: number | string | null | undefined; output: string }> {
    const file = path.join(directory, 'script.js');
    const head = `
      import { ConnectionPool } from './pool/connection-pool.js';
      import { ConnectionFactory } from './pool/connection-factory.js';
    `;
    await writeFile(file, head + script);
    return new Promise((resolve) => {
      execFile(process.execPath, [file], { timeout: 20_000 }, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : (error.signal ?? error.code), output: stdout + stderr });
      });
    });
  }

  it('ends by itself though pools are open, idle and cut off, and all of their timers run', async () => {
    const { code, output } = await run(`
      class Fine extends ConnectionFactory {
        connect() { return {}; }
        keepalive() {}
      }
      class Down extends Fine {
        connect() { throw new Error('down'); }
      }
      const settings = { size: 3, keepalive: 60_000, maxLifetime: 120_000, leakDetection: 60_000 };
      const fine = new ConnectionPool(new Fine(), settings);
      await fine.ready();
      fine.tryAcquire();
      new ConnectionPool(new Down(), settings).start();
      console.log('done');
    `);
    expect(output).toBe('done\n');
    expect(code).toBe(0);
  });

  it('stays until a caller has his connection, however long he is willing to wait', async () => {
    const { code, output } = await run(`
      let fails = 3;
      class Late extends ConnectionFactory {
        connect() {
          if (fails-- > 0) throw new Error('down');
          return {};
        }
      }
      const pool = new ConnectionPool(new Late(), { size: 1, acquireTimeout: Infinity, reconnect: { delay: 30 } });
      await pool.acquire();
      console.log('served');
    `);
    expect(output).toBe('served\n');
    expect(code).toBe(0);
  });

  it('stays until a pool is ready, and until it is closed', async () => {
    const { code, output } = await run(`
      let fails = 2;
      class Slow extends ConnectionFactory {
        connect() {
          if (fails-- > 0) throw new Error('down');
          return {};
        }
        close() { return new Promise(() => {}); }
      }
      const pool = new ConnectionPool(new Slow(), { size: 1, closeTimeout: 50, reconnect: { delay: 30 } });
      await pool.ready();
      pool.tryAcquire();
      await pool.close({ timeout: 50 });
      process.removeAllListeners('warning');
      console.log('closed');
    `);
    expect(output).toContain('closed\n');
    expect(code).toBe(0);
  });
});
