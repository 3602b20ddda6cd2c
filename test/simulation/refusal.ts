import type { Caller } from './caller.js';
import type { Ledger } from './ledger.js';

/** What a caller's wait ended with, where it ended without a connection. */
export interface Refusal {
  readonly code?: string;
  readonly message: string;
  readonly cause?: unknown;
  readonly timeout?: number;
  readonly counts?: { readonly idle: number; readonly waiting: number; readonly size: number };
}

/** What is wrong with that. */
export function whyNotRefused(ledger: Ledger, caller: Caller, error: unknown): string | undefined {
  if (error !== undefined && error === caller.signal?.reason) return undefined;
  const { code, counts } = error as Refusal;
  switch (code) {
    case 'ERR_POOL_ACQUIRE_TIMEOUT':
      ledger.timeouts++;
      ledger.timedOut(caller);
      return whyNotTimedOut(ledger, caller, error as Refusal);
    case 'ERR_POOL_CLOSED': {
      if (!ledger.closing) return 'the pool is not closing';
      const left = ledger.closeDeadline - ledger.now;
      return caller.isQueued && left > 0 ? `the pool closes only in ${left} ms, and he waited before` : undefined;
    }
    case 'ERR_POOL_OVERLOADED':
      return counts!.waiting >= ledger.limits.maxWaiting ? undefined : `only ${counts!.waiting} waited`;
    case undefined:
    default:
      return 'nobody threw that';
  }
}

function whyNotTimedOut(
  ledger: Ledger,
  caller: Caller,
  { timeout, counts, cause, message }: Refusal,
): string | undefined {
  const { checkAfterIdle } = ledger.limits;
  if (ledger.now < caller.deadline) return `he had ${caller.deadline - ledger.now} ms left`;
  if (timeout !== caller.deadline - caller.cameAt && Math.abs(timeout! - caller.deadline + caller.cameAt) > 0.1) {
    return `he would have waited for ${caller.deadline - caller.cameAt} ms`;
  }
  // "Busy" and "down" are told apart by reading the message, and by its cause.
  const isDown = /connects have been failing/.test(message);
  if (isDown !== (cause !== undefined)) return `its cause is ${String(cause)}`;
  const { downSince } = ledger.pool.stats();
  if (downSince !== undefined && downSince < ledger.now && !isDown) return 'it does not say that the backend is down';
  return counts!.idle > 0 && checkAfterIdle === Infinity ? `${counts!.idle} were idle` : undefined;
}
