import { formatDuration } from './duration.js';
import { describeError, type PoolCounts } from './errors.js';

/** What is known when a caller has waited in vain. */
export interface WaitFacts {
  readonly counts: PoolCounts;
  /** How long connects have been failing; undefined if they do not. */
  readonly downFor: number | undefined;
  readonly failures: number;
  readonly lastError: unknown;
  /** How many leases were returned while the caller waited; undefined if it would not wait. */
  readonly returned: number | undefined;
}

/** Why there was no connection, and what to do: a pool that is busy and a backend that is down need different people. */
export function explainWait({ counts, downFor, failures, lastError, returned }: WaitFacts): string {
  const { leased, size, connecting, idle, checking } = counts;
  if (downFor !== undefined) {
    return (
      `The backend is down: connects have been failing for ${formatDuration(downFor)} (${failures} so far), the last ` +
      `with: ${describeError(lastError)}. Check the service and the way to it.`
    );
  }
  if (leased > 0 && leased >= size) {
    return returned === 0
      ? 'The pool is busy: all connections are leased and none was returned meanwhile. Look for work that holds a ' +
          'connection for too long, and for callers that ask for a second connection while they hold one: they wait ' +
          'for each other (deadlock).'
      : 'The pool is busy: all connections are leased. Raise size, or shorten the work that holds them.';
  }
  if (connecting > 0 && idle + checking === 0) {
    return 'Connections are still being opened: connect() is slow, or maxConnecting is low for so many callers.';
  }
  return 'The pool is busy: what connections there are serve callers who came first, or are being checked or closed.';
}
