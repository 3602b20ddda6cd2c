import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import { PoolLog } from '../../src/pool/pool-log.js';
import type { PoolLogger, PoolSettings } from '../../src/pool/settings.js';
import { ScriptedFactory, VirtualClock } from '../../src/testing/index.js';
import { fateOf } from './workbench.js';

afterEach(() => {
  jest.restoreAllMocks();
});

/** A logger that keeps its lines as `level: message`. */
function noting(): { logger: PoolLogger; lines: string[]; contexts: unknown[] } {
  const lines: string[] = [];
  const contexts: unknown[] = [];
  const note = (level: string) => (message: unknown, context: unknown) => {
    lines.push(`${level}: ${String(message)}`);
    contexts.push(context);
  };
  return { lines, contexts, logger: { log: note('log'), warn: note('warn'), error: note('error') } };
}

interface Bench {
  readonly clock: VirtualClock;
  readonly factory: ScriptedFactory;
  readonly pool: ConnectionPool<import('../../src/testing/index.js').ScriptedConnection>;
  readonly lines: string[];
  readonly contexts: unknown[];
}

function bench(settings: PoolSettings = {}): Bench {
  const clock = new VirtualClock({ random: () => 0.5 });
  const factory = new ScriptedFactory({ clock });
  const { logger, lines, contexts } = noting();
  const pool = new ConnectionPool(factory, { name: 'mail', size: 1, logger, clock, ...settings });
  return { clock, factory, pool, lines, contexts };
}

const refused = (): Error => Object.assign(new Error('connect failed'), { code: 'ECONNREFUSED' });

