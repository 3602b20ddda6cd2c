import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { MysqlConnectionFactory, type MysqlConnectionOptions } from '../../src/factories/mysql2.js';
import { ConnectionPool, isConnectionError } from '../../src/index.js';
import { askMariadb, mariadb } from '../servers/mariadb.js';
import { whereInstalled } from '../servers/binaries.js';
import { withPem } from '../servers/pem.js';
import { PrivateServer } from '../servers/private-server.js';
import { until } from '../until.js';
import { conformance, type Subject } from './conformance.js';
import { pem } from './line-service.js';

const ANN = { user: 'ann', password: 'secret', database: 'shop' };

function factory(port: number, options: MysqlConnectionOptions = {}): MysqlConnectionFactory {
  return new MysqlConnectionFactory({ host: '127.0.0.1', port, ...ANN, ...options });
}

function asks(...questions: string[]): (connection: Connection) => Promise<unknown> {
  return async (connection) => {
    for (const question of questions) await connection.query(question);
  };
}

async function tells(connection: Connection, question: string): Promise<unknown> {
  const [rows] = await connection.query<RowDataPacket[]>(`SELECT ${question} AS answer`);
  return rows[0]?.['answer'];
}

const SECURED =
  "(SELECT VARIABLE_VALUE <> '' FROM information_schema.session_status WHERE VARIABLE_NAME = 'SSL_CIPHER')";

const OTHERS = "FROM information_schema.processlist WHERE user <> 'root' AND command <> 'Daemon'";

const subject: Subject<Connection> = {
  name: 'MysqlConnectionFactory',
  kind: mariadb(),
  prepare: async ({ port }) => {
    await askMariadb(port, 'CREATE DATABASE shop');
    await askMariadb(port, 'CREATE DATABASE other');
    await askMariadb(port, "CREATE USER ann IDENTIFIED BY 'secret'");
    await askMariadb(port, 'GRANT ALL ON shop.* TO ann');
    await askMariadb(port, 'GRANT ALL ON other.* TO ann');
    await askMariadb(port, 'CREATE TABLE shop.things (id int PRIMARY KEY, CHECK (id < 100)) ENGINE = InnoDB');
    await askMariadb(port, 'INSERT INTO shop.things VALUES (1)');
    await askMariadb(port, "CREATE USER eve IDENTIFIED BY 'secret'");
    await askMariadb(port, 'GRANT ALL ON shop.* TO eve');
  },
  factory: (port) => factory(port),
  indifferent: (port) => factory(port, { reset: 'none' }),
  emitter: (connection) => connection,
  light: { factory: (port) => factory(port, { reset: 'none' }), serve: asks('SELECT 1') },
  stranger: {
    factory: (port) => factory(port, { password: 'wrong' }),
    error: /Access denied for user 'ann'/,
  },
  serve: asks('SELECT 1'),
  dawdle: asks('SELECT SLEEP(20)'),
  mistakes: {
    'a query that is none': asks('SELEC 1'),
    'a value that is there already': asks('INSERT INTO things VALUES (1)'),
    'a value that a constraint forbids': asks('INSERT INTO things VALUES (100)'),
    'a table that is not there': asks('SELECT * FROM nothing'),
    'a database that is not there': asks('USE nothing'),
    'what she may not do': asks('CREATE USER bob'),
    'a query that takes too long for herself': asks('SET STATEMENT max_statement_time = 0.02 FOR SELECT SLEEP(5)'),
    'a query that is interrupted': asks('KILL QUERY CONNECTION_ID()'),
    'a statement with a value too few': (connection) => connection.execute('SELECT ?', []),
    'an error in a transaction': asks('START TRANSACTION', 'INSERT INTO things VALUES (3)', 'SELECT nonsense'),
    'an error of her own': () => Promise.reject(new Error('her own')),
  },
  spoils: {
    'the login of somebody else': (connection) => connection.changeUser({ user: 'eve', password: 'secret' }),
  },
  dirt: [
    {
      left: 'the login of somebody else',
      leave: (connection) => connection.changeUser({ user: 'eve', password: 'secret' }),
      isGone: async (connection) => String(await tells(connection, 'CURRENT_USER()')).startsWith('ann@'),
    },
    {
      left: 'a transaction',
      leave: asks('START TRANSACTION', 'INSERT INTO things VALUES (2)'),
      isGone: async (connection) => (await tells(connection, '(SELECT COUNT(*) FROM things)')) === 1,
    },
    {
      left: 'a transaction that nobody awaited',
      leave: (connection) => {
        void connection.query('START TRANSACTION');
        return Promise.resolve();
      },
      isGone: async (connection) => (await tells(connection, '@@in_transaction')) === 0,
    },
    {
      left: 'autocommit switched off',
      leave: asks('SET autocommit = 0'),
      isGone: async (connection) => (await tells(connection, '@@autocommit')) === 1,
    },
    {
      left: 'a variable',
      leave: asks('SET @left = 1'),
      isGone: async (connection) => (await tells(connection, '@left')) === null,
    },
    {
      left: 'a setting',
      leave: asks("SET sql_mode = 'ANSI'"),
      isGone: async (connection) => (await tells(connection, '@@sql_mode = @@global.sql_mode')) === 1,
    },
    {
      left: 'another database',
      leave: asks('USE other'),
      isGone: async (connection) => (await tells(connection, 'DATABASE()')) === 'shop',
    },
    {
      left: 'another character set',
      leave: asks('SET NAMES latin1'),
      isGone: async (connection) => (await tells(connection, "CONCAT('ü€', @@character_set_client)")) === 'ü€utf8mb4',
    },
    {
      left: 'a temporary table',
      leave: asks('CREATE TEMPORARY TABLE things (name text)'),
      isGone: async (connection) => (await tells(connection, '(SELECT MAX(id) FROM things)')) === 1,
    },
    {
      left: 'a lock',
      leave: asks("SELECT GET_LOCK('one', 1)"),
      isGone: async (connection) => (await tells(connection, "IS_FREE_LOCK('one')")) === 1,
    },
    {
      left: 'a locked table',
      leave: asks('LOCK TABLES things READ'),
      isGone: (connection) =>
        asks('INSERT INTO things VALUES (4)', 'DELETE FROM things WHERE id = 4')(connection).then(() => true),
    },
    {
      left: 'a prepared statement',
      leave: asks("PREPARE one FROM 'SELECT 1'"),
      isGone: (connection) =>
        asks('EXECUTE one')(connection).then(
          () => false,
          () => true,
        ),
    },
  ],
  endSessions: async ({ port }) => {
    const sessions = await askMariadb(port, `SELECT id ${OTHERS}`);
    await Promise.all(sessions.map(({ id }) => askMariadb(port, 'KILL ?', [id])));
  },
  sessions: async ({ port }) => {
    const [row] = await askMariadb(port, `SELECT COUNT(*) AS n ${OTHERS}`);
    return Number(row!['n']);
  },
};

