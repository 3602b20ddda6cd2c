import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import {
  Attribute,
  BusyError,
  Change,
  InvalidCredentialsError,
  ResultCodeError,
  UnavailableError,
  type Client,
} from 'ldapts';
import { noticingSockets } from '../../src/factories/client/noticing-sockets.js';
import { LdapConnectionFactory, type LdapConnectionOptions } from '../../src/factories/ldap.js';
import {
  ConnectionError,
  ConnectionPool,
  isConnectionError,
  type ConnectContext,
  type PoolSettings,
} from '../../src/index.js';
import { whereInstalled } from '../servers/binaries.js';
import { accepted } from '../servers/greeting.js';
import { withPem } from '../servers/pem.js';
import { PrivateServer } from '../servers/private-server.js';
import type { ServerKind } from '../servers/server-kind.js';
import { establishedTo } from '../servers/sockets.js';
import { countSessions, endIdleSessions, slapd } from '../servers/slapd.js';
import { until } from '../until.js';
import { conformance, type Subject } from './conformance.js';
import { pem } from './line-service.js';

const BASE = 'dc=example,dc=org';
const ANN = `cn=ann,${BASE}`;
const ADMINISTRATOR = `cn=admin,${BASE}`;

const plain = slapd();

const CERTIFICATE = (folder: string): string[] => [
  `TLSCertificateFile ${folder}/cert.pem`,
  `TLSCertificateKeyFile ${folder}/key.pem`,
];

/** One that has a certificate for localhost. */
const withTls: ServerKind = { ...withPem(slapd(CERTIFICATE), pem), name: 'OpenLDAP with a certificate' };

/** One that speaks TLS from the first byte on. */
const ldaps: ServerKind = {
  ...withTls,
  args: (place) => withTls.args(place).map((arg) => arg.replace(/^ldap:/, 'ldaps:')),
  ping: accepted,
};

function factory(port: number, options: Partial<LdapConnectionOptions> = {}): LdapConnectionFactory {
  return new LdapConnectionFactory({
    url: `ldap://127.0.0.1:${port}`,
    bindDN: ANN,
    password: 'secret',
    ...options,
  });
}

const search = (dn: string, filter?: string) => (client: Client) =>
  client.search(dn, { scope: 'base', ...(filter !== undefined && { filter }) });

const whoAmI = (client: Client): Promise<string | undefined> =>
  client.exop('1.3.6.1.4.1.4203.1.11.3').then(({ value }) => value);

const isAnn = async (client: Client): Promise<boolean> => (await whoAmI(client)) === `dn:${ANN}`;

const WORK = {
  serve: search(ANN),
  light: { factory: (port) => factory(port), serve: search(ANN) },
  dawdle: search(`cn=slow,dc=odd,${BASE}`),
  mistakes: {
    'an entry that is not there': search(`cn=bob,${BASE}`),
    'a filter that is none': search(ANN, '(cn=ann'),
    'a name that is none': search('ann'),
    'an operation that is none': (client) => client.exop('1.2.3.4'),
    'what he may not do': (client) => client.del(ANN),
    'a value that cannot be': (client) =>
      client.modify(
        ANN,
        new Change({ operation: 'add', modification: new Attribute({ type: 'shoeSize', values: ['42'] }) }),
      ),
    'a server that is busy': search(`cn=busy,dc=odd,${BASE}`),
    'a login of his own that fails': (client) => client.bind(ADMINISTRATOR, 'wrong'),
    'an error of his own': () => Promise.reject(new Error('his own')),
  },
  spoils: { 'an unbind that nobody awaited': (client) => void client.unbind() },
  dirt: [
    {
      left: 'another login',
      leave: (client) => client.bind(ADMINISTRATOR, 'secret'),
      isGone: isAnn,
    },
    {
      left: 'a login that failed, after which the server takes him for nobody',
      leave: (client) => client.bind(ADMINISTRATOR, 'wrong').catch(() => undefined),
      isGone: isAnn,
    },
    {
      left: 'a login that nobody awaited',
      leave: (client) => {
        // The server may abandon it when the next one comes, and then never answers.
        client.bind(ADMINISTRATOR, 'secret').catch(() => undefined);
        return Promise.resolve();
      },
      isGone: isAnn,
    },
    {
      left: 'a login by SASL',
      leave: (client) => client.bindSASL('EXTERNAL').catch(() => undefined),
      isGone: isAnn,
    },
  ],
  endSessions: ({ port }) => endIdleSessions(port),
  sessions: ({ port }) => countSessions(port),
} satisfies Partial<Subject<Client>>;

