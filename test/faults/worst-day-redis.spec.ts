import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { ClientClosedError, ClientOfflineError, ErrorReply, SocketClosedUnexpectedlyError, createClient } from 'redis';
import { ConnectionFactory, InjectPool, Retryable, retryContext } from '../../src/index.js';
import type { CloseReason, ConnectContext, HookContext, PoolOf } from '../../src/index.js';
import { whereInstalled } from '../servers/binaries.js';
import { PrivateServer } from '../servers/private-server.js';
import { askRedis, redis } from '../servers/redis.js';
import { HARMLESS, UNHARMED, UNNOTICED, show, standStillForHastyCallers } from './worst-day-faults.js';
import type { Cast } from './worst-day.js';

jest.setTimeout(60_000);

const PLACES = 20;
const KIND = redis({ maxclients: PLACES });

function clientOf({ host, port }: PrivateServer, signal?: AbortSignal) {
  const client = createClient({
    name: 'worst-day',
    // Its own reconnecting is off: a connection that dies is the pool's to replace. The socket is what obeys the signal;
    // a client that is destroyed while it dials goes on with that.
    socket: { host, port, reconnectStrategy: false, signal },
    disableOfflineQueue: true,
  });
  // What goes wrong is told to whoever calls; the 'error' besides must not end the process.
  return client.on('error', () => {});
}

type Client = ReturnType<typeof clientOf>;

@Injectable()
class RedisFactory extends ConnectionFactory<Client> {
  static override poolName = 'redis';

  constructor(private readonly server: PrivateServer) {
    super();
  }

  async connect({ signal }: ConnectContext): Promise<Client> {
    const client = clientOf(this.server, signal);
    await client.connect();
    // A server that still loads its data takes connections, and refuses everything else.
    await client.ping();
    return client;
  }

  override isUsable(client: Client): boolean {
    return client.isReady;
  }

  override async keepalive(client: Client, { signal }: HookContext): Promise<void> {
    await client.withAbortSignal(signal).ping();
  }

  override async close(client: Client, reason: CloseReason): Promise<void> {
    // close() would wait for the reply to a command, which may never come.
    if (reason === 'broken') client.destroy();
    else await client.close();
  }

  /** What the client says of a loss has no code; and LOADING is said by a server that has just been started. */
  override isConnectionError(error: unknown): boolean {
    if (error instanceof ErrorReply) return error.message.startsWith('LOADING');
    return [SocketClosedUnexpectedlyError, ClientClosedError, ClientOfflineError].some((each) => error instanceof each);
  }
}

class DeafRedisFactory extends RedisFactory {
  override watch(): () => void {
    return () => {};
  }

  override isUsable(): boolean {
    return true;
  }
}

@Injectable()
class Questions {
  constructor(@InjectPool(RedisFactory) private readonly pool: PoolOf<typeof RedisFactory>) {}

  @Retryable()
  echo(text: string): Promise<string> {
    return this.pool.use((client) => client.echo(text));
  }
}

@Injectable()
class HastyQuestions {
  constructor(@InjectPool(RedisFactory) private readonly pool: PoolOf<typeof RedisFactory>) {}

  @Retryable({ attemptTimeout: '200ms' })
  echo(text: string): Promise<string> {
    return this.pool.use((client) => client.echo(text), { signal: retryContext().signal });
  }
}

whereInstalled(KIND, describe)('The worst day of Redis', () => {
  let server: PrivateServer;
  let cast: Cast;

  beforeAll(async () => {
    server = await PrivateServer.start(KIND);
    cast = {
      ...{ server, factory: RedisFactory, deafFactory: DeafRedisFactory },
      ...{ service: Questions, hastyService: HastyQuestions, places: PLACES },
      async connections() {
        const list = String(await askRedis(server.port, 'CLIENT', 'LIST'));
        return list.trim().split('\n').length - 1;
      },
      endSessions: () => askRedis(server.port, 'CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'),
      async takePlace() {
        const client = clientOf(server);
        await client.connect();
        return () => client.close();
      },
      isTooMany: (error) => error instanceof ErrorReply && error.message.includes('max number of clients'),
    };
  });

  afterAll(() => server?.stop());

  describe('costs no call', () => {
    test.each(HARMLESS)('$title', async ({ title, spend }) => {
      const outcome = await spend(cast);
      show(title, outcome);
      expect(outcome).toMatchObject(UNHARMED);
    });
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