describe('N7: what a pool logs', () => {
  test('nothing while all is well', async () => {
    const { pool, clock, lines } = bench({ maxUses: 2 });
    for (let lease = 0; lease < 5; lease++) await pool.use(() => {});
    pool.recycle();
    await clock.advance(10_000);
    await pool.close();
    expect(lines).toEqual([]);
  });

  test('a connection that was lost, and why', async () => {
    const { pool, factory, clock, lines, contexts } = bench();
    await pool.ready();
    await clock.advance(5_000);
    factory.opened[0]!.die(Object.assign(new Error('read failed'), { code: 'ECONNRESET' }));
    await clock.advance(5_000);
    factory.opened[1]!.emit('end');
    await clock.settle();
    expect(lines[0]).toBe('warn: Pool "mail" lost a connection: read failed (ECONNRESET)');
    expect(lines[1]).toBe('warn: Pool "mail" lost a connection: the other side closed it');
    expect(new Set(contexts)).toEqual(new Set(['ConnectionPool']));
    await pool.close();
  });

  test('a connection that its factory does not want to lend any more', async () => {
    const clock = new VirtualClock();
    const { logger, lines } = noting();
    const factory = new ScriptedFactory({ clock, hooks: ['isUsable'] });
    await using pool = new ConnectionPool(factory, { name: 'mail', size: 1, logger, clock });
    await pool.ready();
    await clock.advance(5_000);
    factory.opened[0]!.usable = false;
    expect(pool.tryAcquire()).toBeUndefined();
    await clock.settle();
    expect(lines).toEqual([
      `warn: Pool "mail" lost a connection: The connection is no longer usable: its factory's isUsable() says so`,
    ]);
  });

  test('connections lost in the same turn make one line', async () => {
    const { pool, factory, clock, lines } = bench({ size: 5 });
    await pool.ready();
    await clock.advance(5_000);
    for (const connection of factory.opened.slice(0, 5)) connection.die(new Error('restart'));
    await clock.advance(5_000);
    expect(lines).toEqual(['warn: Pool "mail" lost 5 connections: restart']);
    factory.opened[5]!.die(new Error('once more'));
    await clock.settle();
    expect(lines[1]).toBe('warn: Pool "mail" lost a connection: once more');
    await pool.close();
  });

  test('work that breaks a connection, with its error, and not the work', async () => {
    const { pool, clock, lines } = bench();
    await expect(pool.use(() => Promise.reject(refused()))).rejects.toThrow('connect failed');
    await clock.settle();
    expect(lines).toContain('warn: Pool "mail" lost a connection: connect failed (ECONNREFUSED)');
    await pool.close();
  });

  test('the backend going down and coming back, once per outage and not per attempt', async () => {
    const { pool, factory, clock, lines } = bench();
    factory.always('connect', { fail: refused() });
    pool.start();
    await clock.advance(60_000);
    expect(factory.calls.connect).toBeGreaterThan(5);
    expect(lines).toEqual(['error: Pool "mail" cannot connect, and goes on trying: connect failed (ECONNREFUSED)']);
    factory.always('connect', 'succeed');
    await clock.advance(60_000);
    const { connectFailures } = pool.stats().totals;
    expect(lines).toHaveLength(2);
    expect(lines[1]).toMatch(
      new RegExp(`^log: Pool "mail" connects again, after [\\d.]+ (s|min) and ${connectFailures} failed connects$`),
    );
    factory.always('connect', { fail: refused() });
    pool.recycle();
    await clock.advance(1_000);
    expect(lines).toHaveLength(3);
    await pool.close();
  });

  test('an outage that begins with a connection that was lost at once, in other words than a refused one', async () => {
    const { pool, factory, clock, lines } = bench();
    await pool.ready();
    factory.opened[0]!.die(new Error('kicked'));
    await clock.advance(5_000);
    expect(lines).toEqual([
      'warn: Pool "mail" lost a connection: kicked',
      'error: Pool "mail" loses connections as soon as they are open, and goes on trying: kicked',
      'log: Pool "mail" connects again, after 1.1 s and one failed connect; a lost connection is replaced',
    ]);
    await pool.close();
  });

  test('an outage of which nobody notices the end for long, as what there is serves: one line for its beginning and its end', async () => {
    const { pool, factory, clock, lines } = bench({ size: { min: 1, max: 3 }, acquireTimeout: 20 });
    await pool.ready();
    await clock.advance(2_000);
    factory.always('connect', { fail: refused() });
    for (let wave = 0; wave < 20; wave++) {
      const uses = Array.from({ length: 4 }, () => fateOf(pool.use(() => clock.sleep(15))));
      await clock.advance(1_000);
      expect(uses.map(({ state }) => state)).toEqual(['resolved', 'resolved', 'rejected', 'rejected']);
    }
    factory.always('connect', 'succeed');
    const second = [fateOf(pool.acquire({ timeout: Infinity })), fateOf(pool.acquire({ timeout: Infinity }))];
    await clock.advance(60_000);
    expect(second.map(({ state }) => state)).toEqual(['resolved', 'resolved']);
    expect(lines).toEqual([
      expect.stringMatching(/^error: Pool "mail" cannot connect, and goes on trying: /),
      expect.stringMatching(/^log: Pool "mail" connects again, after [\d.]+ s and \d+ failed connects$/),
    ]);
    await pool.close({ timeout: 0 });
  });

  test('how many connections an outage has cost, and not those that were made up for before', async () => {
    const { pool, factory, clock, lines } = bench({ size: 3 });
    await pool.ready();
    await clock.advance(2_000);
    factory.opened[0]!.die(new Error('idle for too long'));
    await clock.advance(2_000);
    factory.always('connect', { fail: refused() });
    for (const connection of factory.opened.slice(1)) connection.die(new Error('restart'));
    await clock.advance(5_000);
    factory.always('connect', 'succeed');
    await clock.advance(60_000);
    expect(lines.at(-1)).toMatch(
      /^log: Pool "mail" connects again, after [\d.]+ (s|min) and \d+ failed connects; 3 lost connections are replaced$/,
    );
    expect(pool.stats().totals.closed.broken).toBe(4);
    await pool.close();
  });

  test('a lease that is held for too long, with its age and where it was taken', async () => {
    const { pool, clock, lines } = bench({ leakDetection: '10s' });
    const lease = await pool.acquire();
    await clock.advance(20_000);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('warn: Pool "mail" a lease has been held for 10 s (leakDetection); it was taken\n');
    expect(lines[0]).toContain('pool-log.spec');
    lease.release();
    await pool.close();
  });

  test('a close that was forced, of one lease and of several', async () => {
    const one = bench();
    await one.pool.acquire();
    const closed = one.pool.close({ timeout: '3s' });
    await one.clock.advance(3_000);
    await closed;
    expect(one.lines).toEqual([
      'warn: Pool "mail" closes a connection that is still leased: not returned within 3 s of close()',
    ]);
    const two = bench({ size: 2 });
    await Promise.all([two.pool.acquire(), two.pool.acquire()]);
    await two.pool.close({ timeout: 0 });
    expect(two.lines).toEqual([
      'warn: Pool "mail" closes 2 connections that are still leased: not returned within 0 ms of close()',
    ]);
  });

  test('a close that took too long', async () => {
    const { pool, factory, clock, lines } = bench();
    factory.next('close', 'hang');
    await pool.ready();
    const closed = pool.close();
    await clock.advance(5_000);
    await closed;
    expect(lines).toEqual([
      'warn: Pool "mail" closing a connection (shutdown) took longer than closeTimeout; it has no destroy(), and was abandoned',
    ]);
  });

  test('never a connection, nor what its work yields', async () => {
    const { pool, factory, clock, lines } = bench({ leakDetection: '1s' });
    await pool.ready();
    Object.assign(factory.opened[0]!, { password: 'hunter2' });
    const lease = await pool.acquire();
    await clock.advance(5_000);
    factory.opened[0]!.die(Object.assign(new Error('gone'), { payload: 'hunter2', socket: factory.opened[0] }));
    lease.release();
    factory.always('connect', { fail: Object.assign(refused(), { config: { password: 'hunter2' } }) });
    await pool.close({ timeout: 0 });
    await clock.advance(5_000);
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.join('\n')).not.toContain('hunter2');
  });

  test('a logger that throws costs nothing', async () => {
    const fail = (): never => {
      throw new Error('disk full');
    };
    const { pool, factory, clock } = bench({ logger: { log: fail, warn: fail, error: fail }, leakDetection: '1s' });
    factory.next('connect', { fail: refused() });
    const lease = await (async () => {
      const acquired = pool.acquire();
      await clock.advance(5_000);
      return acquired;
    })();
    await clock.advance(5_000);
    factory.opened[0]!.die();
    lease.release();
    await clock.advance(5_000);
    expect(pool.stats()).toMatchObject({ idle: 1, downSince: undefined });
    await pool.close();
  });

  test('a logger that rejects does not reach unhandledRejection', async () => {
    const { unhandledDuring } = await import('./rejections.js');
    const fail = (): Promise<never> => Promise.reject(new Error('disk full'));
    const { pool, factory, clock } = bench({ logger: { log: fail, warn: fail, error: fail } });
    const unhandled = await unhandledDuring(async () => {
      factory.next('connect', { fail: refused() });
      pool.start();
      await clock.advance(5_000);
      factory.opened[0]!.die();
      await clock.settle();
      await pool.close();
    });
    expect(unhandled).toEqual([]);
  });
});