conformance<Client>({
  name: 'LdapConnectionFactory',
  kind: plain,
  factory: (port) => factory(port),
  stranger: {
    factory: (port) => factory(port, { password: 'wrong' }),
    error: new RegExp(`ldap://127.0.0.1:\\d+ does not let ${ANN} in: InvalidCredentialsError, Code: 0x31`),
  },
  ...WORK,
});

const SECURE = { startTLS: true, tlsOptions: { ca: pem.cert } };

conformance<Client>({
  name: 'LdapConnectionFactory, with StartTLS',
  kind: withTls,
  factory: (port) => factory(port, { ...SECURE, url: `ldap://localhost:${port}` }),
  stranger: { factory: (port) => factory(port, { startTLS: true }), error: /self-signed certificate/ },
  ...WORK,
});

describe('LdapConnectionFactory', () => {
  test('says what is wrong with its options, also with those that it is told later', async () => {
    const wrong = { url: 'http://127.0.0.1', bindDN: ANN, password: '' };
    const complaint = [
      'Invalid settings of LdapConnectionFactory:',
      "  - url: received 'http://127.0.0.1'; allowed is `ldap://host:port` or `ldaps://host:port`",
      "  - password: received ''; allowed is a text that is not empty, for with an empty one many servers let everybody in, as nobody",
    ].join('\n');
    expect(() => new LdapConnectionFactory(wrong)).toThrow(complaint);
    const connecting = new LdapConnectionFactory(() => wrong).connect(context());
    await expect(connecting).rejects.toThrow(complaint);
  });

  test.each([
    ['ldap://127.0.0.1', 389],
    ['ldaps://127.0.0.1', 636],
  ])('%s is dialled at port %i', async (url, port) => {
    const giveUp = new AbortController();
    const dialled: unknown[] = [];
    const notice = (socket: Socket): void => {
      socket.once('connectionAttempt', (...address: unknown[]) => {
        dialled.push(address);
        // Whoever it is that listens there on this machine, if anybody does.
        queueMicrotask(() => giveUp.abort(new Error('enough')));
      });
    };
    const connect = () => new LdapConnectionFactory({ url }).connect(context(giveUp.signal));
    await expect(noticingSockets(connect, notice)).rejects.toThrow('enough');
    expect(dialled).toEqual([['127.0.0.1', port, 4]]);
  });

  test.each([
    ['a server that shuts down', new UnavailableError()],
    ['a reset', new Error('Socket error. Message type: SearchRequest (0x63)\nread ECONNRESET')],
    [
      'a hang-up',
      new Error('Connection closed before message response was received. Message type: BindRequest (0x60)'),
    ],
    ['nothing there to ask on', new Error('Socket connection not established')],
    ['its own time-out', new Error('SearchRequest: Operation timed out')],
  ])('the connection is broken: %s', (_, error) => {
    expect(factory(1).isConnectionError(error)).toBe(true);
  });

  test.each([
    ['a server that is busy', new BusyError()],
    ['a wrong password', new InvalidCredentialsError()],
    ['a filter that is none', new Error('Unbalanced parens')],
    ['something else', 'Socket error.'],
  ])('the connection is not broken: %s', (_, error) => {
    expect(factory(1).isConnectionError(error)).toBe(false);
  });
});

