import type { Bug } from '../bug.js';
import { BESIDE_THE_ROAD } from './bugs-beside.js';

/** Bugs on the road that every connection and every caller takes; each is one slip of the pen. */
const ON_THE_ROAD: readonly Bug[] = [
  // Counting
  {
    name: 'one connection too many is opened',
    file: 'stock.ts',
    from: 'const room = bounds.max - census.total;',
    to: 'const room = bounds.max - census.total + 1;',
  },
  {
    name: 'connections that are closing take no slot',
    file: 'pooled-connection.ts',
    from: 'return this.live + this.closing;',
    to: 'return this.live;',
  },
  {
    name: 'one connect too many is in flight',
    file: 'filler.ts',
    from: 'this.census.connecting < this.settings.maxConnecting',
    to: 'this.census.connecting <= this.settings.maxConnecting',
  },
  {
    name: 'connects in flight are not set off against those who wait',
    file: 'stock.ts',
    from: 'this.host.waiting() - census.idle - census.checking - census.connecting;',
    to: 'this.host.waiting() - census.idle - census.checking;',
  },
  {
    name: 'an elastic pool shrinks below its minimum',
    file: 'stock.ts',
    from: 'mayShrink: () => this.census.live > this.bounds.min',
    to: 'mayShrink: () => this.census.live >= this.bounds.min',
  },
  {
    name: 'a connection serves once more than it may',
    file: 'connection-pool.ts',
    from: '++entry.uses >= this.settings.maxUses',
    to: '++entry.uses > this.settings.maxUses',
  },
  {
    name: 'a resize to less leaves idle connections open',
    file: 'stock.ts',
    from: 'while (this.idle.oldest !== undefined && this.isTooMany())',
    to: 'while (this.idle.oldest !== undefined && this.isTooMany() && this.isElastic)',
  },
  {
    name: 'a time-out is not counted',
    file: 'wait-diagnosis.ts',
    from: 'totals.acquireTimeouts++;',
    to: 'if (timeout > 0) totals.acquireTimeouts++;',
  },

  // Those who wait
  {
    name: 'whoever joins the queue after the last has left is forgotten',
    file: 'wait-queue.ts',
    from: 'if (behind === undefined) this.last = ahead;\n    else behind.ahead = ahead;',
    to: 'if (behind !== undefined) behind.ahead = ahead;',
  },
  {
    name: 'the second in the queue is served first',
    file: 'connection-pool.ts',
    from: 'else this.hand(entry, queue.first);',
    to: 'else this.hand(entry, queue.first.behind ?? queue.first);',
  },
  {
    name: 'an aborted caller is not let go',
    file: 'wait-queue.ts',
    from: "signal.addEventListener('abort', onAbort);",
    to: '',
  },
  {
    name: 'of callers with one signal only the last is let go',
    file: 'wait-queue.ts',
    from: 'let companions = this.bySignal.get(signal);',
    to: 'let companions = this.length > 3 ? undefined : this.bySignal.get(signal);',
  },
  {
    name: 'a lost connection is no reason to look who waits',
    file: 'stock.ts',
    from: "if (kind === 'break') this.suspectSiblings();\n    this.host.changed();",
    to: "if (kind === 'break') this.suspectSiblings();",
  },
  {
    name: 'a stall of the event loop times callers out though their connection has come',
    file: 'due-alarm.ts',
    from: 'clock.setImmediate(() => this.setFor(expire(now)));',
    to: 'this.setFor(expire(now));',
  },
  {
    name: 'of several deadlines only the first is heeded',
    file: 'deadlines.ts',
    from: 'return this.first?.due ?? Infinity;',
    to: 'return Infinity;',
  },
  {
    name: 'ready() wants one more than there are',
    file: 'readiness.ts',
    from: 'if (open >= (expectation.connections ?? full))',
    to: 'if (open > (expectation.connections ?? full))',
  },

  // Who gets what
  {
    name: 'a connection that dies while idle stays in the queue',
    file: 'stock.ts',
    from: 'if (entry.state === State.idle || entry.state === State.checking) {\n      this.lose(',
    to: 'if (entry.state === State.checking) {\n      this.lose(',
  },
  {
    name: 'a connection that died during its lease is lent again',
    file: 'stock.ts',
    from: "entry.doom = 'broken';\n      this.mourn",
    to: 'this.mourn',
  },
  {
    name: 'a connection whose work was aborted is lent again',
    file: 'verdict.ts',
    from: "(outcome === 'discarded' && error === undefined)) return 'unsure';",
    to: "(outcome === 'discarded' && error === undefined)) return 'intact';",
  },
  {
    name: 'an error of the user costs the connection',
    file: 'verdict.ts',
    from: "return outcome === 'discarded' ? 'broken' : 'intact';",
    to: "return 'broken';",
  },
  {
    name: 'where somebody waits, a connection is not reset',
    file: 'returns.ts',
    from: 'this.resets && !this.mustGo(entry)',
    to: 'this.resets && !this.mustGo(entry) && this.queue.length === 0',
  },
  {
    name: 'a lease can be given back twice',
    file: 'lease.ts',
    from: 'this.entry = undefined;\n    this.home.receive(entry);',
    to: 'this.home.receive(entry);',
  },
  {
    name: 'what has not been looked at for long is lent all the same',
    file: 'idle-choice.ts',
    from: 'next !== undefined && this.isStale(next) ? this.fresh() : next',
    to: 'next',
  },
  {
    name: 'siblings of a broken connection are not looked at',
    file: 'stock.ts',
    from: "if (kind === 'break') this.suspectSiblings();",
    to: '',
  },
  {
    name: 'a connect that was in flight at a recycle() is kept',
    file: 'stock.ts',
    from: "else entry.doom ??= 'recycled';",
    to: "else if (entry.state !== State.connecting) entry.doom ??= 'recycled';",
  },

  // After an await
  {
    name: 'a hook that settles after its time-out is heard',
    file: 'hook-call.ts',
    from: 'if (this.over) return false;\n    this.over = true;',
    to: 'this.over = true;',
  },
  {
    name: 'what a connect yields too late is never closed',
    file: 'hook-call.ts',
    from: 'else this.outcome.late?.(value);',
    to: '',
  },
  {
    name: 'a ping goes on after its connection was closed',
    file: 'stock.ts',
    from: 'entry.pending?.giveUp(',
    to: 'if (entry.pending === undefined) this.log.connectionLost(',
  },
  {
    name: 'a connect that hangs holds its slot for ever',
    file: 'filler.ts',
    from: '(call) => call.timeOut()',
    to: '() => {}',
  },

  // Upkeep, backoff, the end
  {
    name: 'connections are pinged once and never again',
    file: 'upkeep.ts',
    from: 'next = Math.min(next, this.nextLook(entry, now));',
    to: 'next = Math.min(next, entry.proven ? entry.expiresAt : this.nextLook(entry, now));',
  },
  {
    name: 'a backend that accepts and kicks is asked without a pause',
    file: 'stock.ts',
    from: 'if (this.filler.isUnproven(entry)) this.filler.kicked',
    to: 'if (this.filler.isUnproven(entry) && this.census.total === 0) this.filler.kicked',
  },
  {
    name: 'pauses between failed connects do not grow',
    file: 'outage.ts',
    from: 'this.failedInPause ? this.step.next() : this.step.again()',
    to: 'this.step.again()',
  },
  {
    name: 'an outage ends only with a lease',
    file: 'filler.ts',
    from: 'if (oldest !== undefined && now >= endOfProbation(oldest)) {',
    to: 'if (oldest !== undefined && now >= endOfProbation(oldest) && oldest.uses > 0) {',
  },
  {
    name: 'a timer that nobody waits for keeps the process alive',
    file: 'deadlines.ts',
    from: 'this.alarm.keepAlive(this.vital);',
    to: 'this.alarm.keepAlive(true);',
  },
  {
    name: 'a close that hangs is awaited for ever',
    file: 'closer.ts',
    from: '(call) => call.timeOut()',
    to: '() => {}',
  },
  {
    name: 'a pool that closes does not give up its connects',
    file: 'shutdown.ts',
    from: 'stock.abandon(() => new PoolClosedError(this.pool));',
    to: 'if (stock.census.connecting === 0) stock.abandon(() => new PoolClosedError(this.pool));',
  },
  {
    name: 'a pool that closes forgets who waits',
    file: 'shutdown.ts',
    from: 'queue.rejectAll(() => new PoolClosedError(this.pool));',
    to: '',
  },
  {
    name: 'a closed connection is still listened to',
    file: 'watcher.ts',
    from: 'entry.stopWatching = undefined;',
    to: 'entry.stopWatching = undefined;\n    if (entry.uses > 0) return;',
  },
];

/** Bugs that the simulation must find. */
export const BUGS: readonly Bug[] = [...ON_THE_ROAD, ...BESIDE_THE_ROAD];
