import { Alarm } from '../pool/alarm.js';
import type { ConnectionPool } from '../pool/connection-pool.js';
import { ConnectTimeoutError } from '../pool/errors.js';
import type { SizeBounds } from '../pool/settings.js';
import type { OwnedPool } from './pool-registry.js';

/**
 * Waits until every pool has the connections that the application's start is to wait for (`waitFor`).
 * @throws the last connect error of the first pool that does not get there within its `startupTimeout`, or a
 *   ConnectTimeoutError if no connect has failed by then
 */
export async function awaitStartup(pools: readonly OwnedPool[]): Promise<void> {
  await Promise.all(pools.filter(({ settings }) => settings.waitFor !== 'none').map((each) => awaitPool(each)));
}

async function awaitPool({ pool, settings }: OwnedPool): Promise<void> {
  const { waitFor, size, startupTimeout, clock } = settings;
  const timeout = new AbortController();
  const alarm = new Alarm(clock, () => timeout.abort(), true);
  alarm.setFor(clock.now() + startupTimeout);
  try {
    await (waitFor === 'one' ? oneOf(pool, size, timeout.signal) : pool.ready({ signal: timeout.signal }));
  } catch (error) {
    if (!timeout.signal.aborted) throw error;
    // The very error of the backend: it says more than that there was a time-out.
    throw (pool.stats().lastConnectError ??
      new ConnectTimeoutError(pool.name, startupTimeout, 'startupTimeout')) as Error;
  } finally {
    alarm.clear();
  }
}

/** A pool that may be empty opens a connection only for somebody who asks. */
async function oneOf(pool: ConnectionPool<unknown>, size: SizeBounds, signal: AbortSignal): Promise<void> {
  if (size.min > 0) return pool.ready({ signal, connections: 1 });
  const lease = await pool.acquire({ signal, timeout: Infinity });
  lease.release();
}
