import { setImmediate as nextTurn } from 'node:timers';
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
//
// A call beside it that began later and gave up sooner looks the same. So the ticket lapses at the event loop's next turn:
// to come out of an inner call through an outer one takes an error nothing but promise jobs, which are all done by then.
// The price: an outer call that does something else in between (an asynchronous clean-up) takes the error for its own. It
// retries once more, and knows from then on, since all but its first attempt are known attempts.

/** The latest ticket of a call that gave up on the error in this turn of the event loop. */
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
    // Node's own, not the global one, which tests put a fake in the place of.
    nextTurn(() => gaveUp.delete(error));
  }
}

/** Whether a retry inside of the call with this ticket gave up on the error. */
export function innerGaveUp(error: unknown, ticket: number, attempt: Attempt | undefined): boolean {
  if (attempt?.entered === true) return attempt.innerGaveUp(error);
  return typeof error === 'object' && error !== null && (gaveUp.get(error) ?? 0) > ticket;
}
