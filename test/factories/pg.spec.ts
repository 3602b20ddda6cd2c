import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import type { Client } from 'pg';
import { PgConnectionFactory, type PgConnectionOptions } from '../../src/factories/pg.js';
import { ConnectionPool, isConnectionError } from '../../src/index.js';
import { whereInstalled } from '../servers/binaries.js';
import { askPostgres, postgres } from '../servers/postgres.js';
import { PrivateServer } from '../servers/private-server.js';
import type { ServerKind } from '../servers/server-kind.js';
import { conformance } from './conformance.js';
import { overTls } from './over-tls.js';

// It looks, also while it is busy with a query, whether its client is still there.
const plain = postgres({ client_connection_check_interval: '100ms' });

/** One that asks everybody but its administrator for a password. */
const guarded: ServerKind = {
  ...plain,
  async prepare(place) {
    await plain.prepare?.(place);
    const rules = ['host all postgres 127.0.0.1/32 trust', 'host all all 127.0.0.1/32 scram-sha-256'];
    writeFileSync(`${place.folder}/data/pg_hba.conf`, `${rules.join('\n')}\n`);
  },
};

function factory(port: number, options: PgConnectionOptions = {}): PgConnectionFactory {
  const ann = { host: '127.0.0.1', port, user: 'ann', password: 'secret', database: 'postgres' };
  return new PgConnectionFactory({ ...ann, ...options });
}

function asks(question: string): (client: Client) => Promise<unknown> {
  return (client) => client.query(question);
}

async function tells(client: Client, question: string): Promise<unknown> {
  const { rows } = await client.query<{ answer: unknown }>(question);
  return rows[0]?.answer;
}

const OTHERS = "backend_type = 'client backend' AND pid <> pg_backend_pid()";

conformance<Client>({
  name: 'PgConnectionFactory',
  kind: guarded,
  prepare: async ({ port }) => {
    await askPostgres(port, "CREATE ROLE ann LOGIN PASSWORD 'secret'");
    await askPostgres(port, 'CREATE TABLE things (id int PRIMARY KEY)');
    await askPostgres(port, 'INSERT INTO things VALUES (1)');
    await askPostgres(port, 'GRANT ALL ON things TO ann');
    await askPostgres(port, 'CREATE ROLE bob');
    await askPostgres(port, 'GRANT bob TO ann');
    await askPostgres(port, 'CREATE SEQUENCE numbers');
    await askPostgres(port, 'GRANT ALL ON SEQUENCE numbers TO ann');
  },
  factory: (port) => factory(port, { reset: 'session' }),
  indifferent: (port) => factory(port, { reset: 'none' }),
  emitter: (client) => client,
  light: { factory, serve: asks('SELECT 1') },
  stranger: {
    factory: (port) => factory(port, { password: 'wrong' }),
    error: /password authentication failed for user "ann"/,
  },
  serve: asks('SELECT 1'),
  dawdle: asks('SELECT pg_sleep(20)'),
  mistakes: {
    'a query that is none': asks('SELEC 1'),
    'a value that is there already': asks('INSERT INTO things VALUES (1)'),
    'a table that is not there': asks('SELECT * FROM nothing'),
    'what he may not do': asks('CREATE ROLE carol'),
    'a query that takes too long for himself': asks('SET statement_timeout = 20; SELECT pg_sleep(5)'),
    'an error in a transaction': asks('BEGIN; SELECT nonsense'),
    'a parameter too few': (client) => client.query('SELECT $1::int + $2::int', [1]),
    'an error of his own': () => Promise.reject(new Error('his own')),
  },
  spoils: { 'an end() that nobody awaited': (client) => void client.end() },
  dirt: [
    {
      left: 'a transaction',
      leave: asks('BEGIN; INSERT INTO things VALUES (2)'),
      isGone: async (client) => (await tells(client, 'SELECT count(*)::int AS answer FROM things')) === 1,
    },
    {
      left: 'a transaction that failed',
      leave: (client) => asks('BEGIN; SELECT nonsense')(client).catch(() => undefined),
      isGone: async (client) => (await tells(client, 'SELECT 7 AS answer')) === 7,
    },
    {
      left: 'a transaction that nobody awaited',
      leave: (client) => {
        void client.query('BEGIN');
        return Promise.resolve();
      },
      isGone: async (client) => {
        await client.query('SELECT 1');
        return client.getTransactionStatus() === 'I';
      },
    },
    {
      left: 'a setting',
      leave: asks("SET application_name = 'left behind'"),
      isGone: async (client) =>
        (await tells(client, "SELECT current_setting('application_name') AS answer")) === 'conforming',
    },
    {
      left: 'a lock',
      leave: asks('SELECT pg_advisory_lock(1)'),
      isGone: async (client) =>
        (await tells(client, "SELECT count(*)::int AS answer FROM pg_locks WHERE locktype = 'advisory'")) === 0,
    },
    {
      left: 'the role of somebody else',
      leave: asks('SET ROLE bob'),
      isGone: async (client) => (await tells(client, 'SELECT current_user::text AS answer')) === 'ann',
    },
    {
      left: 'channels to which he listens',
      leave: asks('LISTEN news'),
      isGone: async (client) =>
        (await tells(client, 'SELECT count(*)::int AS answer FROM pg_listening_channels()')) === 0,
    },
    {
      left: 'a cursor',
      leave: asks('DECLARE held CURSOR WITH HOLD FOR SELECT 1'),
      isGone: async (client) => (await tells(client, 'SELECT count(*)::int AS answer FROM pg_cursors')) === 0,
    },
    {
      left: 'the last value of a sequence',
      leave: asks("SELECT nextval('numbers')"),
      isGone: (client) =>
        client.query('SELECT lastval()').then(
          () => false,
          (error: unknown) => (error as { code?: string }).code === '55000',
        ),
    },
    {
      left: 'a temporary table',
      leave: asks('CREATE TEMP TABLE scratch (id int)'),
      isGone: async (client) => (await tells(client, "SELECT to_regclass('scratch') AS answer")) === null,
    },
  ],
  endSessions: ({ port }) =>
    askPostgres(port, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${OTHERS}`),
  sessions: async ({ port }) => {
    const question = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE ${OTHERS}`;
    const [row] = await askPostgres<{ n: number }>(port, question);
    return row!.n;
  },
});

