import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, test } from '@jest/globals';
import { ConnectionError } from '../../src/pool/connection-error.js';
import { retry } from '../../src/retry/retry.js';
import { fateOf, filled, rejection, workbench } from './workbench.js';

const STAGES = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;

type Told = Array<[stage: string, event: Record<string, unknown>]>;

const cleanUps: Array<() => void> = [];

afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

/** What is told of something that takes time, with each event as it was at that moment. */
function trace(kind: string, also?: (stage: string) => void): Told {
  const told: Told = [];
  const tell = (stage: string) => (event: object) => {
    told.push([stage, { ...event }]);
    also?.(stage);
  };
  const all = Object.fromEntries(STAGES.map((stage) => [stage, tell(stage)])) as Record<
    (typeof STAGES)[number],
    (event: object) => void
  >;
  const channels = tracingChannel<unknown, object>(`nestjs-connection-pool:${kind}`);
  channels.subscribe(all);
  cleanUps.push(() => channels.unsubscribe(all));
  return told;
}

function listen(kind: string): unknown[] {
  const told: unknown[] = [];
  const name = `nestjs-connection-pool:${kind}`;
  const listener = (event: unknown): void => void told.push(event);
  subscribe(name, listener);
  cleanUps.push(() => unsubscribe(name, listener));
  return told;
}

const stages = (told: Told): string[] => told.map(([stage]) => stage);