whereInstalled(plain, describe)('LdapConnectionFactory, and what its client does by itself', () => {
  let server: PrivateServer;
  let pools: Array<ConnectionPool<Client>> = [];

  beforeAll(async () => {
    server = await PrivateServer.start(plain);
  });

  afterAll(() => server?.stop());

  afterEach(async () => {
    await Promise.all(pools.map((pool) => pool.close({ timeout: 0 })));
    pools = [];
  });

  function poolOf(of: LdapConnectionFactory, settings: PoolSettings = {}): ConnectionPool<Client> {
    const pool = new ConnectionPool(of, { name: 'staff', size: 1, logger: SILENT, ...settings });
    pools.push(pool);
    return pool;
  }

  test('it does not dial anew, as nobody, when its connection is lost', async () => {
    const pool = poolOf(factory(server.port));
    const error = await pool.use(async (client) => {
      await client.search(`cn=cut,dc=odd,${BASE}`, { scope: 'base' }).catch(() => undefined);
      await until(() => !client.isConnected, 'the client knows');
      return whoAmI(client).catch((reason: unknown) => reason);
    });
    expect(error).toBeInstanceOf(ConnectionError);
    expect(await pool.use(isAnn)).toBe(true);
  });

  test('a borrower who says goodbye costs the connection, and nobody else gets it', async () => {
    const pool = poolOf(factory(server.port));
    const before = await pool.use(async (client) => {
      await client.unbind();
      return client;
    });
    expect(await pool.use((client) => client)).not.toBe(before);
    expect(await pool.use(isAnn)).toBe(true);
  });

  test('its own time-out, after which it has hung up, is a connection error', async () => {
    const pool = poolOf(factory(server.port, { timeout: 100 }));
    const error: unknown = await pool.use(WORK.dawdle).catch((reason: unknown) => reason);
    expect(String(error)).toContain('SearchRequest: Operation timed out');
    expect(isConnectionError(error)).toBe(true);
    expect(pool.stats().totals.closed.broken).toBe(1);
    expect(await pool.use(isAnn)).toBe(true);
  });

  test('a server that is shutting down costs the connection', async () => {
    const pool = poolOf(factory(server.port));
    await expect(pool.use(search(`cn=unavailable,dc=odd,${BASE}`))).rejects.toThrow(UnavailableError);
    expect(pool.stats().totals.closed.broken).toBe(1);
  });

  test('without a name it is nobody, by a login that the server has answered', async () => {
    const anonymous = new LdapConnectionFactory({ url: `ldap://127.0.0.1:${server.port}` });
    expect(await poolOf(anonymous).use(whoAmI)).toBe('');
  });

  test('a server that lets nobody in says so', async () => {
    await using strict = await PrivateServer.start(slapd(() => ['disallow bind_anon']));
    const anonymous = new LdapConnectionFactory({ url: `ldap://127.0.0.1:${strict.port}` });
    await expect(anonymous.connect(context())).rejects.toThrow(/does not let nobody in: InappropriateAuthError/);
  });

  test('another way to log in is also the one by which a connection is reset', async () => {
    class AdministratorFactory extends LdapConnectionFactory {
      logins = 0;
      protected override async login(client: Client): Promise<void> {
        this.logins++;
        await client.bind(ADMINISTRATOR, 'secret');
      }
    }
    const administrators = new AdministratorFactory({ url: `ldap://127.0.0.1:${server.port}` });
    const pool = poolOf(administrators);
    expect(await pool.use(whoAmI)).toBe(`dn:${ADMINISTRATOR}`);
    expect(administrators.logins).toBe(1);
    await pool.use((client) => client.bind(ANN, 'secret'));
    expect(await pool.use(whoAmI)).toBe(`dn:${ADMINISTRATOR}`);
    expect(administrators.logins).toBe(2);
  });

  test('a server that does not let the ping read has answered it', async () => {
    const strict = slapd(() => ['restrict search']);
    await using other = await PrivateServer.start(strict);
    const connections = factory(other.port);
    const client = await connections.connect(context());
    try {
      await expect(client.search('', { scope: 'base' })).rejects.toThrow(ResultCodeError);
      await connections.keepalive(client);
    } finally {
      connections.destroy(client);
    }
    await expect(connections.keepalive(client)).rejects.toThrow('Connection closed before message response');
  });
});

whereInstalled(ldaps, describe)('LdapConnectionFactory, with ldaps://', () => {
  let server: PrivateServer;

  beforeAll(async () => {
    server = await PrivateServer.start(ldaps);
  });

  afterAll(() => server?.stop());

  test('is secure from the first byte on, and knows whom it talks to', async () => {
    const url = `ldaps://localhost:${server.port}`;
    const connections = factory(server.port, { url, tlsOptions: { ca: pem.cert } });
    const client = await connections.connect(context());
    expect(await isAnn(client)).toBe(true);
    expect(connections.isUsable(client)).toBe(true);
    let isDead = false;
    connections.watch(client, () => (isDead = true));
    await server.restart();
    await until(() => isDead, 'the death of the connection is told');
    expect(connections.isUsable(client)).toBe(false);
  });

  test.each([
    ['a certificate that nobody vouches for', { tlsOptions: {} }, /self-signed certificate/],
    ['one for somebody else', { tlsOptions: { ca: pem.cert, servername: 'example.org' } }, /example\.org/],
    ['one for a name, of a server that was asked for by its address', { tlsOptions: { ca: pem.cert } }, /127\.0\.0\.1/],
  ])('%s: nobody logs in', async (what, options, error) => {
    const host = what.includes('address') ? '127.0.0.1' : 'localhost';
    const connections = factory(server.port, { url: `ldaps://${host}:${server.port}`, ...options });
    await expect(connections.connect(context())).rejects.toThrow(error);
    await until(() => establishedTo(server.port) === 0, 'no socket is left');
  });
});

const SILENT = { log: (): void => {}, warn: (): void => {}, error: (): void => {} };

function context(signal = AbortSignal.timeout(10_000)): ConnectContext {
  return { pool: 'staff', attempt: 1, signal };
}
