import { describe, expect, test } from '@jest/globals';
import { fateOf, filled, rejection, workbench } from './workbench.js';

/** An aborter whose signal knows how many listen to it. */
function counted(): { aborter: AbortController; signal: AbortSignal; listeners: () => number } {
  const aborter = new AbortController();
  const { signal } = aborter;
  const known = new Set<unknown>();
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (type: string, listener: never, ...rest: never[]): void => {
    known.add(listener);
    addEventListener.call(signal, type, listener, ...rest);
  };
  signal.removeEventListener = (type: string, listener: never, ...rest: never[]): void => {
    known.delete(listener);
    removeEventListener.call(signal, type, listener, ...rest);
  };
  return { aborter, signal, listeners: () => known.size };
}

describe('P6: what is no signal', () => {
  test('is refused at once, whether a connection is free or not, and leaves no trace', async () => {
    const { pool } = await filled({ size: 1 });
    const signal = 5 as unknown as AbortSignal;
    const refusal = { code: 'ERR_POOL_SETTINGS', faults: [{ path: 'signal', received: '5' }] };
    await expect(pool.acquire({ signal })).rejects.toMatchObject(refusal);
    await expect(pool.ready({ signal })).rejects.toMatchObject(refusal);
    const lease = await pool.acquire();
    await expect(pool.acquire({ signal })).rejects.toMatchObject(refusal);
    expect(pool.stats()).toMatchObject({ waiting: 0, leased: 1 });
    expect(() => lease.release()).not.toThrow();
  });
});

