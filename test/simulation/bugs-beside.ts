import type { Bug } from '../bug.js';

/** Bugs of what is counted, told and remembered, and of settings and hooks that are rarely met with together. */
export const BESIDE_THE_ROAD: readonly Bug[] = [
  // What is told
  {
    name: 'a failed connect is not counted',
    file: 'filler.ts',
    from: 'this.totals.connectFailures++;',
    to: '',
  },
  {
    name: 'the last connect error is forgotten',
    file: 'filler.ts',
    from: 'this.lastError = error;',
    to: '',
  },
  {
    name: 'what came late is counted as closed at the end of the pool',
    file: 'stock.ts',
    from: 'this.totals.closed.surplus++;',
    to: 'this.totals.closed.shutdown++;',
  },
  {
    name: 'the death of a connection is told twice',
    file: 'stock.ts',
    from: "if (entry.doom !== 'broken') this.mourn(entry, error, kind);",
    to: 'this.mourn(entry, error, kind);',
  },
  {
    name: 'a lease that was given back is reported as held for too long',
    file: 'leak-watch.ts',
    from: 'this.deadlines.remove(record);',
    to: '',
  },
  {
    name: 'a close that takes too long is not told',
    file: 'closer.ts',
    from: 'isLate = true;',
    to: '',
  },
  {
    name: 'a connection that is in use for the second time within its first second is no longer on trial',
    file: 'filler.ts',
    from: 'return !entry.proven && this.clock.now() < endOfProbation(entry);',
    to: 'return entry.uses < 2 && this.clock.now() < endOfProbation(entry);',
  },
  {
    name: 'a pause between failed connects is too long',
    file: 'outage.ts',
    from: 'this.nextAt = now + this.pause;',
    to: 'this.nextAt = now + 3 * this.pause;',
  },

  // Who waits, and who would not
  {
    name: 'one caller too many may wait',
    file: 'connection-pool.ts',
    from: 'queue.length >= this.maxWaiting',
    to: 'queue.length > this.maxWaiting',
  },
  {
    name: 'who would not wait waits all the same',
    file: 'connection-pool.ts',
    from: 'if (wait.timeout === 0 || queue',
    to: 'if (wait.timeout < 0 || queue',
  },
  {
    name: 'who waits when the pool begins to close is turned away though time remains',
    file: 'shutdown.ts',
    from: 'if (timeout === 0) this.force();',
    to: 'if (timeout < 60) this.force();',
  },
  {
    name: 'the listener of a caller who was served stays on his signal',
    file: 'wait-queue.ts',
    from: "signal.removeEventListener('abort', onAbort);",
    to: '',
  },
  {
    name: 'the process may end while ready() waits for a connect',
    file: 'stock.ts',
    from: 'this.filler.setVital(vital);',
    to: '',
  },

  // Which connection, and whether it is well
  {
    name: 'the idle connections are lent in the wrong order',
    file: 'stock.ts',
    from: "(this.isElastic ? 'lifo' : 'fifo')",
    to: "(this.isElastic ? 'fifo' : 'lifo')",
  },
  {
    name: 'one that comes from its check is lent unasked',
    file: 'returns.ts',
    from: 'if (!this.host.isAwaited() || this.stock.isUsable(entry)) return true;',
    to: 'if (entry.state === State.checking || !this.host.isAwaited() || this.stock.isUsable(entry)) return true;',
  },
  {
    name: 'an isUsable() that closes the pool lends a closed connection',
    file: 'stock.ts',
    from: '    if (isGone(entry)) return;\n    const asksFactory',
    to: '    const asksFactory',
  },
  {
    name: 'bytes that nobody asked for are handed to the next borrower',
    file: 'stock.ts',
    from: 'if (entry.isStream) this.noteReception(entry);',
    to: '',
  },
  {
    name: 'the errors of the settings are not heeded',
    file: 'verdict.ts',
    from: '[...connectionErrors, (error',
    to: '[(error',
  },
  {
    name: 'an isUsable() that is async by mistake brings the process down',
    file: 'watcher.ts',
    from: 'silence(usable);',
    to: '',
  },
  {
    name: 'one that says that it is unusable casts suspicion on its siblings',
    file: 'stock.ts',
    from: "no longer usable: ${why}`), 'mishap');",
    to: "no longer usable: ${why}`), 'break');",
  },
  {
    name: 'siblings that are watched are replaced',
    file: 'stock.ts',
    from: "siblingsOnBreak === 'recycle' || !sibling.watched",
    to: "siblingsOnBreak === 'recycle' || sibling.watched",
  },
  {
    name: 'an object that is still being closed is taken for a new connection',
    file: 'stock.ts',
    from: 'this.watcher.stop(entry);',
    to: 'this.watcher.stop(entry);\n    this.held.delete(entry.connection);',
  },

  // Room
  {
    name: 'a resize to less closes every idle connection',
    file: 'stock.ts',
    from: "while (this.idle.oldest !== undefined && this.isTooMany()) this.part(this.idle.oldest, 'surplus');",
    to: "if (this.isTooMany()) while (this.idle.oldest !== undefined) this.part(this.idle.oldest, 'surplus');",
  },
  {
    name: 'a resize gives up connects that there is room for',
    file: 'stock.ts',
    from: 'this.filler.abandon(this.census.live - bounds.max,',
    to: 'this.filler.abandon(this.census.live - bounds.min,',
  },
  {
    name: 'a connect that failed is remembered for ever',
    file: 'filler.ts',
    from: '  private remove(entry: PooledConnection<C>): void {\n    this.census.move(entry, State.closed);\n    this.entries.delete(entry);',
    to: '  private remove(entry: PooledConnection<C>): void {\n    this.census.move(entry, State.closed);',
  },

  // What the road of a lease leaves out, where it may not
  {
    name: 'where an idle connection goes from the middle, the gap is not noticed',
    file: 'idle-queue.ts',
    from: 'this.gaps++;',
    to: '',
  },
  {
    name: 'a full ring of idle connections is taken for an empty one',
    file: 'idle-queue.ts',
    from: 'if (this.end === this.head) this.makeRoom();',
    to: '',
  },
  {
    name: 'of several callers with the usual time-out only the first is told that it is up',
    file: 'wait-queue.ts',
    from: 'if (due > now) return due;',
    to: 'if (due > now) return Infinity;',
  },
  {
    name: 'when those of a crowd came is not noted',
    file: 'wait-queue.ts',
    from: 'arrival.at = this.clock.now();',
    to: '',
  },
];