describe('The channel of acquire', () => {
  test('tells of a caller who is served at once: start and end, and that he does not wait', async () => {
    const { pool } = await filled({ size: 1 });
    const told = trace('acquire');
    await pool.acquire();
    expect(told).toEqual([
      ['start', { pool: 'ledger', poolId: pool.id, waits: false }],
      ['end', { pool: 'ledger', poolId: pool.id, waits: false }],
    ]);
  });

  test('tells of one who waits when that is over, too', async () => {
    const { clock, pool } = await filled({ size: 1 });
    const lease = await pool.acquire();
    const told = trace('acquire');
    const fate = fateOf(pool.acquire());
    expect(stages(told)).toEqual(['start', 'end']);
    lease.release();
    await clock.settle();
    expect(fate.state).toBe('resolved');
    expect(stages(told)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
    expect(told.at(-1)![1]).toEqual({ pool: 'ledger', poolId: pool.id, waits: true });
  });

  test('tells of one whose time is up, with what he is told', async () => {
    const { clock, pool } = await filled({ size: 1, acquireTimeout: 100 });
    await pool.acquire();
    const told = trace('acquire');
    const fate = fateOf(pool.acquire());
    await clock.advance(100);
    expect(stages(told)).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
    expect(told.at(-1)![1]).toEqual({ pool: 'ledger', poolId: pool.id, waits: true, error: fate.error });
  });

  test('tells of one who is turned away at once', async () => {
    const { pool } = await filled({ size: 1, maxWaiting: 0 });
    await pool.acquire();
    const told = trace('acquire');
    const error = await rejection(pool.use(() => undefined));
    expect(stages(told)).toEqual(['start', 'error', 'end']);
    expect(told[1]![1]).toMatchObject({ pool: 'ledger', poolId: pool.id, error });
  });

  test('lets an observer call the pool, at any stage, and nobody is overtaken', async () => {
    const { clock, pool } = await filled({ size: 2 });
    const first = await pool.acquire();
    const served: string[] = [];
    let calls = 0;
    const use = (name: string): void => void pool.use(() => void served.push(name));
    trace('acquire', (stage) => {
      if (calls < 20) use(`${stage} ${calls++}`);
    });
    use('a');
    use('b');
    first.release();
    await clock.settle();
    expect(served).toContain('a');
    expect(served.indexOf('a')).toBeLessThan(served.indexOf('b'));
    expect(served).toHaveLength(22);
    expect(pool.stats()).toMatchObject({ idle: 2, leased: 0, waiting: 0 });
  });

  test('lets an observer close the pool as soon as somebody asks', async () => {
    const { pool } = await filled({ size: 1 });
    trace('acquire', () => void pool.close());
    expect(await rejection(pool.acquire())).toMatchObject({ code: 'ERR_POOL_CLOSED' });
  });
});

describe('The channel of use', () => {
  test.each(['acquire', 'use', 'tryAcquire'] as const)(
    'tells of a lease by %s, from its beginning to its end',
    async (how) => {
      const { pool } = await filled({ size: 1 });
      const told = trace('use');
      if (how === 'use') await pool.use(() => expect(stages(told)).toEqual(['start', 'end']));
      else {
        const lease = how === 'acquire' ? await pool.acquire() : pool.tryAcquire()!;
        expect(stages(told)).toEqual(['start', 'end']);
        lease.release();
        lease.release();
        lease.discard();
      }
      expect(stages(told)).toEqual(['start', 'end', 'asyncStart', 'asyncEnd']);
      expect(told.at(-1)![1]).toEqual({ pool: 'ledger', poolId: pool.id });
    },
  );

  test('tells what the work failed with', async () => {
    const { pool } = await filled({ size: 1 });
    const told = trace('use');
    const error = new Error('work');
    await rejection(pool.use(() => Promise.reject(error)));
    expect(stages(told)).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
    expect(told.at(-1)![1]).toEqual({ pool: 'ledger', poolId: pool.id, error });
  });

  test('tells of a lease that is discarded, and of one that had to be waited for', async () => {
    const { clock, pool } = await filled({ size: 1 });
    const told = trace('use');
    const lease = await pool.acquire();
    const fate = fateOf(pool.acquire());
    lease.discard(new ConnectionError('broken'));
    await clock.advance(1_000);
    expect(stages(told)).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd', 'start', 'end']);
    fate.value!.release();
    expect(stages(told).slice(-2)).toEqual(['asyncStart', 'asyncEnd']);
  });

  test('tells nothing of a lease that began before anybody listened', async () => {
    const { pool } = await filled({ size: 1 });
    const lease = await pool.acquire();
    const told = trace('use');
    lease.release();
    expect(told).toEqual([]);
  });
});

describe('The channel of connect', () => {
  test('tells of each connect, and what it failed with', async () => {
    const { factory, clock, pool } = workbench({ size: 1, reconnect: { jitter: 'none' } });
    const down = new Error('down');
    factory.next('connect', { fail: down });
    const told = trace('connect');
    pool.start();
    await clock.advance(1_000);
    expect(stages(told)).toEqual([
      'start',
      'end',
      'error',
      'asyncStart',
      'asyncEnd',
      'start',
      'end',
      'asyncStart',
      'asyncEnd',
    ]);
    expect(told[2]![1]).toEqual({ pool: 'ledger', poolId: pool.id, attempt: 1, error: down });
    expect(told.at(-1)![1]).toEqual({ pool: 'ledger', poolId: pool.id, attempt: 2 });
  });

  test('tells of one that is given up', async () => {
    const { factory, clock, pool } = workbench({ size: 1 });
    factory.always('connect', 'hang');
    const told = trace('connect');
    pool.start();
    await clock.settle();
    await pool.close();
    expect(stages(told)).toEqual(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
    expect(told.at(-1)![1]['error']).toMatchObject({ code: 'ERR_POOL_CLOSED' });
  });
});

describe('The other channels', () => {
  test('tell of connections that are closed, and what for', async () => {
    const { clock, pool } = await filled({ size: 2 });
    const told = listen('discard');
    (await pool.acquire()).discard();
    await clock.settle();
    await pool.close();
    expect(told).toEqual([
      { pool: 'ledger', poolId: pool.id, reason: 'broken' },
      { pool: 'ledger', poolId: pool.id, reason: 'shutdown' },
      { pool: 'ledger', poolId: pool.id, reason: 'shutdown' },
    ]);
  });

  test('tell of what a connection was lost by, whoever said so', async () => {
    const { factory, clock, pool } = await filled({ size: 3 });
    const told = listen('discard');
    const [reset, idle, leased] = [new ConnectionError('reset'), new Error('ended'), new Error('kicked')];
    await pool.use(() => Promise.reject(reset)).catch(() => undefined);
    factory.opened[1]!.die(idle);
    const lease = await pool.acquire();
    lease.connection.die(leased);
    lease.release();
    await clock.settle();
    expect(told).toEqual(
      [reset, idle, leased].map((error) => ({ pool: 'ledger', poolId: pool.id, reason: 'broken', error })),
    );
  });

  test('tell of a connection that comes too late', async () => {
    const { factory, clock, pool } = workbench({ size: 1, connectTimeout: 100 });
    factory.next('connect', { after: 200 });
    const told = listen('discard');
    pool.start();
    await clock.advance(300);
    expect(told).toEqual([{ pool: 'ledger', poolId: pool.id, reason: 'surplus' }]);
  });

  test('tell of pings, and what they failed with', async () => {
    const { factory, clock, pool } = await filled({ size: 1, keepalive: 1_000 }, ['keepalive']);
    const told = listen('keepalive');
    await clock.advance(1_000);
    const silent = new Error('silent');
    factory.next('keepalive', { fail: silent });
    await clock.advance(1_000);
    expect(told).toEqual([
      { pool: 'ledger', poolId: pool.id, error: undefined },
      { pool: 'ledger', poolId: pool.id, error: silent },
    ]);
  });

  test('tell of a resize', async () => {
    const { pool } = await filled({ size: 2 });
    const told = listen('resize');
    pool.resize({ min: 1, max: 4 });
    expect(told).toEqual([{ pool: 'ledger', poolId: pool.id, size: { min: 1, max: 4 } }]);
  });

  test('tell of retries, and of giving up', async () => {
    const [retries, givenUp] = [listen('retry'), listen('give-up')];
    const error = new ConnectionError('down');
    await rejection(retry(() => Promise.reject(error), { maxRetries: 1, delay: 0, logger: false }));
    expect(retries).toEqual([expect.objectContaining({ attempt: 1, error, delay: 0 })]);
    expect(givenUp).toEqual([expect.objectContaining({ attempt: 2, error })]);
  });
});
