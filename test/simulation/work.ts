import { ConnectionError } from '../../src/pool/connection-error.js';
import { AcquireTimeoutError } from '../../src/pool/errors.js';
import { TIMES } from './behaviour.js';
import { object, oneOf, optional, whole, type ValueOf } from './fields.js';

/**
 * What work fails with. `known`: an error of which only the settings or the factory know that it means a broken
 * connection; `waiting`: another pool had no connection, since its backend is down; `nothing`: undefined is thrown.
 */
export const FAILURES = [
  'plain',
  'connection',
  'code',
  'cause',
  'several',
  'known',
  'abort',
  'timeout',
  'waiting',
  'nothing',
] as const;
export type Failure = (typeof FAILURES)[number];

/** What a caller does with the connection that use() lends him. */
export const WORK = object({
  /** How the work ends: with a value, a promise, something that has a `then`, by throwing, by rejecting, or never. */
  work: oneOf('promise', 'value', 'thenable', 'throws', 'rejects', 'never'),
  /** For how long it goes on, unless it ends at once. */
  takes: whole(0, 100_000, TIMES),
  /** What it fails with, if it does. */
  failure: oneOf(...FAILURES),
  /** What happens in the middle: the connection dies, or the work ends its lease itself. */
  midway: optional(oneOf('die', 'release', 'discard'), 2),
});

export type Work = ValueOf<typeof WORK>;

/** Nobody knows it but whoever wrote the settings. */
export class SessionError extends Error {
  readonly code = 'E_SESSION';
}

/** The ways to tell a pool of {@link SessionError}; the last one only tries to. */
export const MATCHERS = {
  class: SessionError,
  code: 'E_SESSION',
  predicate: (error: unknown): boolean => error instanceof SessionError,
  throws: (): boolean => {
    throw new Error('a predicate throws');
  },
} as const;

const NO_COUNTS = { size: 1, idle: 0, leased: 1, checking: 0, connecting: 0, closing: 0, waiting: 0 };

/** An error as the work of a caller throws it. */
export function errorOf(failure: Failure): Error | undefined {
  switch (failure) {
    case 'plain':
      return new Error('the work failed');
    case 'connection':
      return new ConnectionError('the connection broke');
    case 'code':
      return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    case 'cause':
      return new Error('the query failed', { cause: new ConnectionError('the connection broke') });
    case 'several':
      return new AggregateError([new Error('one host failed'), new ConnectionError('the other broke')]);
    case 'known':
      return new SessionError('the session is over');
    case 'waiting':
      return new AcquireTimeoutError('another', 5, NO_COUNTS, 'It is down.', { cause: new ConnectionError('refused') });
    case 'nothing':
      return undefined;
    case 'abort':
      return new DOMException('the work was aborted', 'AbortError');
    case 'timeout':
      return new DOMException('the work took too long', 'TimeoutError');
  }
}

/** How a lease ends. */
export type Ending = 'release' | 'fail' | 'dispose' | 'discard';

/**
 * What the contract says of a connection whose lease ended like this.
 *
 * @param isKnown whether the pool knows that a {@link SessionError} means a broken connection
 */
export function verdictOf(
  how: Ending,
  failure: Failure | undefined,
  signal: AbortSignal | undefined,
  isKnown: boolean,
): 'intact' | 'broken' | 'unsure' {
  if (how === 'dispose' || (how !== 'discard' && failure === undefined)) return 'intact';
  if (signal?.aborted === true || failure === undefined) return 'unsure';
  switch (failure) {
    case 'abort':
    case 'timeout':
      return 'unsure';
    case 'connection':
    case 'code':
    case 'cause':
    case 'several':
      return 'broken';
    case 'known':
      return isKnown || how === 'discard' ? 'broken' : 'intact';
    case 'nothing':
      return how === 'discard' ? 'unsure' : 'intact';
    case 'plain':
    case 'waiting':
      return how === 'discard' ? 'broken' : 'intact';
  }
}
