import { isAbandonment, isBrokenBy, matchesError } from './connection-error.js';
import type { ConnectionFactory } from './connection-factory.js';
import type { Outcome } from './lease.js';
import type { ErrorMatcher } from './rules.js';

/** What the end of a lease says of its connection. Of one that is `'unsure'`, a reply may still be on its way. */
export type Verdict = 'intact' | 'broken' | 'unsure';

/** Judges connections by what the work on them failed with. */
export class Judge {
  /** What tells that an error broke the connection, besides what always does. */
  private readonly breakers: readonly ErrorMatcher[];
  /** What tells that work was given up, besides AbortError and TimeoutError. */
  private readonly abandonments: readonly ErrorMatcher[];

  constructor(
    factory: Pick<ConnectionFactory<unknown>, 'isConnectionError' | 'isAbandonment'>,
    connectionErrors: readonly ErrorMatcher[],
  ) {
    this.breakers = [...connectionErrors, (error: unknown) => factory.isConnectionError?.(error) ?? false];
    this.abandonments = [(error: unknown) => factory.isAbandonment?.(error) ?? false];
  }

  verdict(outcome: Outcome, error: unknown, signal: AbortSignal | undefined): Verdict {
    if (signal?.aborted === true || (outcome === 'discarded' && error === undefined)) return 'unsure';
    if (isBrokenBy(error, this.breakers)) return 'broken';
    if (isAbandonment(error, this.abandonments)) return 'unsure';
    return outcome === 'discarded' ? 'broken' : 'intact';
  }

  /** Whether a connection that died of this was given up by its own side, as its factory says: a TimeoutError may be an outage. */
  wasGivenUp(error: unknown): boolean {
    return matchesError(error, this.abandonments);
  }
}
