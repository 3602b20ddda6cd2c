import { describe, expect, test } from '@jest/globals';
import { IdleQueue } from '../../src/pool/idle-queue.js';
import { seededRandom } from '../../src/testing/seeded-random.js';
import { Census, isGone, PooledConnection, State } from '../../src/pool/pooled-connection.js';

function filled(
  count: number,
  lent: 'fifo' | 'lifo' = 'fifo',
): { queue: IdleQueue<number>; entries: Array<PooledConnection<number>> } {
  const queue = new IdleQueue<number>(lent);
  const entries = Array.from({ length: count }, () => new PooledConnection<number>());
  for (const entry of entries) queue.push(entry);
  return { queue, entries };
}

/** Read both ways, which must agree. */
function order(queue: IdleQueue<number>, entries: Array<PooledConnection<number>>): number[] {
  const forward = [...queue].map((entry) => entries.indexOf(entry));
  const backward: number[] = [];
  for (let entry = queue.newest; entry !== undefined; entry = queue.older(entry)) {
    backward.unshift(entries.indexOf(entry));
  }
  expect(backward).toEqual(forward);
  return forward;
}

describe('the idle queue', () => {
  test('keeps the order in which connections became idle', () => {
    const { queue, entries } = filled(3);
    expect(order(queue, entries)).toEqual([0, 1, 2]);
    expect([queue.oldest, queue.newest]).toEqual([entries[0], entries[2]]);
  });

  test.each([
    [0, [1, 2]],
    [1, [0, 2]],
    [2, [0, 1]],
  ])('lets number %i go from anywhere', (i, rest) => {
    const { queue, entries } = filled(3);
    queue.remove(entries[i]!);
    expect(order(queue, entries)).toEqual(rest);
    queue.push(entries[i]!);
    expect(order(queue, entries)).toEqual([...rest, i]);
  });

  test('where the last used is lent first, puts one that was pinged back into the order of last leases', () => {
    const { queue, entries } = filled(3, 'lifo');
    for (const [i, entry] of entries.entries()) entry.leasedAt = i * 100;
    for (const pinged of [1, 0, 2, 0]) {
      queue.remove(entries[pinged]!);
      queue.push(entries[pinged]!);
      expect(order(queue, entries)).toEqual([0, 1, 2]);
    }
    queue.remove(entries[0]!);
    entries[0]!.leasedAt = 300;
    queue.push(entries[0]!);
    expect(order(queue, entries)).toEqual([1, 2, 0]);
  });

  test('where the longest idle is lent first, does not ask when they were leased', () => {
    const { queue, entries } = filled(2, 'fifo');
    for (const [i, entry] of entries.entries()) entry.leasedAt = i * 100;
    queue.remove(entries[0]!);
    queue.push(entries[0]!);
    expect(order(queue, entries)).toEqual([1, 0]);
  });

  test.each(['fifo', 'lifo'] as const)('in %s, is what a list would be, whatever comes and goes', (lent) => {
    const random = seededRandom(7);
    const { queue, entries } = filled(0, lent);
    const list: Array<PooledConnection<number>> = [];
    for (let step = 0; step < 5_000; step++) {
      // Now it fills, now it empties, so that it grows, has gaps, and goes round.
      if (random() < (step % 500 < 250 ? 0.7 : 0.35)) {
        const entry = new PooledConnection<number>();
        entry.leasedAt = Math.floor(random() * 100);
        entries.push(entry);
        queue.push(entry);
        const later = lent === 'fifo' ? -1 : list.findIndex(({ leasedAt }) => leasedAt > entry.leasedAt);
        list.splice(later < 0 ? list.length : later, 0, entry);
      } else if (list.length > 0) {
        const isTaken = random() < 0.5;
        const turn = lent === 'fifo' ? 0 : list.length - 1;
        const [entry] = list.splice(isTaken ? turn : Math.floor(random() * list.length), 1);
        if (isTaken) expect(queue.take()).toBe(entry);
        else queue.remove(entry!);
      }
      expect([queue.oldest, queue.newest]).toEqual([list[0], list.at(-1)]);
      expect(queue.next).toBe(lent === 'fifo' ? list[0] : list.at(-1));
      if (step % 50 === 0) expect(order(queue, entries)).toEqual(list.map((entry) => entries.indexOf(entry)));
    }
    expect(list.length).toBeGreaterThan(16);
  });

  test('closes the gaps that those leave who go from the middle, instead of growing for ever', () => {
    const { queue, entries } = filled(7);
    for (let round = 0; round < 20; round++) {
      for (const entry of [...queue].slice(1, -1)) queue.remove(entry);
      while ([...queue].length < 7) {
        const entry = new PooledConnection<number>();
        entries.push(entry);
        queue.push(entry);
      }
      const newest = entries.length - 1;
      expect(order(queue, entries)).toEqual([0, ...[6, 5, 4, 3, 2, 1].map((back) => newest - back + 1)]);
    }
  });

  test.each(['fifo', 'lifo'] as const)('has nothing to take where nothing is idle, in %s', (lent) => {
    const { queue, entries } = filled(1, lent);
    expect([queue.take(), queue.take()]).toEqual([entries[0], undefined]);
  });

  test('is empty once all have gone', () => {
    const { queue, entries } = filled(1);
    queue.remove(entries[0]!);
    expect([queue.oldest, queue.newest, [...queue]]).toEqual([undefined, undefined, []]);
  });
});

