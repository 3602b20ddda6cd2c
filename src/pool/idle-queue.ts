import type { PooledConnection } from './pooled-connection.js';

/**
 * Idle connections; the links are in the connections. Where the longest idle is lent first, they are in the order of
 * their last use or ping, and all is O(1). Where the last used is lent first, they are in the order of their last lease:
 * one that comes back from a ping walks to its place. Else pings would pass the work round, and in an elastic pool none
 * would ever be idle for long enough to be closed.
 */
export class IdleQueue<C> {
  /** The one idle for longest. */
  oldest: PooledConnection<C> | undefined;
  newest: PooledConnection<C> | undefined;

  constructor(public order: 'fifo' | 'lifo') {}

  push(entry: PooledConnection<C>): void {
    let older = this.newest;
    if (this.order === 'lifo') {
      while (older !== undefined && older.leasedAt > entry.leasedAt) older = older.older;
    }
    const newer = older === undefined ? this.oldest : older.newer;
    entry.older = older;
    entry.newer = newer;
    if (older === undefined) this.oldest = entry;
    else older.newer = entry;
    if (newer === undefined) this.newest = entry;
    else newer.older = entry;
  }

  remove(entry: PooledConnection<C>): void {
    const { older, newer } = entry;
    if (older === undefined) this.oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.newest = older;
    else newer.older = older;
    entry.older = undefined;
    entry.newer = undefined;
  }

  *[Symbol.iterator](): Iterator<PooledConnection<C>> {
    for (let entry = this.oldest; entry !== undefined; entry = entry.newer) yield entry;
  }
}
