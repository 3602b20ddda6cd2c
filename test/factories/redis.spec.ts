import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect, type LookupFunction } from 'node:net';
import {
  ClientOfflineError,
  defineScript,
  DisconnectsClientError,
  RESP_TYPES,
  SimpleError,
  WatchError,
  type RedisClientType,
} from 'redis';
import { RedisConnectionFactory, type RedisConnectionOptions } from '../../src/factories/redis.js';
import { ConnectionPool, type ConnectionFactory, type PoolSettings } from '../../src/index.js';
import { whereInstalled } from '../servers/binaries.js';
import { accepted } from '../servers/greeting.js';
import { PrivateServer } from '../servers/private-server.js';
import { askRedis, redis } from '../servers/redis.js';
import type { ServerKind } from '../servers/server-kind.js';
import { pause, until } from '../until.js';
import { conformance } from './conformance.js';
import { overTls } from './over-tls.js';
import { SilentServer } from './silent-server.js';

type Client = RedisClientType;
type Options = RedisConnectionOptions<{}, {}, {}, 3, {}>;

const plain = redis();

/** One that has users besides the one without a password. */
const guarded: ServerKind = {
  ...plain,
  args: (place) => [
    ...plain.args(place),
    ...['--user', 'ann', 'on', '>secret', '~*', '&*', '+@all', '-flushall'],
    ...['--user', 'bob', 'on', '>secret', '~*', '+get'],
  ],
};

function factory(port: number, options: Options = {}): RedisConnectionFactory {
  return new RedisConnectionFactory({
    ...{ username: 'ann', password: 'secret' },
    ...options,
    socket: { host: '127.0.0.1', port },
  });
}

/** As whom it is logged in. */
function whoAmI(client: Client): Promise<string> {
  return client.sendCommand<string>(['ACL', 'WHOAMI']);
}

const BOB = { username: 'bob', password: 'secret' };

/** What it is asked may never be answered, and is not waited for. */
function abandons(...args: string[]): (client: Client) => void {
  return (client) => void client.sendCommand(args).catch(() => undefined);
}

async function told(client: Client, what: string): Promise<string | undefined> {
  const info = await client.sendCommand<string>(['CLIENT', 'INFO']);
  return new RegExp(` ${what}=(\\S*)`).exec(info)?.[1];
}

/** Whether a transaction fails because of this key, which has changed since it was watched. */
async function isWatched(client: Client, key: string): Promise<boolean> {
  await client.incr(key);
  await client.sendCommand(['MULTI']);
  return (await client.sendCommand(['EXEC'])) === null;
}

async function serve(client: Client): Promise<void> {
  if ((await client.echo('hello')) !== 'hello') throw new Error('It answers something else');
}

function dawdle(client: Client): Promise<unknown> {
  return client.blPop('nothing', 20);
}

