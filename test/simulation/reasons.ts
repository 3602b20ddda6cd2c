import type { CloseReason } from '../../src/pool/connection-factory.js';
import type { Account, Check } from './account.js';
import type { Ledger } from './ledger.js';

/** What the reason for a close is not true of. `'polite'`: by a method that is told no reason. */
export function whyNotClosed(ledger: Ledger, account: Account, reason: CloseReason | 'polite'): string | undefined {
  const { now, limits } = ledger;
  switch (reason) {
    case 'broken': {
      const { check } = account;
      const overdue = check !== undefined && ledger.isOverdue(check);
      return account.wounds.size === 0 && !overdue ? 'nothing is wrong with it' : undefined;
    }
    case 'expired':
      if (account.uses >= limits.maxUses || now - account.openedAt >= limits.maxLifetime * 0.75 - 1) return undefined;
      return `it was used ${account.uses} times and is ${now - account.openedAt} ms old`;
    case 'idle': {
      const { connecting, open } = ledger.pool.stats();
      if (open + connecting < ledger.bounds.min) return 'now there are fewer than the minimum';
      return now - account.leasedAt >= limits.idleTimeout - 1
        ? undefined
        : `it was used ${now - account.leasedAt} ms ago`;
    }
    case 'recycled': {
      // What is idle when a sibling breaks goes at that very instant, or not at all.
      const isSuspect = ledger.replacesSuspects && ledger.brokeAt === now;
      return ledger.recycledAt >= account.dial.at || isSuspect ? undefined : 'nobody asked for that';
    }
    case 'surplus': {
      if (account.isLate) return undefined;
      const { connecting, open } = ledger.pool.stats();
      // It is no longer counted itself. Inside of a hook the pool may have been about to lend another.
      const isTooMany = open + connecting + 1 > ledger.bounds.max || ledger.isInHook;
      return ledger.resizedAt >= account.dial.at && isTooMany ? undefined : 'there was room for it';
    }
    case 'shutdown':
      return ledger.closing ? undefined : 'the pool is not closing';
    case 'polite': {
      // The pool may have decided before it learned of it.
      const { condemned } = account;
      return condemned !== undefined && condemned.turn < ledger.turn ? `it is broken: ${condemned.why}` : undefined;
    }
  }
}

/** Why a connection is pinged: if for nothing, that is wrong. */
export function whyNotPinged(ledger: Ledger, account: Account): string | undefined {
  const { now, limits } = ledger;
  const { waiting, downSince } = ledger.pool.stats();
  const quiet = now - account.activeAt;
  // Spread over the last fifth of the interval.
  if (quiet >= limits.keepalive * 0.8 - 1) return undefined;
  if (waiting > 0 && quiet >= limits.checkAfterIdle) return undefined;
  if (limits.siblingsOnBreak === 'check' && ledger.brokeAt === now) return undefined;
  // One that was opened while connects fail has to prove itself.
  if (downSince !== undefined && account.openedIn === ledger.turn) return undefined;
  return `it was active ${quiet} ms ago, no sibling broke, and nobody waits for it`;
}

/** What is wrong with a connect that the pool has given up. */
export function whyNotGivenUp(ledger: Ledger, dial: { readonly at: number }): string | undefined {
  if (ledger.isPast(dial.at, ledger.limits.connectTimeout) || ledger.closing) return undefined;
  return ledger.mayGiveUp-- > 0 ? undefined : 'it had time, and was wanted';
}

/** A check that was under way when its connection was closed must be told so. */
export function isUntold({ signal, ended }: Check): boolean {
  return !ended && !signal.aborted;
}
