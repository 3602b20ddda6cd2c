import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerOptions } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { generate } from 'selfsigned';
import { errors, type Client } from 'undici';
import { HttpConnectionFactory, type HttpConnectionOptions } from '../../src/factories/http.js';
import { ConnectionPool, isConnectionError, type PoolSettings } from '../../src/index.js';
import { httpServer } from '../servers/http.js';
import { send } from '../servers/processes.js';
import { pause, until } from '../until.js';
import { conformance, type Subject } from './conformance.js';

const pem = await generate([{ name: 'commonName', value: 'localhost' }], {
  keyType: 'ec',
  extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
});

async function get(client: Client, path: string): Promise<string> {
  const { statusCode, body } = await client.request({ method: 'GET', path });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`${statusCode}: ${text}`);
  return text;
}

const WORK = {
  emitter: (client) => client,
  serve: (client) => get(client, '/'),
  dawdle: (client) => get(client, '/slow'),
  mistakes: {
    'a path that is none': (client) => get(client, 'nowhere'),
    'a header that is none': (client) => client.request({ method: 'GET', path: '/', headers: { 'a b': 'c' } }),
    'an answer that he takes for an error': (client) => get(client, '/nowhere'),
    'an answer that he does not understand': async (client) =>
      (await client.request({ method: 'GET', path: '/' })).body.json(),
    'an error of his own, with a short answer unread': async (client) => {
      await client.request({ method: 'GET', path: '/' });
      throw new Error('his own');
    },
  },
  dirt: [
    {
      left: 'an answer that was not read',
      leave: (client) => client.request({ method: 'GET', path: '/big' }),
      isGone: async (client) => (await get(client, '/')) === 'hi',
    },
    {
      left: 'a request that nobody awaited',
      leave: (client) => {
        get(client, '/slow').catch(() => {});
        return Promise.resolve();
      },
      isGone: async (client) => (await get(client, '/')) === 'hi',
    },
    {
      left: 'an answer that ends the connection',
      leave: (client) => get(client, '/close'),
      isGone: async (client) => (await get(client, '/')) === 'hi',
    },
  ],
  spoils: {
    'an answer that was not read': (client) => client.request({ method: 'GET', path: '/big' }),
    'a request that nobody awaited': (client) => void get(client, '/slow').catch(() => {}),
    'an answer that ends the connection': (client) => get(client, '/close'),
  },
  endSessions: (server) => Promise.resolve(send(server.pid!, 'SIGUSR2')),
} satisfies Partial<Subject<Client>>;

conformance<Client>({
  name: 'HttpConnectionFactory',
  kind: httpServer(),
  factory: (port) => new HttpConnectionFactory({ origin: `http://127.0.0.1:${port}` }),
  stranger: {
    factory: (port) =>
      new HttpConnectionFactory({
        origin: `http://127.0.0.1:${port}`,
        ping: { method: 'GET', path: '/private', headers: { authorization: 'a guess' }, accepts: (code) => code < 400 },
      }),
    error: /The server answers 401 to GET \/private/,
  },
  ...WORK,
});

conformance<Client>({
  name: 'HttpConnectionFactory, with TLS',
  kind: httpServer(pem),
  factory: (port) =>
    new HttpConnectionFactory({ origin: `https://localhost:${port}`, connect: { ca: pem.cert, family: 4 } }),
  stranger: {
    factory: (port) => new HttpConnectionFactory({ origin: `https://localhost:${port}`, connect: { family: 4 } }),
    error: /self-signed certificate/,
  },
  ...WORK,
});

/** A server in this process, and what it saw. */
class LocalServer implements AsyncDisposable {
  readonly sockets = new Set<Socket>();
  readonly requests: IncomingMessage[] = [];
  /** What the pools wrote. */
  readonly lines: string[] = [];
  dials = 0;
  private readonly server;