conformance<Client>({
  name: 'RedisConnectionFactory',
  kind: guarded,
  factory: (port) => factory(port),
  indifferent: (port) => factory(port, { reset: 'none' }),
  emitter: (client) => client,
  light: { factory: (port) => factory(port, { reset: 'transaction' }), serve: (client) => client.get('count') },
  stranger: { factory: (port) => factory(port, { password: 'wrong' }), error: /WRONGPASS/ },
  serve,
  dawdle,
  mistakes: {
    'a command that is none': (client) => client.sendCommand(['NONSENSE']),
    'a value of another type': async (client) => {
      await client.set('text', 'one');
      await client.lPush('text', 'two');
    },
    'an argument too few': (client) => client.sendCommand(['GET']),
    'what she may not do': (client) => client.flushAll(),
    'a script that fails': (client) => client.eval('return nonsense()'),
    'a script that is not there': (client) => client.evalSha('0'.repeat(40)),
    'a transaction that fails in part': (client) => client.multi().set('text', 'one').lPush('text', 'two').exec(),
    'a transaction with a command that is none': (client) => client.multi().addCommand(['NONSENSE']).exec(),
    'a transaction whose key has changed': async (client) => {
      await client.watch('count');
      await client.incr('count');
      await client.multi().ping().exec();
    },
    'a command in a transaction that fails': async (client) => {
      await client.sendCommand(['MULTI']);
      await client.sendCommand(['NONSENSE']);
    },
    'an error of her own': () => Promise.reject(new Error('her own')),
  },
  spoils: { 'the login of somebody else': (client) => client.auth(BOB) },
  dirt: [
    {
      left: 'the login of somebody else',
      leave: (client) => client.auth(BOB),
      isGone: async (client) => (await whoAmI(client)) === 'ann',
    },
    {
      left: 'a mode of the connection',
      leave: (client) => client.clientNoEvict(true),
      isGone: async (client) => !(await told(client, 'flags'))?.includes('e'),
    },
    {
      left: 'another database',
      leave: (client) => client.select(3),
      isGone: async (client) => (await told(client, 'db')) === '0',
    },
    {
      left: 'another database, selected by a bare command',
      leave: (client) => client.sendCommand(['SELECT', '3']),
      isGone: async (client) => (await told(client, 'db')) === '0',
    },
    {
      left: 'another database, selected within a transaction that is still open',
      leave: async (client) => {
        await client.select(3);
        await client.sendCommand(['MULTI']);
      },
      isGone: async (client) => (await told(client, 'db')) === '0',
    },
    {
      left: 'a watched key',
      leave: (client) => client.watch('count'),
      isGone: async (client) => !client.isWatching && !(await isWatched(client, 'count')),
    },
    {
      left: 'a key that was watched by a bare command',
      leave: (client) => client.sendCommand(['WATCH', 'count']),
      isGone: async (client) => !(await isWatched(client, 'count')),
    },
    {
      left: 'a transaction',
      leave: (client) => client.sendCommand(['MULTI']),
      isGone: async (client) => (await told(client, 'multi')) === '-1',
    },
    {
      left: 'a transaction that nobody awaited',
      leave: (client) => {
        void client.sendCommand(['MULTI']);
        return Promise.resolve();
      },
      isGone: async (client) => (await told(client, 'multi')) === '-1',
    },
    {
      left: 'a subscription',
      leave: (client) => client.subscribe('news', () => {}),
      isGone: async (client) => !client.isPubSubActive && (await told(client, 'sub')) === '0',
    },
    {
      left: 'a subscription to a pattern, in another database',
      leave: async (client) => {
        await client.select(3);
        await client.pSubscribe('n*', () => {});
      },
      isGone: async (client) => (await told(client, 'psub')) === '0' && (await told(client, 'db')) === '0',
    },
  ],
  endSessions: ({ port }) => askRedis(port, 'CLIENT', 'KILL', 'USER', 'ann'),
  sessions: async ({ port }) => {
    const all = String(await askRedis(port, 'CLIENT', 'LIST')).trim();
    return all.split('\n').filter((line) => !line.includes('cmd=client|list')).length;
  },
});

