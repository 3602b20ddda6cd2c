import type { PooledConnection } from './pooled-connection.js';

type Slot<C> = PooledConnection<C> | undefined;

/** A power of two, as every capacity is. Small, since it grows fast, and so that every test has seen that. It never shrinks. */
const FIRST_CAPACITY = 2;

/**
 * Idle connections. Where the longest idle is lent first, they are in the order of their last use or ping, and all is O(1).
 * Where the last used is lent first, they are in the order of their last lease: one that comes back from a ping moves to
 * its place. Else pings would pass the work round, and in an elastic pool none would ever be idle for long enough to be
 * closed.
 *
 * A ring, for to lend the longest idle of many goes round all of them, and a ring touches none but that one:
 *
 *     slots   . . A B . D E F . . .      A is the oldest, at head; F the newest, before end; a dot is empty.
 *                 ▲           ▲          From the middle one goes and leaves a gap; at head and before end is none.
 *                 head        end        There is always room for one more.
 */
export class IdleQueue<C> {
  private slots: Array<Slot<C>> = emptySlots(FIRST_CAPACITY);
  private mask = FIRST_CAPACITY - 1;
  private head = 0;
  private end = 0;
  private gaps = 0;
  private isLifo: boolean;

  constructor(order: 'fifo' | 'lifo') {
    this.isLifo = order === 'lifo';
  }

  get order(): 'fifo' | 'lifo' {
    return this.isLifo ? 'lifo' : 'fifo';
  }

  set order(order: 'fifo' | 'lifo') {
    this.isLifo = order === 'lifo';
  }

  get length(): number {
    return ((this.end - this.head) & this.mask) - this.gaps;
  }

  /** The one idle for longest. */
  get oldest(): PooledConnection<C> | undefined {
    return this.slots[this.head];
  }

  get newest(): PooledConnection<C> | undefined {
    return this.slots[(this.end - 1) & this.mask];
  }

  /** Whose turn it is to be lent. */
  get next(): PooledConnection<C> | undefined {
    return this.isLifo ? this.newest : this.oldest;
  }

  /** Takes out the one whose turn it is. */
  take(): PooledConnection<C> | undefined {
    if (this.isLifo || this.gaps > 0) return this.takeNext();
    const { slots, head } = this;
    const entry = slots[head];
    if (entry === undefined) return undefined;
    slots[head] = undefined;
    this.head = (head + 1) & this.mask;
    return entry;
  }

  push(entry: PooledConnection<C>): void {
    const { end } = this;
    this.slots[end] = entry;
    entry.place = end;
    this.end = (end + 1) & this.mask;
    if (this.end === this.head) this.makeRoom();
    if (this.isLifo) this.sink(entry);
  }

  /** Only of one that is here. */
  remove(entry: PooledConnection<C>): void {
    const { slots, mask } = this;
    slots[entry.place] = undefined;
    this.gaps++;
    while (this.gaps > 0 && slots[this.head] === undefined) {
      this.head = (this.head + 1) & mask;
      this.gaps--;
    }
    while (this.gaps > 0 && slots[(this.end - 1) & mask] === undefined) {
      this.end = (this.end - 1) & mask;
      this.gaps--;
    }
  }

  /** The next longer idle. */
  older(entry: PooledConnection<C>): PooledConnection<C> | undefined {
    let { place } = entry;
    while (place !== this.head) {
      place = (place - 1) & this.mask;
      const older = this.slots[place];
      if (older !== undefined) return older;
    }
    return undefined;
  }

  /** Oldest first. */
  *[Symbol.iterator](): Iterator<PooledConnection<C>> {
    for (let place = this.head; place !== this.end; place = (place + 1) & this.mask) {
      const entry = this.slots[place];
      if (entry !== undefined) yield entry;
    }
  }

  private takeNext(): PooledConnection<C> | undefined {
    const { next } = this;
    if (next !== undefined) this.remove(next);
    return next;
  }

  /** The newest goes behind all whose last lease was later. */
  private sink(entry: PooledConnection<C>): void {
    const { slots } = this;
    let older = this.older(entry);
    while (older !== undefined && older.leasedAt > entry.leasedAt) {
      const { place } = older;
      slots[entry.place] = older;
      older.place = entry.place;
      slots[place] = entry;
      entry.place = place;
      older = this.older(entry);
    }
  }

  /** All slots are taken. Closes the gaps; where they are less than half, there will be more slots. */
  private makeRoom(): void {
    const { slots, head } = this;
    const entries = [...slots.slice(head), ...slots.slice(0, head)].filter((entry) => entry !== undefined);
    const capacity = entries.length > slots.length / 2 ? slots.length * 2 : slots.length;
    this.slots = emptySlots(capacity);
    this.mask = capacity - 1;
    this.head = 0;
    this.end = entries.length;
    this.gaps = 0;
    for (const [place, entry] of entries.entries()) {
      this.slots[place] = entry;
      entry.place = place;
    }
  }
}

function emptySlots<C>(capacity: number): Array<Slot<C>> {
  return Array.from<Slot<C>>({ length: capacity }).fill(undefined);
}
