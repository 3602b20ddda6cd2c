import { ConnectionError } from '../../src/pool/connection-error.js';
import { TIMES } from './behaviour.js';
import { object, oneOf, optional, whole, type ValueOf } from './fields.js';

/** What work fails with. */
export const FAILURES = ['plain', 'connection', 'code', 'cause', 'abort', 'timeout'] as const;
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

/** An error as the work of a caller throws it. */
export function errorOf(failure: Failure): Error {
  switch (failure) {
    case 'plain':
      return new Error('the work failed');
    case 'connection':
      return new ConnectionError('the connection broke');
    case 'code':
      return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
    case 'cause':
      return new Error('the query failed', { cause: new ConnectionError('the connection broke') });
    case 'abort':
      return new DOMException('the work was aborted', 'AbortError');
    case 'timeout':
      return new DOMException('the work took too long', 'TimeoutError');
  }
}

/** How a lease ends. */
export type Ending = 'release' | 'fail' | 'dispose' | 'discard';

/** What the contract says of a connection whose lease ended like this. */
export function verdictOf(
  how: Ending,
  failure: Failure | undefined,
  signal: AbortSignal | undefined,
): 'intact' | 'broken' | 'unsure' {
  const failed = failure !== undefined;
  if (how === 'dispose' || (how !== 'discard' && !failed)) return 'intact';
  if (signal?.aborted === true || !failed) return 'unsure';
  if (failure === 'abort' || failure === 'timeout') return 'unsure';
  return how === 'discard' || failure !== 'plain' ? 'broken' : 'intact';
}