describe('N7: without a logger', () => {
  test('leaks and forced closes are warnings of the process, and nothing else is said', async () => {
    const warnings = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const { pool, factory, clock } = bench({ logger: undefined, leakDetection: '1s' });
    factory.next('connect', { fail: refused() });
    const acquired = pool.acquire();
    await clock.advance(500);
    await acquired;
    expect(warnings).not.toHaveBeenCalled();
    await clock.advance(1_000);
    expect(warnings).toHaveBeenCalledTimes(1);
    await pool.close({ timeout: 0 });
    expect(warnings.mock.calls.map(([message, type]) => [String(message).split('\n')[0], type])).toEqual([
      ['Pool "mail" a lease has been held for 1 s (leakDetection); it was taken', 'ConnectionPoolWarning'],
      [
        'Pool "mail" closes a connection that is still leased: not returned within 0 ms of close()',
        'ConnectionPoolWarning',
      ],
    ]);
  });

  test('a lost connection is not even looked at', () => {
    const clock = new VirtualClock();
    const later = jest.spyOn(clock, 'setImmediate');
    new PoolLog('mail', undefined, clock).connectionLost(new Error('gone'));
    expect(later).not.toHaveBeenCalled();
  });

  test('a lease that was garbage-collected is a warning too, with its remedy', () => {
    const warnings = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    new PoolLog('mail', undefined, new VirtualClock()).collected(90_000, '    at somewhere');
    expect(warnings.mock.calls[0]![0]).toBe(
      'Pool "mail" a lease was garbage-collected after 90 s without having been released; its connection is replaced. ' +
        'Use use(), or release() in a finally. It was taken\n    at somewhere',
    );
  });
});