  private constructor(answer: RequestListener, options: ServerOptions) {
    this.server = createServer({ keepAliveTimeout: 60_000, ...options }, (request, response) => {
      this.requests.push(request);
      answer(request, response);
    });
    this.server.on('connection', (socket) => {
      this.dials++;
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  static async start(
    answer: RequestListener = (_, response) => response.end('hi'),
    options: ServerOptions = {},
  ): Promise<LocalServer> {
    const local = new LocalServer(answer, options);
    local.server.listen(0, '127.0.0.1');
    await once(local.server, 'listening');
    return local;
  }

  pool(options: Partial<HttpConnectionOptions> = {}, settings: PoolSettings = {}): ConnectionPool<Client> {
    const { port } = this.server.address() as AddressInfo;
    const factory = new HttpConnectionFactory({ origin: `http://127.0.0.1:${port}`, ...options });
    const write = (line: unknown): number => this.lines.push(String(line));
    return new ConnectionPool(factory, {
      name: 'local',
      logger: { log: write, warn: write, error: write },
      size: 1,
      keepalive: 20,
      acquireTimeout: 5_000,
      reconnect: { delay: 100, jitter: 'none' },
      ...settings,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }
}

const pinged = (pool: ConnectionPool<Client>): Promise<void> =>
  until(() => pool.stats().totals.pings >= 3, 'it was pinged');

describe('HttpConnectionFactory', () => {
  test('asks OPTIONS / when it opens a connection and when it pings, and takes any answer', async () => {
    await using server = await LocalServer.start((_, response) => response.writeHead(503).end('not now'));
    await using pool = server.pool();
    await pool.ready();
    expect(server.requests.map(({ method, url }) => `${method} ${url}`)).toEqual(['OPTIONS /']);
    await pinged(pool);
    expect(new Set(server.requests.map(({ method, url }) => `${method} ${url}`))).toEqual(new Set(['OPTIONS /']));
    expect(server.dials).toBe(1);
  });

  test.each(['HEAD', 'GET'] as const)('a ping by %s costs no connection', async (method) => {
    await using server = await LocalServer.start();
    await using pool = server.pool({ ping: { method, path: '/health', headers: { 'x-probe': 'pool' } } });
    await pool.ready();
    await pinged(pool);
    expect(server.dials).toBe(1);
    const [, ping] = server.requests;
    expect(ping).toMatchObject({ method, url: '/health' });
    expect(ping!.headers['x-probe']).toBe('pool');
  });

  test('a ping whose answer is not accepted is a break', async () => {
    let isWell = true;
    await using server = await LocalServer.start((_, response) => response.writeHead(isWell ? 200 : 500).end());
    await using pool = server.pool({ ping: { accepts: (statusCode) => statusCode === 200 } });
    await pool.ready();
    isWell = false;
    await until(() => String(pool.stats().lastConnectError).includes('The server answers 500 to OPTIONS /'), 'told');
    expect(pool.stats().totals.closed.broken).toBe(1);
  });

  test('a client never dials again: one that has lost its connection says so', async () => {
    await using server = await LocalServer.start();
    await using pool = server.pool();
    const lease = await pool.acquire();
    const { connection: client } = lease;
    for (const socket of server.sockets) socket.destroy();
    await until(() => !client.stats.connected, 'the client has noticed');
    const error: unknown = await get(client, '/').catch((reason: unknown) => reason);
    expect(String(error)).toBe('ConnectionError: The connection is closed');
    expect(isConnectionError(error)).toBe(true);
    expect(server.dials).toBe(1);
    lease.release(error);
  });

  test('a server that ends the connection with each answer is told of, not hammered', async () => {
    await using server = await LocalServer.start((_, response) => response.setHeader('connection', 'close').end());
    await using pool = server.pool();
    await expect(pool.acquire({ timeout: 250 })).rejects.toThrow('The backend is down');
    expect(String(pool.stats().lastConnectError)).toContain('the server ends the connection ("Connection: close"');
    // At 0, 100 and, were there time, 300 ms.
    expect(server.dials).toBeLessThanOrEqual(3);
  });

  test('stays open where the server says nothing of idle connections, longer than undici’s own 4 s', async () => {
    await using server = await LocalServer.start((_, response) =>
      response.setHeader('connection', 'keep-alive').end('hi'),
    );
    await using pool = server.pool({}, { keepalive: false });
    await pool.ready();
    await pause(5_000);
    const { headers, body } = await pool.use((client) => client.request({ method: 'GET', path: '/' }));
    expect(await body.text()).toBe('hi');
    expect(headers).not.toHaveProperty('keep-alive');
    expect(server.dials).toBe(1);
  });

  const SHORT_LIVED: RequestListener = (_, response) => {
    response.setHeader('connection', 'keep-alive').setHeader('keep-alive', 'timeout=2').end('hi');
  };

  test('parts by itself before the server would, as its Keep-Alive header says', async () => {
    await using server = await LocalServer.start(SHORT_LIVED);
    await using pool = server.pool({ keepAliveTimeoutThreshold: 1_900 });
    const lease = await pool.acquire();
    await until(() => !lease.connection.stats.connected, 'it has parted');
    lease.release();
    await until(() => server.dials === 2, 'it is replaced');
    await pool.use((client) => get(client, '/'));
    expect(pool.stats().totals.closed.broken).toBe(1);
    expect(server.lines).toEqual([]);
  });

  test('those that part by themselves while they are idle are replaced without a word or a ping', async () => {
    await using server = await LocalServer.start(SHORT_LIVED);
    await using pool = server.pool({ keepAliveTimeoutThreshold: 500 }, { size: 3, keepalive: false });
    await pool.ready();
    await until(() => pool.stats().totals.closed.broken >= 3, 'all have parted');
    await pool.ready();
    await pool.use((client) => get(client, '/'));
    expect(pool.stats().totals).toMatchObject({ pings: 0, connectFailures: 0 });
    expect(server.lines).toEqual([]);
  });

  test('one that the server ends while it is idle, without having said so, is a break, for it may be a restart', async () => {
    await using server = await LocalServer.start();
    await using pool = server.pool({}, { size: 2, keepalive: false });
    await pool.ready();
    await pause(1_000);
    const [first] = server.sockets;
    first!.end();
    await until(() => server.dials === 3, 'it is replaced');
    expect(server.lines).toEqual(['Pool "local" lost a connection: other side closed (UND_ERR_SOCKET)']);
    expect(pool.stats().totals.pings).toBe(1);
  });

  test('dials from the address that it is told', async () => {
    const seen: unknown[] = [];
    await using server = await LocalServer.start(({ socket }, response) => {
      seen.push(socket.remoteAddress);
      response.end();
    });
    await using pool = server.pool({ connect: { localAddress: '127.0.0.2' } });
    await pool.ready();
    expect(seen).toEqual(['127.0.0.2']);
  });

  test.each([
    ['no answer in time', { headersTimeout: 100 }, '/slow', { code: 'UND_ERR_HEADERS_TIMEOUT' }],
    ['no more of an answer in time', { bodyTimeout: 100 }, '/half', { code: 'UND_ERR_BODY_TIMEOUT' }],
    ['an answer that is no HTTP', {}, '/nonsense', { name: 'HTTPParserError' }],
  ])('%s breaks the connection', async (_, options, path, mark) => {
    await using server = await LocalServer.start((request, response) => {
      if (request.url === '/half') response.write('h');
      else if (request.url === '/nonsense') request.socket.write('nonsense\r\n\r\n');
      else if (request.url === '/') response.end();
    });
    await using pool = server.pool(options);
    const error: unknown = await pool.use((client) => get(client, path)).catch((reason: unknown) => reason);
    expect(error).toMatchObject(mark);
    expect(isConnectionError(error)).toBe(true);
    await until(() => pool.stats().totals.closed.broken === 1, 'it is discarded');
  });

  test('a request that its borrower aborts costs the connection, and is no break', async () => {
    await using server = await LocalServer.start((request, response) => {
      if (request.url !== '/slow') response.end();
    });
    await using pool = server.pool();
    const signal = AbortSignal.timeout(50);
    const asking = pool.use((client) => client.request({ method: 'GET', path: '/slow', signal }));
    const error: unknown = await asking.catch((reason: unknown) => reason);
    expect(error).toBe(signal.reason);
    expect(isConnectionError(error)).toBe(false);
    await until(() => server.dials === 2, 'it is replaced');
  });

  test.each([
    ['a request that is aborted', '/slow', 'TimeoutError'],
    ['an answer that ends the connection', '/last', 'nothing'],
  ])('%s costs the connection, and no other is suspected, also if its borrower goes on', async (_, path, failure) => {
    await using server = await LocalServer.start((request, response) => {
      if (request.url === '/last') response.setHeader('connection', 'close');
      if (request.url !== '/slow') response.end('hi');
    });
    await using pool = server.pool({}, { size: 3, keepalive: false });
    await pool.ready();
    const outcome = await pool.use(async (client) => {
      const gone = once(client, 'disconnect');
      const asking = client.request({ method: 'GET', path, signal: AbortSignal.timeout(50) });
      const name = await asking.then(
        ({ body }) => body.text().then(() => 'nothing'),
        (error: unknown) => (error as Error).name,
      );
      await gone;
      return name;
    });
    expect(outcome).toBe(failure);
    await until(() => server.dials === 4, 'it is replaced');
    await pool.ready();
    expect(pool.stats().totals).toMatchObject({ pings: 0, connectFailures: 0, closed: { broken: 1 } });
    expect(server.lines).toEqual([]);
  });

  test('a server that ends the connection with each answer but that to a ping is not taken to be down', async () => {
    await using server = await LocalServer.start((request, response) => {
      if (request.method === 'GET') response.setHeader('connection', 'close');
      response.end('hi');
    });
    await using pool = server.pool({}, { size: 2, reconnect: { delay: 60_000, jitter: 'none' } });
    await Promise.all(Array.from({ length: 10 }, () => pool.use((client) => get(client, '/'))));
    expect(pool.stats().totals).toMatchObject({ connectFailures: 0, closed: { broken: 10 } });
    expect(server.lines).toEqual([]);
  });

  test('what its borrower makes of an answer that ends the connection is no connection error', async () => {
    await using server = await LocalServer.start((request, response) => {
      if (request.method === 'GET') response.writeHead(404, { connection: 'close' });
      response.end('no such thing');
    });
    await using pool = server.pool({}, { keepalive: false });
    const error: unknown = await pool.use((client) => get(client, '/')).catch((reason: unknown) => reason);
    expect(String(error)).toBe('Error: 404: no such thing');
    expect(isConnectionError(error)).toBe(false);
  });

  test("what is the user's own is no connection error", () => {
    const factory = new HttpConnectionFactory({ origin: 'http://127.0.0.1' });
    const mistakes = [undefined, 'ECONNRESET', new Error('his own'), new errors.InvalidArgumentError('his mistake')];
    expect(mistakes.map((error) => factory.isConnectionError(error))).toEqual(mistakes.map(() => false));
  });
});
