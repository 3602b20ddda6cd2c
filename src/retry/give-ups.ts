import type { Attempt } from './retry-context.js';

// How an outer retry learns that an inner one gave up on the very error that it sees (R5), although
// - the error itself must stay as it is,
// - one error object may be thrown many times: a constant, or a socket's end that fails every request under way,
// - a first attempt runs in no AsyncLocalStorage, so that the inner retry cannot know who is around it.
//
// An inner retry that runs inside of a known attempt tells that attempt, and nobody else. Otherwise it leaves its ticket
// with the error. Tickets are numbered in the order in which calls begin, and what is inside of a call begins after it:
//
//     outer call, ticket 7  |--------------------------------------------|
//     inner call, ticket 9         |---- gives up ----|                      9 > 7: may be inside of it
//     another call, ticket 4   --- gives up ---|                             4 < 7: cannot be
//     a later call, ticket 12, with the same error                    |---   9 < 12: cannot be

/** The latest ticket of a call that gave up on the error. */
const gaveUp = new WeakMap<object, number>();

/** Carries nothing from one application to another: only the order of two numbers is ever looked at. */
let tickets = 0;

/** The number of a call that begins now. */
export function takeTicket(): number {
  return ++tickets;
}

/** Notes that the call with this ticket gave up on the error, for the retry around it, if there is one. */
export function noteGaveUp(error: unknown, ticket: number, around: Attempt | undefined): void {
  if (around !== undefined) {
    around.noteGaveUp(error);
  } else if (typeof error === 'object' && error !== null) {
    gaveUp.set(error, Math.max(ticket, gaveUp.get(error) ?? 0));
  }
}

/** Whether a retry inside of the call with this ticket gave up on the error. */
export function innerGaveUp(error: unknown, ticket: number, attempt: Attempt | undefined): boolean {
  if (attempt?.entered === true) return attempt.innerGaveUp(error);
  return typeof error === 'object' && error !== null && (gaveUp.get(error) ?? 0) > ticket;
}
