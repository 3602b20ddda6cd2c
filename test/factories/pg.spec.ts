import { writeFileSync } from 'node:fs';
import type { Client } from 'pg';
import { PgConnectionFactory, type PgConnectionOptions } from '../../src/factories/pg.js';
import { askPostgres, postgres } from '../servers/postgres.js';
import type { ServerKind } from '../servers/server-kind.js';
import { conformance } from './conformance.js';

const plain = postgres();

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
  },
  factory: (port) => factory(port, { reset: 'session' }),
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
    'what he may not do': asks('CREATE ROLE bob'),
    'a query that takes too long for himself': asks('SET statement_timeout = 20; SELECT pg_sleep(5)'),
    'an error in a transaction': asks('BEGIN; SELECT nonsense'),
    'an error of his own': () => Promise.reject(new Error('his own')),
  },
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