overTls<Client>({
  name: 'RedisConnectionFactory, with TLS',
  kind: {
    ...plain,
    args: ({ folder, port }) => [
      ...['--port', '0', '--tls-port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''],
      ...['--tls-cert-file', 'cert.pem', '--tls-key-file', 'key.pem', '--tls-auth-clients', 'no'],
    ],
    ping: accepted,
  },
  factory: (port, host, ca) => new RedisConnectionFactory({ socket: { tls: true, host, port, ...(ca && { ca }) } }),
  serve,
  dawdle,
});

whereInstalled(guarded, describe)('RedisConnectionFactory', () => {
  let server: PrivateServer;

  beforeAll(async () => {
    server = await PrivateServer.start(guarded);
  }, 60_000);

  afterAll(() => server?.stop());

  function poolOf(options: Options = {}, settings: PoolSettings = {}): ConnectionPool<Client> {
    return new ConnectionPool(factory(server.port, options), { name: 'my jobs', size: 1, ...settings });
  }

  /** Once its only connection has been reset; what is lent then is checked first, if it is to be. */
  function rested(pool: { stats(): { readonly idle: number } }): Promise<void> {
    return until(() => pool.stats().idle === 1, 'the connection is idle');
  }

  test('its sessions bear the name of the pool, or that which they are given', async () => {
    await using pool = poolOf();
    expect(await pool.use((client) => told(client, 'name'))).toBe('my-jobs');
    await using other = poolOf({ name: 'other' });
    expect(await other.use((client) => told(client, 'name'))).toBe('other');
  });

  test("what the pool does the client is told not to do, and what is its user's to say it is told", async () => {
    await using pool = poolOf({ maintNotifications: 'auto' });
    expect(await pool.use(({ options }) => options)).toMatchObject({
      disableOfflineQueue: true,
      maintNotifications: 'auto',
      socket: { connectTimeout: 0, keepAliveInitialDelay: 10_000, reconnectStrategy: false },
    });
    await using other = poolOf();
    expect(await other.use(({ options }) => options.maintNotifications)).toBe('disabled');
  });

  test('the database of the options is the one that is selected again', async () => {
    await using pool = poolOf({ database: 5 });
    expect(await pool.use((client) => told(client, 'db'))).toBe('5');
    await pool.use((client) => client.select(3));
    expect(await pool.use((client) => told(client, 'db'))).toBe('5');
    await pool.use((client) => client.sendCommand(['MULTI']));
    expect(await pool.use((client) => told(client, 'db'))).toBe('5');
  });

  test('so is the one of a URL', async () => {
    const url = `redis://ann:secret@127.0.0.1:${server.port}/5`;
    await using pool = new ConnectionPool(new RedisConnectionFactory(() => Promise.resolve({ url })), { size: 1 });
    await pool.use((client) => client.select(3));
    expect(await pool.use((client) => told(client, 'db'))).toBe('5');
  });

  test("reset: 'transaction' undoes what the client knows of, and leaves all else", async () => {
    await using pool = poolOf({ reset: 'transaction' });
    await pool.use(async (client) => {
      await client.select(3);
      await client.watch('count');
    });
    expect(await pool.use((client) => client.isWatching)).toBe(false);
    expect(await pool.use((client) => isWatched(client, 'count'))).toBe(false);
    await pool.use((client) => client.subscribe('news', () => {}));
    expect(await pool.use((client) => told(client, 'sub'))).toBe('0');
    expect(await pool.use((client) => told(client, 'db'))).toBe('3');
  });

  test('listeners that were added by a proxy are taken off, and the client goes on hearing what it should', async () => {
    await using pool = poolOf();
    const before = await pool.use((client) => client);
    for (let lease = 0; lease < 5; lease++) {
      await pool.use((client) => client.withTypeMapping({}).on('news', () => {}));
    }
    const heard: unknown[] = [];
    await pool.use((client) => {
      client.on('news', (news) => heard.push(news));
      client.asap().emit('news', 1);
    });
    await pool.use((client) => client.asap().emit('news', 2));
    expect(heard).toEqual([1]);
    expect(await pool.use((client) => client)).toBe(before);
  });

  test("reset: 'none' leaves everything", async () => {
    await using pool = poolOf({ reset: 'none' });
    await pool.use((client) => client.watch('count'));
    expect(await pool.use((client) => client.isWatching)).toBe(true);
    expect(await pool.use((client) => isWatched(client, 'count'))).toBe(true);
  });

  test('a watch that the client itself has given up is given up', async () => {
    await using pool = poolOf();
    await pool.use((client) => client.setDirtyWatch('the slots have moved'));
    await pool.use((client) => client.multi().ping().exec());
    expect(pool.stats().totals.closed.broken).toBe(0);
  });

  // Whatever is undone: who asks for nothing to be undone does not ask to be somebody else.
  test.each<[string, (client: Client) => unknown]>([
    ['AUTH', (client) => client.auth(BOB)],
    ['AUTH, as a bare command', (client) => client.sendCommand(['auth', 'bob', 'secret'])],
    ['AUTH, as bytes', (client) => client.sendCommand([Buffer.from('AUTH'), Buffer.from('bob'), 'secret'])],
    ['AUTH that is refused', (client) => client.auth({ ...BOB, password: 'wrong' }).catch(() => undefined)],
    ['AUTH that nobody awaited', abandons('AUTH', 'bob', 'secret')],
    ['AUTH by a proxy of the client', (client) => client.withTypeMapping({}).auth(BOB)],
    [
      'AUTH by a proxy of a proxy',
      (client) => client.withCommandOptions({}).asap().sendCommand(['AUTH', 'bob', 'secret']),
    ],
    ['AUTH in a transaction', (client) => client.multi().get('count').auth(BOB).exec()],
    [
      'AUTH in a transaction, as a bare command',
      (client) => client.multi().addCommand(['AUTH', 'bob', 'secret']).exec(),
    ],
    ['AUTH in a pipeline', (client) => client.multi().auth(BOB).execAsPipeline()],
    ['AUTH in a transaction of a proxy', (client) => client.withTypeMapping({}).multi().auth(BOB).execTyped()],
    [
      'AUTH by callback',
      (client) => new Promise((resolve) => client.legacy().sendCommand('AUTH', 'bob', 'secret', resolve)),
    ],
    [
      'AUTH by callback, in a transaction',
      (client) => new Promise((resolve) => client.legacy().multi().sendCommand('AUTH', 'bob', 'secret').exec(resolve)),
    ],
    ['HELLO as somebody else', (client) => client.hello(3, { AUTH: BOB })],
    ['HELLO with a name', (client) => client.hello(3, { SETNAME: 'mine' })],
    ['HELLO with another protocol', abandons('HELLO', '2')],
    ['RESET', abandons('RESET')],
    ['QUIT', abandons('QUIT')],
    ['CLIENT NO-EVICT', (client) => client.clientNoEvict(true)],
    ['CLIENT NO-TOUCH', abandons('CLIENT', 'NO-TOUCH', 'ON')],
    ['CLIENT REPLY', abandons('CLIENT', 'REPLY', 'OFF')],
    ['CLIENT TRACKING', (client) => client.clientTracking(true)],
    ['CLIENT CACHING', abandons('CLIENT', 'CACHING', 'YES')],
    ['CLIENT SETNAME', (client) => client.clientSetName('mine')],
    ['CLIENT SETINFO', abandons('client', 'setinfo', 'lib-name', 'mine')],
    ['CLIENT with what is not known here', abandons('CLIENT', 'NONSENSE')],
    ['MONITOR', (client) => client.monitor(() => {})],
    ['MONITOR by a proxy', (client) => client.asap().MONITOR(() => {})],
    ['MONITOR, as a bare command', abandons('MONITOR')],
    ['SUBSCRIBE, as a bare command, of which the client would lose count', abandons('SUBSCRIBE', 'news')],
    ['SUNSUBSCRIBE, as a bare command', abandons('SUNSUBSCRIBE')],
    ['READONLY', abandons('READONLY')],
    ['READWRITE', abandons('READWRITE')],
    ['ASKING', abandons('ASKING')],
    ['SCRIPT DEBUG', (client) => client.scriptDebug('YES')],
    ['what only replicas say', abandons('REPLCONF')],
  ])('a connection is not handed on after %s', async (_, leave) => {
    await using pool = poolOf({ reset: 'none' });
    const before = await pool.use(async (client) => {
      await leave(client);
      return client;
    });
    const [after, who] = await pool.use(async (client) => [client, await whoAmI(client)] as const);
    expect(after).not.toBe(before);
    expect(who).toBe('ann');
    expect(await pool.use((client) => client)).toBe(after);
  });

  test.each<[string, (client: Client) => unknown]>([
    ['HELLO that only asks', (client) => client.hello()],
    ['CLIENT INFO', (client) => client.clientInfo()],
    ['CLIENT LIST', (client) => client.clientList()],
    ['CLIENT ID', (client) => client.clientId()],
    ['CLIENT GETNAME', (client) => client.clientGetName()],
    ['CLIENT TRACKINGINFO', (client) => client.clientTrackingInfo()],
    ['CLIENT KILL of somebody else', (client) => client.sendCommand(['CLIENT', 'KILL', 'ID', '987654321'])],
    ['CLIENT UNBLOCK', (client) => client.sendCommand(['client', 'unblock', '987654321'])],
    ['SCRIPT EXISTS', (client) => client.scriptExists('0'.repeat(40))],
    ['subscriptions of which the client knows', (client) => client.subscribe('news', () => {})],
    ['a transaction', (client) => client.multi().get('auth').exec()],
    ['a pipeline', (client) => client.multi().get('auth').execAsPipeline()],
    ['a key that is called so', (client) => client.get('AUTH')],
    [
      "a client of the borrower's own, made after this one",
      async (client) => {
        const own = await client.duplicate().connect();
        await own.auth(BOB);
        own.destroy();
      },
    ],
  ])('a connection is kept after %s', async (_, ask) => {
    await using pool = poolOf();
    const before = await pool.use(async (client) => {
      await ask(client);
      return client;
    });
    expect(await pool.use((client) => client)).toBe(before);
  });

  test('a connection is kept when its credentials are renewed by where they come from', async () => {
    const ann = { username: 'ann', password: 'secret' };
    let renew: ((credentials: typeof ann) => void) | undefined;
    const failures: unknown[] = [];
    const credentialsProvider: Options['credentialsProvider'] = {
      type: 'streaming-credentials-provider',
      subscribe: ({ onNext }) => {
        renew = onNext;
        return Promise.resolve([ann, { dispose: () => {} }]);
      },
      onReAuthenticationError: (error) => failures.push(error),
    };
    await using pool = poolOf({ credentialsProvider });
    const before = await pool.use(async (client) => {
      renew!(ann);
      await client.get('count');
      return client;
    });
    expect(await pool.use((client) => client)).toBe(before);
    await pool.use((client) => client.auth(BOB));
    expect(await pool.use(whoAmI)).toBe('ann');
    expect(failures).toEqual([]);
  });

  test('a ping finds a transaction that was left open, and the connection is replaced', async () => {
    await using pool = poolOf({ reset: 'none' }, { checkAfterIdle: 0 });
    await pool.use((client) => client.sendCommand(['MULTI']));
    expect(await pool.use((client) => told(client, 'multi'))).toBe('-1');
    expect(pool.stats().totals.closed.broken).toBe(1);
  });

  test('a user who may neither ping nor select is served all the same', async () => {
    await using pool = poolOf({ username: 'bob' }, { checkAfterIdle: 0 });
    await pool.use((client) => client.get('count'));
    await rested(pool);
    await pool.use((client) => client.get('count'));
    await rested(pool);
    expect(pool.stats().totals).toMatchObject({ pings: 1, connected: 1, closed: { broken: 0 } });
  });

  test('replies may be mapped to other types', async () => {
    const options = { commandOptions: { typeMapping: { [RESP_TYPES.SIMPLE_STRING]: Buffer } } } as const;
    const buffers = new RedisConnectionFactory({ ...options, socket: { host: '127.0.0.1', port: server.port } });
    await using pool = new ConnectionPool(buffers, { size: 1, checkAfterIdle: 0 });
    await pool.use((client) => client.sendCommand(['MULTI']));
    await rested(pool);
    expect(await pool.use((client) => client.ping())).toEqual(Buffer.from('PONG'));
    expect(pool.stats().totals.closed.broken).toBe(0);
  });

  test('scripts of the options are methods of the client', async () => {
    const double = defineScript({
      SCRIPT: 'return ARGV[1] * 2',
      NUMBER_OF_KEYS: 0,
      parseCommand: (parser, value: number) => parser.push(String(value)),
      transformReply: (reply: number) => reply,
    });
    const scripted = new RedisConnectionFactory({
      scripts: { double },
      socket: { host: '127.0.0.1', port: server.port },
    });
    await using pool = new ConnectionPool(scripted, { size: 1 });
    expect(await pool.use((client) => client.double(21))).toBe(42);
  });

  test('the old protocol does as well', async () => {
    const old = new RedisConnectionFactory({ RESP: 2, socket: { host: '127.0.0.1', port: server.port } });
    await using pool = new ConnectionPool(old, { size: 1, checkAfterIdle: 0 });
    await pool.use((client) => client.subscribe('news', () => {}));
    await pool.use((client) => client.sendCommand(['MULTI']));
    await rested(pool);
    expect(await pool.use((client) => client.ping())).toBe('PONG');
    expect(pool.stats().totals).toMatchObject({ connected: 1, closed: { broken: 0 } });
  });

  test.each<[string, (port: number) => ConnectionFactory<unknown>]>([
    [
      'where the client itself would say nothing',
      (port) =>
        new RedisConnectionFactory({
          ...({ RESP: 2, name: '', disableClientInfo: true } as const),
          socket: { host: '127.0.0.1', port },
        }),
    ],
    ['with TLS', (port) => new RedisConnectionFactory({ url: `rediss://127.0.0.1:${port}` })],
  ])('%s, too, a connect to a server that is silent is given up, and leaves no socket', async (_, make) => {
    await using silent = await SilentServer.start();
    const controller = new AbortController();
    const connecting = make(silent.port).connect({ pool: 'one', attempt: 1, signal: controller.signal });
    await until(() => silent.sockets.size === 1, 'it has been accepted');
    await pause(50);
    controller.abort(new Error('given up'));
    await expect(connecting).rejects.toThrow('given up');
    await until(() => silent.sockets.size === 0, 'no socket is left');
  });

  test('a connect that is given up while its host is looked up never dials', async () => {
    await using silent = await SilentServer.start();
    let found: (() => void) | undefined;
    const lookup: LookupFunction = (_, __, done) => {
      found = () => done(null, [{ address: '127.0.0.1', family: 4 }]);
    };
    const controller = new AbortController();
    const lost = new RedisConnectionFactory({ socket: { host: 'localhost', port: silent.port, lookup } });
    const connecting = lost.connect({ pool: 'one', attempt: 1, signal: controller.signal });
    await until(() => found !== undefined, 'it looks for the host');
    controller.abort(new Error('given up'));
    await expect(connecting).rejects.toThrow('given up');
    found!();
    // Who dials later is accepted later.
    const later = connect(silent.port, '127.0.0.1');
    const ports = (): unknown[] => [...silent.sockets].map((socket) => socket.remotePort);
    await until(() => later.localPort !== undefined && ports().includes(later.localPort), 'the later one is accepted');
    expect(ports()).toEqual([later.localPort]);
    later.destroy();
  });

  test('a polite close waits for what is under way; a forced one ends it at once', async () => {
    const jobs = factory(server.port);
    const context = { pool: 'one', attempt: 1, signal: new AbortController().signal };
    const client = await jobs.connect(context);
    const answer = client.blPop('nothing', 0.05);
    await jobs.close(client, 'surplus');
    await expect(answer).resolves.toBe(null);
    const other = await jobs.connect(context);
    const never = other.blPop('nothing', 0).catch((error: unknown) => error);
    await jobs.close(other, 'broken');
    const error = await never;
    expect(error).toBeInstanceOf(DisconnectsClientError);
    expect(jobs.isConnectionError(error)).toBe(true);
  });

  test.each<[string, (client: Client) => unknown]>([
    ['a close() by its borrower', (client) => client.close()],
    [
      'a close() that still waits for a command',
      (client) => {
        client.blPop('nothing', 0.05).catch(() => undefined);
        void client.close();
      },
    ],
    ['a destroy() by its borrower', (client) => client.destroy()],
  ])('a connection is replaced after %s', async (_, end) => {
    await using pool = poolOf({ reset: 'none' });
    let before: Client | undefined;
    await pool
      .use((client) => {
        before = client;
        return end(client);
      })
      .catch(() => undefined);
    expect(await pool.use((client) => client)).not.toBe(before);
  });
});

test('RedisConnectionFactory refuses to undo what there is no word for', () => {
  expect(() => factory(1, { reset: 'everything' } as unknown as Options)).toThrow(/reset: received 'everything'/);
});

describe('RedisConnectionFactory tells apart', () => {
  const { isConnectionError } = RedisConnectionFactory.prototype;

  test.each([
    ['what the client says', new ClientOfflineError()],
    ['a login that was lost', new SimpleError('NOAUTH Authentication required.')],
  ])('%s: broken', (_, error) => {
    expect(isConnectionError(error)).toBe(true);
  });

  test.each([
    ['a replica that may not be written to', new SimpleError('READONLY You cannot write against a read only replica.')],
    ['what only begins like a lost login', new SimpleError('NOAUTHORITY to do that')],
    ['a transaction whose key has changed', new WatchError()],
    ['what somebody else says', new Error('NOAUTH of his own')],
  ])('%s: not broken', (_, error) => {
    expect(isConnectionError(error)).toBe(false);
  });
});
