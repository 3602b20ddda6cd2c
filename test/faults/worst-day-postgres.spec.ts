import { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Client, DatabaseError } from 'pg';
import { ConnectionFactory, InjectPool, Retryable, retryContext } from '../../src/index.js';
import type { CloseReason, ConnectContext, HookContext, PoolOf } from '../../src/index.js';
import { whereInstalled } from '../servers/binaries.js';
import { askPostgres, postgres } from '../servers/postgres.js';
import { PrivateServer } from '../servers/private-server.js';
import { childrenOf } from '../servers/processes.js';
import { HARMLESS, UNHARMED, UNNOTICED, busyDay, show, standStillForHastyCallers } from './worst-day-faults.js';
import { WorstDay, type Cast } from './worst-day.js';

jest.setTimeout(60_000);

const PLACES = 20;
const KIND = postgres({ max_connections: PLACES + 3, superuser_reserved_connections: 3 });

@Injectable()
class PostgresFactory extends ConnectionFactory<Client> {
  static override poolName = 'postgres';
  private readonly sockets = new WeakMap<Client, Socket>();
  private readonly dead = new WeakSet<Client>();

  constructor(private readonly server: PrivateServer) {
    super();
  }

  async connect({ signal }: ConnectContext): Promise<Client> {
    // The client knows of no signal; its socket does.
    const socket = new Socket({ signal });
    const client = new Client({
      ...{ host: this.server.host, port: this.server.port, ssl: false, stream: () => socket },
      ...{ user: 'app', password: 'secret', database: 'postgres', application_name: 'worst-day' },
    });
    this.sockets.set(client, socket);
    // Listened to from the start, for an 'error' that nobody hears ends the process. It may come with the very bytes that
    // end the login: then connect() succeeds, and the pool, which watches from there on, has missed it.
    client.on('error', () => this.dead.add(client));
    await client.connect();
    return client;
  }

  override isUsable(client: Client): boolean {
    return !this.dead.has(client);
  }

  override async keepalive(client: Client, { signal }: HookContext): Promise<void> {
    signal.throwIfAborted();
    await client.query('SELECT');
  }

  override async close(client: Client, reason: CloseReason): Promise<void> {
    // end() would wait for the reply to a query, which may never come.
    if (reason === 'broken') this.sockets.get(client)?.destroy();
    else await client.end();
  }

  /**
   * Class 08 is "connection exception"; 57P01 to 57P05 are what ends a session: a shutdown, a crash, "cannot connect now",
   * a dropped database, the idle time-out. What the client itself says of a loss has no code; but then it is no longer
   * usable, which tells as much. 53300, "too many connections", is none of them: ours fail with it only in connect(), where
   * every failure is a failed connect; and if it is another server's, behind a foreign table, then ours is well.
   */
  override isConnectionError(error: unknown): boolean {
    return error instanceof DatabaseError && /^(08|57P0[1-5])/.test(error.code ?? '');
  }
}

class DeafPostgresFactory extends PostgresFactory {
  override watch(): () => void {
    return () => {};
  }

  override isUsable(): boolean {
    return true;
  }
}

async function ask(client: Client, text: string): Promise<string> {
  const { rows } = await client.query<{ said: string }>('SELECT $1::text AS said', [text]);
  return rows[0]!.said;
}

@Injectable()
class Questions {
  constructor(@InjectPool(PostgresFactory) private readonly pool: PoolOf<typeof PostgresFactory>) {}

  @Retryable()
  echo(text: string): Promise<string> {
    return this.pool.use((client) => ask(client, text));
  }
}

@Injectable()
class HastyQuestions {
  constructor(@InjectPool(PostgresFactory) private readonly pool: PoolOf<typeof PostgresFactory>) {}

  @Retryable({ attemptTimeout: '200ms' })
  echo(text: string): Promise<string> {
    return this.pool.use((client) => ask(client, text), { signal: retryContext().signal });
  }
}

whereInstalled(KIND, describe)('The worst day of PostgreSQL', () => {
  let server: PrivateServer;
  let cast: Cast;

  const OTHERS = `FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`;

  beforeAll(async () => {
    server = await PrivateServer.start(KIND);
    const { host, port } = server;
    await askPostgres(port, `CREATE ROLE app LOGIN PASSWORD 'secret'`);
    cast = {
      ...{ server, factory: PostgresFactory, deafFactory: DeafPostgresFactory },
      ...{ service: Questions, hastyService: HastyQuestions, places: PLACES },
      connections: async () => (await askPostgres(port, `SELECT ${OTHERS}`)).length,
      endSessions: () => askPostgres(port, `SELECT pg_terminate_backend(pid) ${OTHERS}`),
      async takePlace() {
        const client = new Client({ host, port, user: 'app', password: 'secret', database: 'postgres', ssl: false });
        client.on('error', () => {});
        await client.connect();
        return () => client.end();
      },
      isTooMany: (error) => error instanceof DatabaseError && error.code === '53300',
    };
  });

  afterAll(() => server?.stop());

  describe('costs no call', () => {
    test.each(HARMLESS)('$title', async ({ title, spend }) => {
      const outcome = await spend(cast);
      show(title, outcome);
      expect(outcome).toMatchObject(UNHARMED);
    });

    test('kill -9 of one session, after which it throws out all others and recovers: calls are made again', async () => {
      await using day = await busyDay(cast);
      await day.survive(async () => {
        const [session] = await askPostgres<{ pid: number }>(server.port, `SELECT pid ${OTHERS} LIMIT 1`);
        expect(childrenOf(new Set([server.pid!]))).toContain(session!.pid);
        process.kill(session!.pid, 'SIGKILL');
      }, 10);
      await day.answered(500);
      const outcome = await day.end();
      show('kill -9 of one session', outcome);
      expect(outcome).toMatchObject(UNHARMED);
    });
  });

  test('an idle time-out that strikes just when connections are used again: such calls are made again', async () => {
    await askPostgres(server.port, `ALTER ROLE app SET idle_session_timeout = '50ms'`);
    try {
      await using day = await WorstDay.begin(cast);
      day.load(1);
      await day.answered(100);
      const outcome = await day.end();
      show('idle_session_timeout', outcome);
      expect(outcome).toMatchObject(UNHARMED);
      expect(outcome.stats.totals.closed.broken).toBeGreaterThan(0);
    } finally {
      await askPostgres(server.port, 'ALTER ROLE app RESET idle_session_timeout');
    }
  });

  test.each(UNNOTICED)('$title', async ({ title, spend }) => {
    const outcome = await spend(cast);
    show(title, outcome);
    expect(outcome).toMatchObject({ ...UNHARMED, retries: 0 });
  });

  test('a standstill fails calls whose attempts are shorter all together, and leaves nothing else behind', async () => {
    const outcome = await standStillForHastyCallers(cast);
    show('a standstill, with attemptTimeout', outcome);
    expect(outcome).toMatchObject({ ...UNHARMED, failures: expect.anything() });
    expect(outcome.failures.filter((failure) => !failure.startsWith('RetryAttemptTimeoutError'))).toEqual([]);
  });
});
