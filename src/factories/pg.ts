import type { Duplex } from 'node:stream';
import { Client, type ClientConfig } from 'pg';
import type { ConnectContext } from '../pool/connection-factory.js';
import type { Fault } from '../pool/rules.js';
import { ClientConnectionFactory } from './client/client-connection-factory.js';
import { choiceFaults } from './client/choice.js';
import { ignoreErrors, watchDeath } from './client/death.js';
import { guardListeners, takeOffListeners } from './client/listeners.js';
import { opening } from './client/opening.js';

export type { OptionsSource } from './client/configured-connection-factory.js';

/** What `pg` takes, and what is undone between two borrowers. */
export interface PgConnectionOptions extends ClientConfig {
  /**
   * What is undone when a connection comes back. Default: `'transaction'`.
   *
   * - `'transaction'`: a transaction that is still open is rolled back. Where there is none, which the client knows, nothing is
   *   asked.
   * - `'session'`: that, and all else that outlives a transaction: settings, LISTEN, advisory locks, temporary tables,
   *   cursors, sequences. Named statements stay. One round trip at each return.
   * - `'none'`: nothing.
   */
  readonly reset?: 'transaction' | 'session' | 'none';
}

const RESETS = ['transaction', 'session', 'none'] as const;

/**
 * DISCARD ALL, but for the named statements, of which the client believes that the server still has them.
 * https://www.postgresql.org/docs/current/sql-discard.html
 */
const RESET_SESSION =
  'CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES';

/**
 * Connections to PostgreSQL, by `pg`.
 *
 * @example
 * class OrdersDb extends PgConnectionFactory {
 *   constructor(config: ConfigService) {
 *     super({ connectionString: config.getOrThrow('ORDERS_DB') });
 *   }
 * }
 */
export class PgConnectionFactory extends ClientConnectionFactory<Client, PgConnectionOptions> {
  /** What each client is to have undone. */
  private readonly resets = new WeakMap<Client, PgConnectionOptions['reset']>();

  override isUsable(client: Client): boolean {
    const { destroyed, writable } = streamOf(client);
    return !destroyed && writable;
  }

  /** The client listens to itself in its end() alone, after which nobody gets it. */
  override watch(client: Client, broken: (error?: unknown) => void): () => void {
    return guardListeners(client, watchDeath(client, ['error', 'end'], broken));
  }

  /** One round trip, in which the server parses nothing and takes no snapshot. */
  override async keepalive(client: Client): Promise<void> {
    await client.query('');
  }

  /** Returns nothing if there is nothing to undo, which costs a lease next to nothing. */
  override reset(client: Client): void | Promise<void> {
    takeOffListeners(client);
    if (isEnding(client)) throw new Error('The client came back though its borrower had ended it');
    const kind = this.resets.get(client);
    if (kind === 'none' || (kind !== 'session' && !mayBeInTransaction(client))) return undefined;
    return undo(client, kind === 'session');
  }

  override isConnectionError(error: unknown): boolean {
    if (!(error instanceof Error)) return false;
    const { code, severity, message } = error as Error & { readonly code?: unknown; readonly severity?: unknown };
    if (typeof severity === 'string') return isFatal(String(code), severity);
    return code === undefined && DEAD.test(message);
  }

  override isAbandonment(error: unknown): boolean {
    return error instanceof Error && error.message === GIVEN_UP;
  }

  override destroy(client: Client): void {
    streamOf(client).destroy();
  }

  protected override async open({ reset, ...config }: PgConnectionOptions, context: ConnectContext): Promise<Client> {
    const client = new Client({
      application_name: context.pool,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      ...config,
    });
    ignoreErrors(client);
    await opening(
      context.signal,
      () => client.connect(),
      // Not end(): during a connect that is without effect.
      (reason) => void streamOf(client).destroy(reason),
    );
    this.resets.set(client, reset);
    return client;
  }

  protected override faultsOf({ reset }: PgConnectionOptions): Fault[] {
    return choiceFaults('reset', reset, RESETS);
  }

  protected override part(client: Client): Promise<void> {
    return client.end();
  }
}

/** Not both at once: what is sent as one is a transaction, in which some of it cannot be done. */
async function undo(client: Client, isWholeSession: boolean): Promise<void> {
  if (mayBeInTransaction(client)) await client.query('ROLLBACK');
  if (isWholeSession) await client.query(RESET_SESSION);
}

/** Asked anew each time: with TLS it is another one after the first words. */
function streamOf(client: Client): Duplex {
  return client.connection.stream;
}

/** Whether its borrower has ended it: it refuses all queries, though its goodbye is perhaps still to be written. */
function isEnding(client: Client): boolean {
  return (client as unknown as { readonly _ending: boolean })._ending;
}

/**
 * Whether a transaction is open, or may be: an error is told before the server has said how it left the session, and what
 * was sent without waiting for it is still under way.
 */
function mayBeInTransaction(client: Client): boolean {
  const { readyForQuery } = client as unknown as { readonly readyForQuery: boolean };
  return !readyForQuery || client.getTransactionStatus() !== 'I';
}

/**
 * Whether the server has ended the session. The codes are 57P01 to 57P05 (it shuts down, crashed, cannot take connections
 * now, dropped the database, waited for too long), 25P03 and 25P04 (a transaction that was idle or took too long), and class 08
 * but for 08P01, which is also what a parameter too few comes to. The severity tells as well, except where the server speaks
 * another language.
 */
function isFatal(code: string, severity: string): boolean {
  return /^(57P0[1-5]|25P0[34]|08(?!P01)...)$/.test(code) || severity === 'FATAL' || severity === 'PANIC';
}

/** What the client itself says, without a code. */
const DEAD = /^(Connection terminated|Client (was closed|has encountered a connection error))/;

/** Of its own query_timeout: the query goes on in the server, and the next would wait for it. */
const GIVEN_UP = 'Query read timeout';
