import type { Clock } from './clock.js';
import { formatDuration } from './duration.js';
import { AcquireTimeoutError, describeError, describeTimeout, type PoolCounts } from './errors.js';
import type { Filler } from './filler.js';
import type { Totals } from './stats.js';

/** Makes the errors of those who have waited in vain. */
export class WaitDiagnosis {
  constructor(
    private readonly pool: string,
    private readonly clock: Clock,
    private readonly filler: Filler<unknown>,
    private readonly totals: Totals,
    private readonly counts: () => PoolCounts,
  ) {}

  /**
   * For all who have waited for so long in one instant. What they say is worked out once.
   * @returns takes how many leases were returned while the caller waited; undefined if he would not wait
   */
  timeUp(timeout: number): (returned: number | undefined) => AcquireTimeoutError {
    const { pool, totals, clock } = this;
    const counts = this.counts();
    // Whoever asks in vain wanted a connect, even if he is in no queue.
    const { failingSince, failures, lastError } = this.filler;
    const downFor = failingSince === undefined ? undefined : clock.now() - failingSince;
    const options = failingSince === undefined ? undefined : { cause: lastError };
    const describe = (returned: number | undefined): string =>
      describeTimeout(pool, timeout, counts, explainWait({ counts, downFor, failures, lastError, returned }));
    let [withReturns, withNone]: Array<string | undefined> = [];
    return (returned) => {
      totals.acquireTimeouts++;
      const message = returned === 0 ? (withNone ??= describe(0)) : (withReturns ??= describe(returned));
      return new AcquireTimeoutError(pool, timeout, counts, message, options);
    };
  }
}

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
export function explainWait(facts: WaitFacts): string {
  const { leased, size, connecting, idle, checking } = facts.counts;
  const failures = describeFailures(facts);
  // First, for where all are leased no connect would help.
  if (leased > 0 && leased >= size) {
    const returned = facts.returned === 0 ? ' and none was returned meanwhile' : '';
    // Who would not wait knows nothing of who waits for whom.
    const hint =
      facts.returned === undefined
        ? ''
        : ' Look for callers that ask for a second connection while they hold one: they may wait for each other (deadlock).';
    const besides = failures === undefined ? '' : ` Besides, ${failures}.`;
    return `The pool is busy: all connections are leased${returned}. Raise size, or shorten the work that holds them.${hint}${besides}`;
  }
  const open = leased + idle + checking;
  if (failures !== undefined && open > 0) {
    // A database that takes no more sessions is not down, and whoever is sent to restart it does harm.
    return (
      `Only ${open} of ${size} connections ${open === 1 ? 'is' : 'are'} open (${leased} leased), and no more can be opened: ` +
      `${failures}. The service may be down, or at its limit of connections: check it and the way to it, or lower size.`
    );
  }
  if (failures !== undefined) return `The backend is down: ${failures}. Check the service and the way to it.`;
  if (connecting > 0 && idle + checking === 0) {
    return 'Connections are still being opened: connect() is slow, or maxConnecting is low for so many callers.';
  }
  return 'The pool is busy: what connections there are serve callers who came first, or are being checked or closed.';
}

function describeFailures({ downFor, failures, lastError }: WaitFacts): string | undefined {
  if (downFor === undefined) return undefined;
  const since = formatDuration(downFor);
  return `connects have been failing for ${since} (${failures} so far), the last with: ${describeError(lastError)}`;
}
