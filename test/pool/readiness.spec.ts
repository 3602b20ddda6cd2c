import { describe, expect, it } from '@jest/globals';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import { ScriptedFactory } from '../../src/testing/scripted-factory.js';
import { fateOf, fullPool, ruledPool } from './ruled-pool.js';

describe('ready()', () => {
  it('starts the pool, and resolves once it is full', async () => {
    const { clock, pool } = ruledPool(
      { size: 3, maxConnecting: 1 },
      { prepare: (factory) => factory.always('connect', { after: 100 }) },
    );
    const ready = fateOf(pool.ready());
    await clock.advance(299);
    expect(ready.state).toBe('pending');
    expect(pool.stats().open).toBe(2);
    await clock.advance(1);
    expect(ready.state).toBe('fulfilled');
  });

  it('asked for so many connections, resolves once so many are open', async () => {
    const { clock, pool } = ruledPool(
      { size: 3, maxConnecting: 1 },
      { prepare: (factory) => factory.always('connect', { after: 100 }) },
    );
    const one = fateOf(pool.ready({ connections: 1 }));
    const two = fateOf(pool.ready({ connections: 2 }));
    await clock.advance(100);
    expect([one.state, two.state]).toEqual(['fulfilled', 'pending']);
    await clock.advance(100);
    expect(two.state).toBe('fulfilled');
    await expect(pool.ready({ connections: 2 })).resolves.toBeUndefined();
  });

  it('resolves at once if the pool is full, its connections on loan included', async () => {
    const { pool } = await fullPool({ size: 2 });
    pool.tryAcquire();
    await expect(pool.ready()).resolves.toBeUndefined();
  });

  it('waits through an outage', async () => {
    const { clock, pool, factory } = ruledPool(
      { size: 2 },
      { prepare: (scripted) => scripted.always('connect', { fail: new Error('down') }) },
    );
    const ready = fateOf(pool.ready());
    await clock.advance(100_000);
    expect(ready.state).toBe('pending');
    factory.always('connect', 'succeed');
    await clock.advance(60_000);
    expect(ready.state).toBe('fulfilled');
  });

  it('rejects with the reason of a signal that is aborted already, and starts nothing', async () => {
    const { clock, pool, factory } = ruledPool({ size: 1 });
    const reason = new Error('enough');
    await expect(pool.ready({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await clock.settle();
    expect(factory.calls.connect).toBe(0);
  });

  it('rejects with the reason of a signal that is aborted later, and goes on filling', async () => {
    const { clock, pool } = ruledPool({ size: 1 }, { prepare: (factory) => factory.always('connect', { after: 100 }) });
    const controller = new AbortController();
    const ready = fateOf(pool.ready({ signal: controller.signal }));
    const other = fateOf(pool.ready());
    const reason = new Error('enough');
    controller.abort(reason);
    await clock.advance(100);
    expect(ready.reason).toBe(reason);
    expect(other.state).toBe('fulfilled');
    expect(pool.stats().idle).toBe(1);
  });
});

describe('A pool without any settings', () => {
  it('has ten connections, on the clock of the system', async () => {
    const factory = new ScriptedFactory();
    await using pool = new ConnectionPool(factory);
    await pool.ready();
    expect(pool.stats()).toMatchObject({ size: 10, idle: 10 });
    expect(pool.name).toBe('scripted');
  });
});