conformance(subject);

/** What depends on the socket alone, which is another one here. */
conformance<Connection>({
  ...subject,
  name: 'MysqlConnectionFactory, with TLS',
  // In the folder above that of its data.
  kind: withPem(mariadb({ 'ssl-cert': '../cert.pem', 'ssl-key': '../key.pem' }), pem),
  factory: (port) => factory(port, { host: 'localhost', ssl: { ca: pem.cert, verifyIdentity: true } }),
  indifferent: undefined,
  light: undefined,
  stranger: { factory: (port) => factory(port, { ssl: { ca: [] } }), error: /self-signed certificate/ },
  serve: async (connection) => {
    if ((await tells(connection, SECURED)) !== 1) throw new Error('It is not encrypted');
  },
  mistakes: { 'a query that is none': asks('SELEC 1') },
  dirt: [],
});

whereInstalled(subject.kind, describe)('MysqlConnectionFactory', () => {
  let server: PrivateServer;

  beforeAll(async () => {
    server = await PrivateServer.start(subject.kind);
    await subject.prepare?.(server);
  }, 60_000);

  afterAll(() => server?.stop());

  /** Lends the only connection twice; yields what the second borrower says. */
  async function after<R>(
    first: (connection: Connection) => unknown,
    second: (connection: Connection) => Promise<R>,
    options: MysqlConnectionOptions = {},
  ): Promise<R> {
    const pool = new ConnectionPool(factory(server.port, options), { name: 'one', size: 1 });
    try {
      await pool.use(first).catch(() => undefined);
      return await pool.use(second);
    } finally {
      await pool.close();
    }
  }

  const threadId = (connection: Connection): Promise<number> => Promise.resolve(connection.threadId);

  test("reset: 'transaction' rolls back, and leaves all else", async () => {
    const leave = asks('SET @left = 7', 'START TRANSACTION');
    const look = (connection: Connection): Promise<unknown> => tells(connection, 'CONCAT(@@in_transaction, @left)');
    expect(await after(leave, look, { reset: 'transaction' })).toBe('07');
  });

  test("reset: 'none' leaves everything", async () => {
    const leave = asks('SET @left = 7', 'START TRANSACTION');
    const look = (connection: Connection): Promise<unknown> => tells(connection, 'CONCAT(@@in_transaction, @left)');
    expect(await after(leave, look, { reset: 'none' })).toBe('17');
  });

  test('of the connection with callbacks, too, forgotten listeners are taken off, but for the event that it hears itself', async () => {
    const raw = (connection: Connection): EventEmitter =>
      (connection as unknown as { readonly connection: EventEmitter }).connection;
    const counts = (connection: Connection): number[] =>
      ['error', 'end', 'drain', 'news'].map((event) => raw(connection).listenerCount(event));
    const own = await after(threadId, (connection) => Promise.resolve(counts(connection)));
    const forget = (connection: Connection): void => {
      for (const event of ['error', 'end', 'drain', 'news']) raw(connection).on(event, () => {});
    };
    const left = await after(forget, (connection) => Promise.resolve(counts(connection)));
    expect(left).toEqual([own[0]! + 1, ...own.slice(1)]);
  });

  test('without a database none is chosen', async () => {
    const look = (connection: Connection): Promise<unknown> => tells(connection, '@left');
    expect(await after(asks('SET @left = 7'), look, { database: undefined })).toBe(null);
  });

  test('what is sent after a character set was left behind arrives as it was meant', async () => {
    const look = (connection: Connection): Promise<unknown> => tells(connection, "HEX('ü')");
    expect(await after(asks('SET NAMES latin1'), look)).toBe('C3BC');
  });

  test('what every session is to have it has after the login, and after each reset', async () => {
    class Utc extends MysqlConnectionFactory {
      protected override async prepareSession(connection: Connection): Promise<void> {
        await connection.query("SET time_zone = '+00:00'");
      }
    }
    await using pool = new ConnectionPool(new Utc({ host: '127.0.0.1', port: server.port, ...ANN }), { size: 1 });
    expect(await pool.use((connection) => tells(connection, '@@time_zone'))).toBe('+00:00');
    await pool.use(asks("SET time_zone = '+05:00'"));
    expect(await pool.use((connection) => tells(connection, '@@time_zone'))).toBe('+00:00');
  });

  test('what it cannot have is a failed connect, and leaves nothing behind', async () => {
    class Impossible extends MysqlConnectionFactory {
      protected override async prepareSession(connection: Connection): Promise<void> {
        await connection.query("SET time_zone = 'nowhere'");
      }
    }
    const impossible = new Impossible({ host: '127.0.0.1', port: server.port, ...ANN });
    const connecting = impossible.connect({ pool: 'one', attempt: 1, signal: new AbortController().signal });
    await expect(connecting).rejects.toThrow("Unknown or incorrect time zone: 'nowhere'");
    await until(async () => (await subject.sessions!(server)) === 0, 'no session is left');
  });

  test('a statement that was prepared before a reset is prepared again', async () => {
    const execute = (connection: Connection): Promise<unknown> => connection.execute('SELECT ? AS answer', [1]);
    await expect(after(execute, execute)).resolves.toMatchObject([[{ answer: 1 }], {}]);
  });

  test.each<[string, (connection: Connection) => unknown]>([
    ["the client's own time-out, for the query goes on", (c) => c.query({ sql: 'SELECT SLEEP(20)', timeout: 20 })],
    ['a packet that is too large, after which the server hangs up', (c) => c.query('SELECT ?', ['x'.repeat(2 ** 24)])],
    ['its being killed by itself', asks('KILL CONNECTION_ID()')],
    ['a change of user that fails', (c) => c.changeUser({ user: 'bob' })],
    ['end(), called by its borrower', (c) => c.end()],
    ['destroy(), called by its borrower', (c) => c.destroy()],
  ])('a connection is replaced after %s', async (_, end) => {
    let before: number | undefined;
    const first = (connection: Connection): unknown => {
      before = connection.threadId;
      return end(connection);
    };
    expect(await after(first, threadId, { reset: 'none' })).not.toBe(before);
  });

  test('a query that its own client gave up is no connection error, and leaves the other connections alone', async () => {
    await using pool = new ConnectionPool(factory(server.port), { name: 'shop', size: 2 });
    await pool.ready();
    const giveUp = (c: Connection): unknown => c.query({ sql: 'SELECT SLEEP(20)', timeout: 20 });
    const error: unknown = await pool.use(giveUp).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'PROTOCOL_SEQUENCE_TIMEOUT' });
    expect(isConnectionError(error)).toBe(false);
    expect(pool.stats()).toMatchObject({ downSince: undefined, totals: { pings: 0, closed: { broken: 1 } } });
  });

  test('to undo what there is no word for is refused', () => {
    const wrong = { reset: 'everything' } as unknown as MysqlConnectionOptions;
    expect(() => new MysqlConnectionFactory(wrong)).toThrow(/reset: received 'everything'/);
  });

  test('options may come from a function, and from a URI in them', async () => {
    const uri = `mysql://ann:secret@127.0.0.1:${server.port}/shop`;
    await using pool = new ConnectionPool(new MysqlConnectionFactory(() => Promise.resolve({ uri })), { size: 1 });
    expect(await pool.use((connection) => tells(connection, 'DATABASE()'))).toBe('shop');
  });

  test('a session that the server has ended is told of at once, and not usable from then on', async () => {
    const one = factory(server.port);
    const connection = await one.connect({ pool: 'one', attempt: 1, signal: new AbortController().signal });
    expect(one.isUsable(connection)).toBe(true);
    const told = new Promise<unknown>((resolve) => {
      one.watch(connection, (error) => resolve([String(error), one.isUsable(connection)]));
    });
    await askMariadb(server.port, 'KILL ?', [connection.threadId]);
    expect(await told).toEqual(['ConnectionError: The server closed the connection', false]);
    one.destroy(connection);
  });

  test("the pool's time-out is the only one of a connect", async () => {
    await using pool = new ConnectionPool(factory(server.port), { size: 1 });
    expect(await pool.use(({ config }) => config)).toMatchObject({ connectTimeout: 0, keepAliveInitialDelay: 10_000 });
  });

  test('a polite close lasts until the server has gone, or no time if it has', async () => {
    const one = factory(server.port);
    const connection = await one.connect({ pool: 'one', attempt: 1, signal: new AbortController().signal });
    await one.close(connection, 'surplus');
    expect((connection as unknown as { connection: { stream: Socket } }).connection.stream.closed).toBe(true);
    await one.close(connection, 'surplus');
  });

  test('a connect that fails because of wrong options says so', async () => {
    const connecting = factory(server.port, { charset: 'klingon' }).connect({
      pool: 'one',
      attempt: 1,
      signal: new AbortController().signal,
    });
    await expect(connecting).rejects.toThrow("Unknown charset 'klingon'");
  });
});

describe('MysqlConnectionFactory tells apart', () => {
  const { isConnectionError } = MysqlConnectionFactory.prototype;

  test.each([
    ['what the client calls fatal', { fatal: true }],
    ["MariaDB's 1927, killed", { errno: 1927, sqlState: '70100' }],
    ["MySQL's 3169, killed", { errno: 3169, sqlState: 'HY000' }],
    ["MySQL's 4031, idle for too long", { errno: 4031, sqlState: 'HY000' }],
    ['1053, the server shuts down', { errno: 1053, sqlState: '08S01' }],
  ])('%s: broken', (_, fields) => {
    expect(isConnectionError(Object.assign(new Error('told'), fields))).toBe(true);
  });

  test.each([
    ['an interrupted query', Object.assign(new Error('told'), { errno: 1317, sqlState: '70100' })],
    ['a deadlock', Object.assign(new Error('told'), { errno: 1213, sqlState: '40001' })],
    ['an error without any of that', new Error('told')],
    ['what is no error', { fatal: true }],
  ])('%s: not broken', (_, error) => {
    expect(isConnectionError(error)).toBe(false);
  });
});