describe('P6: a caller who gives up', () => {
  test('before it asks, is rejected with the very reason, and starts nothing', async () => {
    const { clock, factory, pool } = workbench({ size: 1 });
    const reason = { not: 'an error' };
    expect(await rejection(pool.acquire({ signal: AbortSignal.abort(reason) }))).toBe(reason);
    expect(factory.calls.connect).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test('without a reason, is rejected with the AbortError of the signal', async () => {
    const { pool } = await filled({ size: 1 });
    const error = await rejection(pool.acquire({ signal: AbortSignal.abort() }));
    expect(error).toMatchObject({ name: 'AbortError' });
    expect(pool.stats().idle).toBe(1);
  });

  test('in the queue, is rejected with the very reason and leaves no trace', async () => {
    const { clock, pool } = await filled({ size: 1 });
    await pool.acquire();
    const { aborter, signal, listeners } = counted();
    const fate = fateOf(pool.acquire({ signal }));
    expect(listeners()).toBe(1);
    aborter.abort('enough');
    expect(pool.stats()).toMatchObject({ waiting: 0, longestWait: 0 });
    await clock.settle();
    expect(fate).toMatchObject({ state: 'rejected', error: 'enough' });
    expect(listeners()).toBe(0);
    expect(clock.holding).toBe(0);
    expect(pool.stats().totals.acquireTimeouts).toBe(0);
  });

  test('from the head, the middle or the end of the queue leaves the others in order', async () => {
    for (const leaver of [0, 1, 2]) {
      const { clock, pool } = await filled({ size: 1 });
      const lease = await pool.acquire();
      const aborter = new AbortController();
      const served: number[] = [];
      const fates = [0, 1, 2].map((caller) =>
        fateOf(pool.use(() => void served.push(caller), caller === leaver ? { signal: aborter.signal } : {})),
      );
      aborter.abort();
      lease.release();
      await clock.settle();
      expect(served).toEqual([0, 1, 2].filter((caller) => caller !== leaver));
      expect(fates[leaver]!.state).toBe('rejected');
    }
  });

  test('with a signal that many share: all of them leave, and nobody else', async () => {
    const { clock, pool } = await filled({ size: 1 });
    const lease = await pool.acquire();
    const { aborter, signal, listeners } = counted();
    const fates = Array.from({ length: 100 }, (_, caller) => fateOf(pool.acquire(caller % 2 === 0 ? { signal } : {})));
    // At the eleventh listener Node would warn of a leak that is none.
    expect(listeners()).toBe(1);
    aborter.abort();
    await clock.settle();
    expect(fates.map(({ state }) => state)).toEqual(
      Array.from({ length: 100 }, (_, caller) => (caller % 2 === 0 ? 'rejected' : 'pending')),
    );
    expect(listeners()).toBe(0);
    lease.release();
    await clock.settle();
    expect(fates[1]!.state).toBe('resolved');
  });

  test('in the very tick in which it was served, has been served', async () => {
    const { clock, pool } = await filled({ size: 1 });
    const lease = await pool.acquire();
    const { aborter, signal, listeners } = counted();
    const fate = fateOf(pool.acquire({ signal }));
    lease.release();
    aborter.abort();
    await clock.settle();
    expect(fate.state).toBe('resolved');
    expect(listeners()).toBe(0);
    expect(pool.stats()).toMatchObject({ leased: 1, waiting: 0 });
    fate.value!.release();
    expect(pool.stats()).toMatchObject({ leased: 0, idle: 1 });
  });

  test('in the very tick in which a connection is returned, but before, leaves it to the next', async () => {
    const { clock, pool } = await filled({ size: 1 });
    const lease = await pool.acquire();
    const aborter = new AbortController();
    const [first, second] = [fateOf(pool.acquire({ signal: aborter.signal })), fateOf(pool.acquire())];
    aborter.abort();
    lease.release();
    await clock.settle();
    expect([first.state, second.state]).toEqual(['rejected', 'resolved']);
  });

  test('never cancels a connect: what it opens becomes idle', async () => {
    const { clock, factory, pool } = workbench({ size: { min: 0, max: 3 } });
    factory.always('connect', { after: 100 });
    const aborter = new AbortController();
    const fate = fateOf(pool.acquire({ signal: aborter.signal }));
    await clock.advance(50);
    aborter.abort();
    await clock.advance(50);
    expect(fate.state).toBe('rejected');
    expect(factory.connectContexts[0]!.signal.aborted).toBe(false);
    expect(pool.stats()).toMatchObject({ idle: 1, totals: { connected: 1 } });
  });

  test('while a connection is being checked for it leaves that to the next, or to the idle', async () => {
    const { clock, factory, pool } = await filled({ size: 1, checkAfterIdle: 100 }, ['keepalive']);
    factory.always('keepalive', { after: 20 });
    await clock.advance(200);
    const aborter = new AbortController();
    const fate = fateOf(pool.acquire({ signal: aborter.signal }));
    expect(pool.stats()).toMatchObject({ checking: 1, waiting: 1 });
    aborter.abort();
    await clock.advance(20);
    expect(fate.state).toBe('rejected');
    expect(pool.stats()).toMatchObject({ idle: 1, checking: 0, waiting: 0 });
  });
});

describe('P6: signals that are never aborted', () => {
  test('are not listened to for an idle connection', async () => {
    const { pool } = await filled({ size: 1 });
    const { signal, listeners } = counted();
    (await pool.acquire({ signal })).release();
    await pool.use(() => expect(listeners()).toBe(0), { signal });
    expect(listeners()).toBe(0);
  });

  test('have no listener left once the caller was served or timed out', async () => {
    const { clock, pool } = await filled({ size: 1 });
    const lease = await pool.acquire();
    const { signal, listeners } = counted();
    const [served, timedOut] = [fateOf(pool.acquire({ signal })), fateOf(pool.acquire({ signal, timeout: 10 }))];
    expect(listeners()).toBe(1);
    await clock.advance(10);
    expect(timedOut.state).toBe('rejected');
    expect(listeners()).toBe(1);
    lease.release();
    await clock.settle();
    expect(served.state).toBe('resolved');
    expect(listeners()).toBe(0);
  });

  test('have no listener left after a pool that was closed', async () => {
    const { clock, pool } = await filled({ size: 1, logger: { log() {}, warn() {}, error() {} } });
    await pool.acquire();
    const { signal, listeners } = counted();
    const fate = fateOf(pool.acquire({ signal }));
    void pool.close({ timeout: 0 });
    await clock.settle();
    expect(fate.error).toMatchObject({ code: 'ERR_POOL_CLOSED' });
    expect(listeners()).toBe(0);
  });
});
