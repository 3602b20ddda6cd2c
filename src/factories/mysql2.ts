import type { Duplex } from 'node:stream';
import { createConnection, type Connection as CallbackConnection, type ConnectionOptions } from 'mysql2';
import type { Connection } from 'mysql2/promise';
import { ConnectionError } from '../pool/connection-error.js';
import type { ConnectContext } from '../pool/connection-factory.js';
import type { Fault } from '../pool/rules.js';
import { choiceFaults } from './client/choice.js';
import { ClientConnectionFactory } from './client/client-connection-factory.js';
import { ignoreErrors, watchDeath } from './client/death.js';
import { guardListeners, takeOffListeners } from './client/listeners.js';
import { opening } from './client/opening.js';

export type { OptionsSource } from './client/configured-connection-factory.js';

/** What `mysql2` takes, and what is undone between two borrowers. */
export interface MysqlConnectionOptions extends ConnectionOptions {
  /**
   * What is undone when a connection comes back. Default: `'session'`.
   *
   * - `'session'`: all that a session has (COM_RESET_CONNECTION): transactions, variables, temporary tables, locks, prepared
   *   statements; and `database` is chosen again. One round trip, two where there is a `database`.
   * - `'transaction'`: a transaction that is still open is rolled back. One round trip, for the client does not know of any.
   * - `'none'`: nothing.
   */
  readonly reset?: 'session' | 'transaction' | 'none';
}

/** What a connection was like, and is to be again. */
interface Origin extends Pick<MysqlConnectionOptions, 'reset' | 'database'> {
  readonly charsetNumber: number | undefined;
  /** Whether somebody has logged in as somebody else, which no reset undoes. */
  isOther: boolean;
}

/**
 * Connections to MySQL and MariaDB, by `mysql2`, of its promise API.
 *
 * @example
 * class OrdersDb extends MysqlConnectionFactory {
 *   constructor(config: ConfigService) {
 *     super({ uri: config.getOrThrow('ORDERS_DB') });
 *   }
 * }
 */
export class MysqlConnectionFactory extends ClientConnectionFactory<Connection, MysqlConnectionOptions> {
  private readonly origins = new WeakMap<Connection, Origin>();

  override isUsable(connection: Connection): boolean {
    const { state, stream } = rawOf(connection);
    // What the server has closed is 'authenticated' until the socket has closed as well.
    return state === 'authenticated' && stream.readable;
  }

  override watch(connection: Connection, broken: (error?: unknown) => void): () => void {
    const raw = rawOf(connection);
    const stopWatching = watchDeath(raw, ['end', 'error'], (error) => {
      broken(error ?? new ConnectionError('The server closed the connection'));
    });
    // While it is sent a file (LOAD DATA LOCAL) it listens to its own 'error', by which it stops reading the file.
    return guardListeners(connection, guardListeners(raw, stopWatching, ['error']));
  }

  /** COM_PING: one round trip, in which the server parses nothing. */
  override async keepalive(connection: Connection): Promise<void> {
    await connection.ping();
  }

  override reset(connection: Connection): void | Promise<void> {
    takeOffListeners(connection);
    takeOffListeners(rawOf(connection));
    const origin = this.origins.get(connection)!;
    if (origin.isOther) throw new Error('The connection came back logged in as somebody else');
    if (origin.reset === 'none') return undefined;
    return origin.reset === 'transaction' ? connection.rollback() : this.resetSession(connection, origin);
  }

  private async resetSession(connection: Connection, { database, charsetNumber }: Origin): Promise<void> {
    await connection.reset();
    // The server is back at it; the client has followed a SET NAMES, and would go on in what that had asked for.
    connection.config.charsetNumber = charsetNumber;
    // The database is no part of what the server resets.
    if (database) await connection.query('USE ??', [database]);
    await this.prepareSession?.(connection);
  }

  override isConnectionError(error: unknown): boolean {
    if (!(error instanceof Error)) return false;
    const { fatal, errno, sqlState } = error as Partial<Record<'fatal' | 'errno' | 'sqlState', unknown>>;
    return fatal === true || ENDED.has(errno) || String(sqlState).startsWith('08');
  }

  override isAbandonment(error: unknown): boolean {
    return error instanceof Error && (error as { readonly code?: unknown }).code === TIMED_OUT;
  }

  /** Not the connection's own destroy(), which only says goodbye, and leaves what waits for an answer waiting. */
  override destroy(connection: Connection): void {
    rawOf(connection).stream.destroy();
  }

  protected override async open(options: MysqlConnectionOptions, { signal }: ConnectContext): Promise<Connection> {
    const { reset, ...config } = options;
    // Not by the promise API: that gives nothing to cut off until it is connected.
    const raw = createConnection({
      // The pool's own covers all of it.
      connectTimeout: 0,
      keepAliveInitialDelay: 10_000,
      ...config,
    }) as RawConnection;
    ignoreErrors(raw);
    const connection = raw.promise();
    await opening(
      signal,
      async () => {
        await connected(raw);
        await this.prepareSession?.(connection);
      },
      // Without the reason, on which mysql2 would write.
      () => void raw.stream.destroy(),
    );
    const { database, charsetNumber } = raw.config;
    const origin: Origin = { reset, database, charsetNumber, isOther: false };
    this.origins.set(connection, origin);
    const changeUser = connection.changeUser.bind(connection);
    connection.changeUser = (user) => {
      origin.isOther = true;
      return changeUser(user);
    };
    return connection;
  }

  protected override faultsOf({ reset }: MysqlConnectionOptions): Fault[] {
    return choiceFaults('reset', reset, ['session', 'transaction', 'none']);
  }

  /** Makes the settings that every session is to have: after the login, and again after each reset of the session. */
  protected prepareSession?(connection: Connection): void | Promise<void>;

  /** mysql2 itself does not wait until the server has gone. */
  protected override part(connection: Connection): Promise<void> {
    const { stream } = rawOf(connection);
    return new Promise((resolve) => {
      if (stream.closed) return resolve();
      stream.once('close', resolve);
      void connection.end();
    });
  }
}

/** The one with callbacks, which has the socket: with TLS another one after the first words, so it must be asked anew. */
type RawConnection = CallbackConnection & { readonly stream: Duplex };

function rawOf(connection: Connection): RawConnection {
  return (connection as unknown as { readonly connection: RawConnection }).connection;
}

function connected(raw: RawConnection): Promise<void> {
  return new Promise((resolve, reject) => raw.connect((error) => (error === null ? resolve() : reject(error))));
}

/** After the client's own time-out the query still runs, and the next would wait for it. */
const TIMED_OUT = 'PROTOCOL_SEQUENCE_TIMEOUT';

/**
 * The server has ended the session: by KILL (1927 of MariaDB, 3169 of MySQL), or because it was idle for too long (4031 of
 * MySQL). All else it says with the class 08.
 */
const ENDED: ReadonlySet<unknown> = new Set([1927, 3169, 4031]);
