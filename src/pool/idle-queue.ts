import type { PooledConnection } from './pooled-connection.js';

/** Idle connections, ordered by when they were last used or pinged. The links are in the connections: all is O(1). */
export class IdleQueue<C> {
  /** The one idle for longest. */
  oldest: PooledConnection<C> | undefined;
  newest: PooledConnection<C> | undefined;

  push(entry: PooledConnection<C>): void {
    entry.older = this.newest;
    if (this.newest === undefined) this.oldest = entry;
    else this.newest.newer = entry;
    this.newest = entry;
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
    // The next one is looked up first, so that the one at hand may be removed.
    for (let entry = this.oldest, next; entry !== undefined; entry = next) {
      next = entry.newer;
      yield entry;
    }
  }
}
