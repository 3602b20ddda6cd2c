import type { ConnectionInfo } from '../pool/stats.js';
import { CELL_STATES, type CellChanges } from './frames.js';

const CODES = new Map<string, number>(CELL_STATES.map((state, code) => [state, code]));

interface Seat {
  /** The connection's number in its pool; 0 if there is none. */
  number: number;
  code: number;
  uses: number;
  openedAt: number;
}

/**
 * Where each connection of a pool is drawn. One that is replaced leaves its seat to its successor, so that all the others stay
 * where they are.
 */
export class Seats {
  private readonly seats: Seat[] = [];
  private readonly byNumber = new Map<number, number>();

  get length(): number {
    return this.seats.length;
  }

  /**
   * Seats these connections, and tells which seats are not as they were.
   *
   * @param least how many there are to be; an outage must not look like a pool that is to have none
   */
  update(connections: readonly ConnectionInfo[], now: number, least: number): CellChanges {
    const changes: CellChanges = [];
    const newcomers: ConnectionInfo[] = [];
    const present = new Set<number>();
    for (const each of connections) {
      present.add(each.number);
      const place = this.byNumber.get(each.number);
      if (place === undefined) newcomers.push(each);
      else this.sit(place, each, now, changes);
    }
    for (const [number, place] of this.byNumber) if (!present.has(number)) this.leave(number, place);
    let free = 0;
    for (const each of newcomers) {
      while (free < this.seats.length && this.seats[free]!.number !== 0) free++;
      this.seats[free] ??= { number: 0, code: -1, uses: 0, openedAt: 0 };
      this.byNumber.set(each.number, free);
      this.sit(free, each, now, changes);
    }
    this.clear(changes, least);
    return changes;
  }

  /** Every seat, as a change from nothing. */
  all(): CellChanges {
    return this.seats.flatMap(({ code, uses, openedAt }, place) => [place, code, uses, openedAt]);
  }

  private sit(place: number, { number, state, uses, age }: ConnectionInfo, now: number, changes: CellChanges): void {
    const seat = this.seats[place]!;
    const code = CODES.get(state)!;
    if (seat.number === number && seat.code === code && seat.uses === uses) return;
    // The age is of another clock's tick than the last time, and a birth that wavers would look like a change.
    const isSameConnection = seat.number === number && seat.code !== CODES.get('connecting');
    seat.openedAt = isSameConnection ? seat.openedAt : Math.round(now - age);
    Object.assign(seat, { number, code, uses });
    changes.push(place, code, uses, seat.openedAt);
  }

  private leave(number: number, place: number): void {
    this.byNumber.delete(number);
    this.seats[place]!.number = 0;
  }

  /** Who has left and was not succeeded leaves an empty seat; at the end there are no more of these than connections are missing. */
  private clear(changes: CellChanges, least: number): void {
    while (this.seats.length > least && this.seats.at(-1)!.number === 0) this.seats.pop();
    for (const [place, seat] of this.seats.entries()) {
      if (seat.number !== 0 || seat.code === 0) continue;
      Object.assign(seat, { code: 0, uses: 0, openedAt: 0 });
      changes.push(place, 0, 0, 0);
    }
  }
}