describe('the states of a connection', () => {
  const NAMES = Object.keys(State) as Array<keyof typeof State>;
  const LEGAL: Record<keyof typeof State, Array<keyof typeof State>> = {
    connecting: ['idle', 'leased', 'closing', 'closed'],
    idle: ['leased', 'checking', 'closing'],
    leased: ['idle', 'checking', 'closing'],
    checking: ['idle', 'leased', 'closing'],
    closing: ['closed'],
    closed: [],
  };
  /** Here connections change without being in any queue. */
  const NONE = { length: 0 };
  const changes = NAMES.flatMap((from) => NAMES.map((to) => [from, to] as const));

  test.each(changes)('from %s to %s: counted if legal, else a bug that says so', (from, to) => {
    const census = new Census(NONE);
    census.enter();
    const entry = new PooledConnection<object>();
    const way = {
      connecting: [],
      idle: ['idle'],
      leased: ['leased'],
      checking: ['idle', 'checking'],
      closing: ['closing'],
      closed: ['closed'],
    };
    for (const step of way[from] as Array<keyof typeof State>) census.move(entry, State[step]);
    const change = (): void => census.move(entry, State[to]);
    if (LEGAL[from].includes(to)) {
      change();
      expect(entry.state).toBe(State[to]);
    } else {
      expect(change).toThrow(`bug: a connection cannot go from ${from} to ${to}`);
      expect(entry.state).toBe(State[from]);
    }
    const at = LEGAL[from].includes(to) ? to : from;
    const open = ['idle', 'leased', 'checking'].includes(at) ? 1 : 0;
    expect({ open: census.open, live: census.live, total: census.total }).toEqual({
      open,
      live: open + (at === 'connecting' ? 1 : 0),
      total: at === 'closed' ? 0 : 1,
    });
    expect(isGone(entry)).toBe(at === 'closing' || at === 'closed');
  });

  test.each(NAMES)('what is %s can be lent only if idle, and can rest only if leased', (from) => {
    const census = new Census(NONE);
    const entry = new PooledConnection<object>();
    entry.state = State[from];
    if (from !== 'idle') expect(() => census.lend(entry)).toThrow(`bug: a connection cannot go from ${from} to leased`);
    if (from !== 'leased') expect(() => census.rest(entry)).toThrow(`bug: a connection cannot go from ${from} to idle`);
    expect(entry.state).toBe(State[from]);
    expect([census.open, census.leased]).toEqual([0, 0]);
  });

  test('a lease moves a connection from idle to leased and back, and is counted', () => {
    const queue = new IdleQueue<object>('fifo');
    const census = new Census(queue);
    census.enter();
    const entry = new PooledConnection<object>();
    census.move(entry, State.idle);
    queue.push(entry);
    queue.take();
    census.lend(entry);
    expect([entry.state, census.idle, census.leased]).toEqual([State.leased, 0, 1]);
    census.rest(entry);
    queue.push(entry);
    expect([entry.state, census.idle, census.leased]).toEqual([State.idle, 1, 0]);
  });
});
