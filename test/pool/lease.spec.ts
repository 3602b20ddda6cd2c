import { describe, expect, test } from '@jest/globals';
import { ConnectionError, isConnectionError } from '../../src/pool/connection-error.js';
import { LeaseReleasedError } from '../../src/pool/errors.js';
import type { Lease } from '../../src/pool/lease.js';
import type { ScriptedConnection } from '../../src/testing/index.js';
import { fateOf, filled } from './workbench.js';

describe('P8: the end of a lease', () => {
  type End = [string, (lease: Lease<ScriptedConnection>) => void];
  const ends: End[] = [
    ['release()', (lease) => lease.release()],
    ['release(error)', (lease) => lease.release(new ConnectionError('broken'))],
    ['discard()', (lease) => lease.discard()],
    ['discard(error)', (lease) => lease.discard(new Error('broken'))],
    ['[Symbol.dispose]()', (lease) => lease[Symbol.dispose]()],
    ['[Symbol.asyncDispose]()', (lease) => void lease[Symbol.asyncDispose]()],
  ];
  const pairs = ends.flatMap(([first, end]) => ends.map(([second, again]) => [second, first, again, end] as const));

  test.each(pairs)('%s after %s does nothing', async (_second, _first, again, end) => {
    const { clock, factory, pool } = await filled({ size: 1, reconnect: { delay: 1 } });
    const lease = await pool.acquire();
    end(lease);
    await clock.advance(10);
    // By now it, or its successor, serves somebody else.
    const other = await pool.acquire();
    const closed = factory.closed.length;
    again(lease);
    await clock.settle();
    expect(pool.stats()).toMatchObject({ leased: 1, idle: 0 });
    expect(other.connection.closedFor).toEqual([]);
    expect(factory.closed).toHaveLength(closed);
  });

  test('its connection cannot be reached through it any more', async () => {
    const { pool } = await filled({ size: 2, name: 'mail' });
    for (const [, end] of ends) {
      const lease = pool.tryAcquire();
      if (lease === undefined) continue;
      expect(lease.connection).toBe(lease.connection);
      end(lease);
      expect(() => lease.connection).toThrow(LeaseReleasedError);
      expect(() => lease.connection).toThrow(/Pool "mail".*may serve another caller/);
    }
    expect(pool.stats().totals.acquired).toBeGreaterThanOrEqual(3);
  });

  test('release() returns the connection', async () => {
    const { factory, pool } = await filled({ size: 1 });
    (await pool.acquire()).release();
    expect(pool.stats()).toMatchObject({ idle: 1 });
    expect(factory.closed).toEqual([]);
  });

  test('release(error) decides as use() does', async () => {
    const { clock, factory, pool } = await filled({ size: 4, siblingsOnBreak: 'keep' });
    const leases = await Promise.all([1, 2, 3, 4].map(() => pool.acquire()));
    const ids = leases.map(({ connection }) => connection.id);
    leases[0]!.release(new Error('of the user'));
    leases[1]!.release(new ConnectionError('broken'));
    leases[2]!.release(Object.assign(new Error('given up'), { name: 'AbortError' }));
    leases[3]!.release(undefined);
    await clock.settle();
    expect(factory.closed.map(({ connection }) => connection.id)).toEqual([ids[1], ids[2]]);
    expect(factory.closed.map(({ reason }) => reason)).toEqual(['broken', 'broken']);
  });

  test('release(error) while the signal of acquire() is aborted costs the connection; release() does not', async () => {
    const { factory, pool } = await filled({ size: 2 });
    const aborter = new AbortController();
    const [one, two] = await Promise.all([1, 2].map(() => pool.acquire({ signal: aborter.signal })));
    aborter.abort();
    one!.release();
    expect(factory.closed).toEqual([]);
    two!.release(new Error('half-way'));
    expect(factory.closed).toHaveLength(1);
  });

  test('discard() closes the connection, and the pool opens another', async () => {
    const { clock, factory, pool } = await filled({ size: 1 });
    const lease = await pool.acquire();
    const { connection } = lease;
    lease.discard();
    expect(connection.closedFor).toEqual(['broken']);
    await clock.settle();
    expect(factory.opened).toHaveLength(2);
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { closed: { broken: 1 } } });
  });

  test('discard() without an error is no break: siblings are left alone', async () => {
    const { pool } = await filled({ size: 3, siblingsOnBreak: 'recycle' });
    (await pool.acquire()).discard();
    expect(pool.stats()).toMatchObject({ idle: 2, totals: { closed: { recycled: 0 } } });
  });

  test('discard(error) is one, and the error counts as a connection error from then on', async () => {
    const { pool } = await filled({ size: 3, siblingsOnBreak: 'recycle' });
    const error = new Error('out of sync');
    (await pool.acquire()).discard(error);
    expect(pool.stats().totals.closed).toMatchObject({ broken: 1, recycled: 2 });
    expect(isConnectionError(error)).toBe(true);
  });

  test('discard(error) with an AbortError is no break', async () => {
    const { pool } = await filled({ size: 3, siblingsOnBreak: 'recycle' });
    (await pool.acquire()).discard(new DOMException('aborted', 'AbortError'));
    expect(pool.stats().totals.closed).toMatchObject({ broken: 1, recycled: 0 });
  });

  test('a block with "using" releases at its end, also when it throws', async () => {
    const { pool } = await filled({ size: 1 });
    {
      using lease = (await pool.acquire()) as Disposable & Lease<ScriptedConnection>;
      expect(lease.connection.id).toBe(1);
      expect(pool.stats().leased).toBe(1);
    }
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1 });
    const failing = async (): Promise<void> => {
      await using lease = await pool.acquire();
      throw new Error(`with ${lease.connection.id}`);
    };
    const fate = fateOf(failing());
    await expect(failing()).rejects.toThrow('with 1');
    expect(fate.error).toEqual(new Error('with 1'));
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1, totals: { closed: { broken: 0 } } });
  });

  test('a lease that ends after its pool was closed by force does nothing more', async () => {
    const { clock, factory, pool } = await filled({ size: 1, logger: { log() {}, warn() {}, error() {} } });
    const lease = await pool.acquire();
    void pool.close({ timeout: 0 });
    await clock.settle();
    expect(factory.opened[0]!.closedFor).toEqual(['shutdown']);
    lease.release(new ConnectionError('cut off'));
    await clock.settle();
    expect(factory.opened[0]!.closedFor).toEqual(['shutdown']);
    expect(() => lease.connection).toThrow(LeaseReleasedError);
  });
});
