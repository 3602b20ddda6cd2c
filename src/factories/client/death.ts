import { tolerateErrors, type EmitterLike as Emitter } from '../../pool/capabilities.js';
import { ConnectionError } from '../../pool/connection-error.js';

/** A client that tells of its life by events. */
export type { Emitter };

/**
 * For good, and as soon as there is a client: what goes wrong is told to whoever calls it, and an 'error' that nobody hears
 * would end the process. The pool does the same, but not before the client is connected.
 */
export function ignoreErrors(client: Emitter): void {
  tolerateErrors(client);
}

/**
 * Tells of a client's death with what it was told to have died of: many say in an 'error' why, if they say it at all, and in
 * another event that it is over.
 *
 * @param deaths the events that mean that it is over
 * @returns stops the watch
 */
export function watchDeath(client: Emitter, deaths: readonly string[], broken: (error?: unknown) => void): () => void {
  let cause: unknown;
  const onError = (error: unknown): void => {
    cause = error;
  };
  const onDeath = (reason: unknown): void => broken(reason instanceof Error ? reason : cause);
  client.on('error', onError);
  for (const death of deaths) client.on(death, onDeath);
  return () => {
    client.removeListener('error', onError);
    for (const death of deaths) client.removeListener(death, onDeath);
  };
}

/**
 * The answer, or a ConnectionError if the client dies before it comes: many clients leave a call then unanswered for ever.
 *
 * @param death the event that means that it is over
 * @param what what was asked, for the error
 */
export async function orDeath<T>(client: Emitter, death: string, what: string, answer: Promise<T>): Promise<T> {
  let onDeath!: (reason: unknown) => void;
  const died = new Promise<never>((_, reject) => {
    onDeath = (reason) => reject(new ConnectionError(`The connection was closed before ${what}`, { cause: reason }));
  });
  client.on(death, onDeath);
  try {
    return await Promise.race([answer, died]);
  } finally {
    client.removeListener(death, onDeath);
  }
}