overTls<Client>({
  name: 'PgConnectionFactory, with TLS',
  // In the folder above that of its data.
  kind: postgres({ ssl: 'on', ssl_cert_file: '../cert.pem', ssl_key_file: '../key.pem' }),
  factory: (port, host, ca) => factory(port, { host, user: 'postgres', ssl: { ca } }),
  serve: async (client) => {
    const question = 'SELECT ssl AS answer FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
    if ((await tells(client, question)) !== true) throw new Error('It is not encrypted');
  },
  dawdle: asks('SELECT pg_sleep(20)'),
});

describe('PgConnectionFactory', () => {
  test('refuses to undo what there is no word for, now or when it is asked anew', async () => {
    const wrong = { reset: 'Session' } as unknown as PgConnectionOptions;
    const fault = /reset: received 'Session'; allowed is one of .*transaction.*session.*none/;
    expect(() => new PgConnectionFactory(wrong)).toThrow(fault);
    const context = { pool: 'orders', attempt: 1, signal: AbortSignal.timeout(1_000) };
    await expect(new PgConnectionFactory(() => wrong).connect(context)).rejects.toThrow(fault);
  });

  describe('which errors mean that the connection is broken', () => {
    const server = (code: string, severity = 'ERROR'): Error =>
      Object.assign(new Error('told by the server'), { code, severity });

    test.each(['57P01', '57P02', '57P03', '57P04', '57P05', '25P03', '25P04', '08003', '08006'])(
      'SQLSTATE %s',
      (code) => {
        expect(factory(1).isConnectionError(server(code))).toBe(true);
      },
    );

    test.each(['42601', '23505', '40P01', '40001', '57014', '53300', '25P02', '28P01', '08P01'])('not %s', (code) => {
      expect(factory(1).isConnectionError(server(code))).toBe(false);
    });

    test.each(['FATAL', 'PANIC'])('whatever is %s', (severity) => {
      expect(factory(1).isConnectionError(server('53300', severity))).toBe(true);
    });

    test.each([
      ['Connection terminated', true],
      ['Connection terminated unexpectedly', true],
      ['Client was closed and is not queryable', true],
      ['Client has encountered a connection error and is not queryable', true],
      ['Query read timeout', false],
      ['Unknown type', false],
    ])('what the client says without a code: %s', (message, isBroken) => {
      expect(factory(1).isConnectionError(new Error(message))).toBe(isBroken);
    });

    test('not what is no error', () => {
      expect(factory(1).isConnectionError('Connection terminated')).toBe(false);
    });
  });

  whereInstalled(guarded, describe)('on a server', () => {
    let server: PrivateServer;

    beforeAll(async () => {
      server = await PrivateServer.start(guarded);
      await askPostgres(server.port, "CREATE ROLE ann LOGIN PASSWORD 'secret'");
    });

    afterAll(() => server?.stop());

    /** What one borrower asks, and with what the next finds the setting. */
    async function leftBy(
      question: string,
      options: PgConnectionOptions,
    ): Promise<{ setting: unknown; asked: string[] }> {
      await using pool = new ConnectionPool(factory(server.port, options), { name: 'orders', size: 1 });
      const asked: string[] = [];
      await pool.use(async (client) => {
        const query = client.query.bind(client) as (text: string) => unknown;
        client.query = ((text: string) => {
          asked.push(text);
          return query(text);
        }) as typeof client.query;
        await client.query(question);
      });
      const setting = await pool.use((client) => tells(client, "SELECT current_setting('application_name') AS answer"));
      return { setting, asked: asked.slice(1, -1) };
    }

    test('its sessions have the name of the pool', async () => {
      expect(await leftBy('SELECT 1', {})).toEqual({ setting: 'orders', asked: [] });
    });

    test('asks nothing between two borrowers where no transaction was left open, unless it is told to', async () => {
      const set = "SET application_name = 'left'";
      expect(await leftBy(set, {})).toEqual({ setting: 'left', asked: [] });
      expect(await leftBy(set, { reset: 'none' })).toEqual({ setting: 'left', asked: [] });
      expect(await leftBy('BEGIN', {})).toEqual({ setting: 'orders', asked: ['ROLLBACK'] });
      expect(await leftBy('BEGIN', { reset: 'none' })).toEqual({ setting: 'orders', asked: [] });
      const { setting, asked } = await leftBy(`BEGIN; ${set}; COMMIT; BEGIN`, { reset: 'session' });
      expect([setting, asked[0], asked[1]?.slice(0, 9)]).toEqual(['orders', 'ROLLBACK', 'CLOSE ALL']);
    });

    test('named statements stay, whatever is undone', async () => {
      await using pool = new ConnectionPool(factory(server.port, { reset: 'session' }), { name: 'orders', size: 1 });
      const ask = () => pool.use((client) => client.query({ name: 'seven', text: 'SELECT 7 AS seven' }));
      expect((await ask()).rows).toEqual([{ seven: 7 }]);
      expect((await ask()).rows).toEqual([{ seven: 7 }]);
      expect(pool.stats().totals.connected).toBe(1);
    });

    test('a query that its own client gave up costs the connection, for it goes on in the server, and nothing else', async () => {
      await using pool = new ConnectionPool(factory(server.port, { query_timeout: 200 }), { name: 'orders', size: 2 });
      await pool.ready();
      const error: unknown = await pool.use(asks('SELECT pg_sleep(5)')).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ message: 'Query read timeout' });
      expect(isConnectionError(error)).toBe(false);
      expect(pool.stats()).toMatchObject({ downSince: undefined, totals: { pings: 0, closed: { broken: 1 } } });
    });

    test('a session that the server has ended is not lent, though its socket is still open', async () => {
      await using pool = new ConnectionPool(factory(server.port), { name: 'orders', size: 1 });
      const first = await pool.use((client) => client);
      // As it is between the server's last words and its end.
      first.emit('error', new Error('terminating connection due to administrator command'));
      expect(await pool.use((client) => client)).not.toBe(first);
      expect(pool.stats().totals.closed.broken).toBe(1);
    });

    test('one whose socket is gone is not lent either, whatever its events say', async () => {
      const mute = factory(server.port);
      mute.watch = () => () => undefined;
      await using pool = new ConnectionPool(mute, { name: 'orders', size: 1 });
      const first = await pool.use((client) => client);
      mute.destroy(first);
      expect(await pool.use((client) => client)).not.toBe(first);
    });

    test('parts by saying goodbye, and cuts off what is broken', async () => {
      const pool = new ConnectionPool(factory(server.port), { name: 'orders', size: 2 });
      await pool.ready();
      const ended: Client[] = [];
      const [polite, broken] = await Promise.all([pool.acquire(), pool.acquire()]);
      for (const { connection } of [polite, broken]) {
        const end: () => Promise<void> = connection.end.bind(connection);
        connection.end = () => {
          ended.push(connection);
          return end();
        };
      }
      const parting = polite.connection;
      broken.discard();
      polite.release();
      await pool.close();
      expect(ended).toEqual([parting]);
    });
  });
});
