import type { Account } from './account.js';
import { makeConnection, type SimulatedConnection } from './connections.js';
import type { Ledger } from './ledger.js';
import type { SimulatedFactoryShape } from './programme.js';

/** What a connect may yield: a new connection, one that there is already, or one that there was. */

export function make(id: number, { kind, tells, closedBy }: SimulatedFactoryShape): SimulatedConnection {
  // A number has no methods.
  return makeConnection(id, kind === 'number' && closedBy === 'methods' ? 'object' : kind, tells === 'events');
}

/** A connection that the pool holds still; null if there is none. */
export function taken(ledger: Ledger): SimulatedConnection | null {
  // One that has only just been opened may not have been taken in yet.
  const held = [...ledger.live].filter(({ isLate, openedIn }) => !isLate && openedIn < ledger.turn);
  const closing = [...ledger.parting].filter(({ closedAt }) => !ledger.isPast(closedAt, ledger.limits.closeTimeout));
  const connection = [...held, ...closing].at(-1)?.connection;
  // Of two numbers that are alike none is the other.
  return typeof connection === 'number' ? null : (connection ?? null);
}

/** The connection of one that is closed, and that the pool knows to be. */
export function gone(ledger: Ledger): SimulatedConnection | undefined {
  const isGone = (each: Account): boolean =>
    each.closeSettledIn < ledger.turn && ledger.accountOf(each.connection) === each;
  return ledger.accounts.findLast(isGone)?.connection;
}
