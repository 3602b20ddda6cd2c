import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { connect, createInbox, NoRespondersError, type NatsConnection } from '@nats-io/transport-node';
import { NatsConnectionFactory, type NatsConnectionOptions } from '../../src/factories/nats.js';
import { ConnectionPool } from '../../src/index.js';
import { whereInstalled } from '../servers/binaries.js';
import { nats } from '../servers/nats.js';
import { PrivateServer } from '../servers/private-server.js';
import { until } from '../until.js';
import { conformance } from './conformance.js';
import { overTls } from './over-tls.js';
import { SilentServer } from './silent-server.js';

const guarded = nats(`
  authorization {
    users = [{ user: ann, password: secret, permissions: { subscribe: { deny: "forbidden" } } }]
  }
`);

function factory(port: number, options: NatsConnectionOptions = {}): NatsConnectionFactory {
  return new NatsConnectionFactory({ servers: `127.0.0.1:${port}`, user: 'ann', pass: 'secret', ...options });
}

/** Asks itself, and answers. */
async function serve(connection: NatsConnection): Promise<void> {
  // Not the subject of another connection, which may stop to listen just then.
  const subject = createInbox();
  const subscription = connection.subscribe(subject, { callback: (_, message) => void message.respond('7') });
  const answer = await connection.request(subject, '', { timeout: 10_000 });
  subscription.unsubscribe();
  if (answer.string() !== '7') throw new Error('a strange answer');
}

/** Asks itself, and does not answer. */
async function dawdle(connection: NatsConnection): Promise<void> {
  connection.subscribe('never', { callback: () => {} });
  await connection.request('never', '', { timeout: 20_000 });
}

/** Whether nobody listens, as the server says. */
async function isUnheard(connection: NatsConnection, subject: string): Promise<boolean> {
  const error: unknown = await connection.request(subject, '', { timeout: 5_000 }).catch((reason: unknown) => reason);
  return error instanceof Error && error.cause instanceof NoRespondersError;
}

conformance<NatsConnection>({
  name: 'NatsConnectionFactory',
  kind: guarded,
  factory,
  stranger: { factory: (port) => factory(port, { pass: 'wrong' }), error: /Authorization Violation/ },
  serve,
  dawdle,
  mistakes: {
    'a request that nobody answers': (connection) => connection.request('nobody'),
    'a subject that is none': async (connection) => connection.publish('a b'),
    'a message that is too large': async (connection) => connection.publish('large', new Uint8Array(2_000_000)),
    'a subject that he may not hear': async (connection) => {
      for await (const _ of connection.subscribe('forbidden')) throw new Error('heard what he may not');
    },
    'an error of his own': () => Promise.reject(new Error('his own')),
  },
  dirt: [
    {
      left: 'a subscription',
      leave: async (connection) => connection.subscribe('left.*'),
      isGone: (connection) => isUnheard(connection, 'left.behind'),
    },
    {
      left: 'a subscription in a queue group, after a request',
      leave: async (connection) => {
        await serve(connection);
        connection.subscribe('left', { queue: 'any', callback: () => {} });
      },
      isGone: (connection) => isUnheard(connection, 'left'),
    },
    {
      left: 'a subscription that is being read',
      leave: async (connection) => {
        const subscription = connection.subscribe('left');
        connection.publish('left');
        for await (const _ of subscription) break;
        connection.subscribe('left');
      },
      isGone: (connection) => isUnheard(connection, 'left'),
    },
  ],
  endSessions: (server) => server.restart(),
});

overTls<NatsConnection>({
  name: 'NatsConnectionFactory, with TLS',
  kind: nats('tls { cert_file: cert.pem, key_file: key.pem }'),
  factory: (port, host, ca) => {
    // The client does not compare addresses with certificates.
    const servername = host === 'localhost' ? undefined : 'example.org';
    return new NatsConnectionFactory({ servers: `localhost:${port}`, tls: { ca, ...(servername && { servername }) } });
  },
  serve,
  dawdle,
});

whereInstalled(guarded, describe)('NatsConnectionFactory', () => {
  let server: PrivateServer;

  beforeAll(async () => {
    server = await PrivateServer.start(guarded);
  });

  afterEach(() => server.resume());

  afterAll(() => server?.stop());

  function poolOf(options?: NatsConnectionOptions): ConnectionPool<NatsConnection> {
    return new ConnectionPool(factory(server.port, options), { name: 'orders', size: 1 });
  }

  test('what was published just before the pool closes arrives', async () => {
    const hearer = await connect({ servers: `127.0.0.1:${server.port}`, user: 'ann', pass: 'secret' });
    const heard: string[] = [];
    hearer.subscribe('news', { callback: (_, message) => void heard.push(message.string()) });
    await hearer.flush();
    const pool = poolOf();
    await pool.use((connection) => {
      for (const news of ['1', '2', '3']) connection.publish('news', news);
    });
    await pool.close();
    await until(() => heard.length === 3, 'all is heard');
    expect(heard).toEqual(['1', '2', '3']);
    await hearer.close();
  });

  test.each([
    ['closes', (connection: NatsConnection) => connection.close()],
    ['drains', (connection: NatsConnection) => connection.drain()],
    ['begins to drain', async (connection: NatsConnection) => void connection.drain()],
  ])('a borrower who %s his connection has it replaced', async (_, end) => {
    const pool = poolOf();
    const ended = await pool.use(async (connection) => {
      await end(connection);
      return connection;
    });
    expect(await pool.use((connection) => connection)).not.toBe(ended);
    await pool.use((connection) => serve(connection));
    await pool.close();
  });

  test('work on a connection that was closed meanwhile fails with a connection error', async () => {
    const pool = poolOf();
    const failed = pool.use(async (connection) => {
      await connection.close();
      connection.publish('news');
    });
    await expect(failed).rejects.toThrow('closed connection');
    expect(pool.stats().totals.closed.broken).toBe(1);
    await pool.close();
  });

  test('a ping of a connection that dies, and of one that is dead, fails', async () => {
    const factoryOfOne = factory(server.port);
    const { signal } = new AbortController();
    const connection = await factoryOfOne.connect({ pool: 'orders', attempt: 1, signal });
    server.pause();
    const ping = factoryOfOne.keepalive(connection);
    factoryOfOne.destroy(connection);
    await expect(ping).rejects.toThrow('The connection was closed before the server had answered');
    await expect(factoryOfOne.keepalive(connection)).rejects.toThrow('closed connection');
  });

  test('the next server is not dialled for one that has given up', async () => {
    await using silent = await SilentServer.start();
    await using other = await SilentServer.start();
    const servers = [silent, other].map(({ port }) => `127.0.0.1:${port}`);
    const controller = new AbortController();
    const connecting = factory(0, { servers, noRandomize: true }).connect({
      pool: 'orders',
      attempt: 1,
      signal: controller.signal,
    });
    await until(() => silent.sockets.size === 1, 'the first is dialled');
    controller.abort(new Error('given up'));
    await expect(connecting).rejects.toThrow('given up');
    await until(() => silent.sockets.size + other.sockets.size === 0, 'neither has a socket');
  });

  test('a TLS handshake that is given up leaves nothing behind', async () => {
    await using silent = await SilentServer.start();
    const controller = new AbortController();
    const connecting = factory(silent.port, { tls: { handshakeFirst: true } }).connect({
      pool: 'orders',
      attempt: 1,
      signal: controller.signal,
    });
    await until(() => silent.sockets.size === 1, 'it is dialled');
    controller.abort(new Error('given up'));
    await expect(connecting).rejects.toThrow('given up');
    await until(() => silent.sockets.size === 0, 'no socket is left');
  });
});
