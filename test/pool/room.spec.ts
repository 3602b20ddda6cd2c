import { describe, expect, test } from '@jest/globals';
import { filled, workbench } from './workbench.js';

/** While connections part politely, an elastic pool may have room for others: nobody has to wait for the farewell. */
describe('P1: the place of a connection that parts is filled at once where there is room', () => {
  test('after its lifetime', async () => {
    const { clock, factory, pool } = await filled({ size: { min: 1, max: 2 }, maxLifetime: 5_000 });
    factory.always('close', 'hang');
    await clock.advance(5_000);
    expect(pool.stats()).toMatchObject({ idle: 1, closing: 1 });
    expect(factory.faults).toEqual([]);
  });

  test('as the sibling of one that died while it was leased', async () => {
    const { clock, factory, pool } = await filled({ size: { min: 2, max: 3 }, siblingsOnBreak: 'recycle' });
    // No newcomers any more, whose loss would count as a failed connect.
    await clock.advance(1_000);
    factory.always('close', 'hang');
    const lease = await pool.acquire();
    lease.connection.die();
    await clock.settle();
    expect(pool.stats()).toMatchObject({ idle: 1, leased: 1, closing: 1 });
    expect(factory.faults).toEqual([]);
  });
});

describe('P1: an outage ends with a connection that has lived out its time', () => {
  test('though that was less than the second after which it counts as held', async () => {
    const { clock, factory, pool } = workbench({
      size: 3,
      maxLifetime: 100,
      reconnect: { delay: 1_000, jitter: 'none' },
    });
    factory.next('connect', { fail: new Error('down') }, { fail: new Error('down') }, { fail: new Error('down') });
    pool.start();
    await clock.advance(10_000);
    expect(pool.stats()).toMatchObject({ downSince: undefined, open: 3 });
  });

  test('also when what then begins to connect closes the pool', async () => {
    const { clock, factory, pool } = workbench({
      size: 2,
      maxLifetime: 100,
      reconnect: { delay: 1_000, jitter: 'none' },
    });
    factory.next('connect', { fail: new Error('down') }, { fail: new Error('down') });
    pool.start();
    await clock.advance(1_050);
    expect(pool.stats()).toMatchObject({ idle: 1 });
    factory.onHook = (hook) => {
      if (hook === 'connect') void pool.close();
    };
    await clock.advance(10_000);
    expect(factory.live).toHaveLength(0);
    expect(factory.faults).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});

describe('F5: a connection whose death is told inside its own isUsable()', () => {
  test.each([true, false])('is not lent, and counts as one loss, when that answers %s', async (answer) => {
    const { clock, factory, pool } = workbench({ size: 1 }, ['isUsable']);
    pool.start();
    await clock.settle();
    const [connection] = factory.opened;
    connection!.usable = answer;
    factory.onHook = (hook, asked) => {
      if (hook === 'isUsable' && asked === connection) connection!.die();
    };
    expect(pool.tryAcquire()).toBeUndefined();
    expect(connection!.closedFor).toEqual(['broken']);
    expect(pool.stats().totals.connectFailures).toBe(1);
    expect(factory.faults).toEqual([]);
  });
});
