import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import type { Client, ClientChannel } from 'ssh2';
import { SshConnectionFactory, type SshConnectionOptions } from '../../src/factories/ssh.js';
import { ConnectionError, ConnectionPool, isConnectionError, type ConnectContext } from '../../src/index.js';
import { whereInstalled } from '../servers/binaries.js';
import { PrivateServer } from '../servers/private-server.js';
import { send } from '../servers/processes.js';
import { establishedTo } from '../servers/sockets.js';
import { sshServer } from '../servers/ssh.js';
import { until } from '../until.js';
import { conformance } from './conformance.js';

function factory(port: number, options: Partial<SshConnectionOptions> = {}): SshConnectionFactory {
  const ann = { host: '127.0.0.1', port, username: 'ann', password: 'secret', strictVendor: false };
  return new SshConnectionFactory({ ...ann, hostVerifier: () => true, ...options });
}

/** What the command prints. */
function run(client: Client, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error) return reject(error);
      let printed = '';
      channel.setEncoding('utf8').on('data', (text: string) => (printed += text));
      channel.stderr.resume();
      channel.on('close', (code?: number | null) => {
        if (code === undefined) reject(new ConnectionError(`${command}: the connection was closed`));
        else if (code === 0) resolve(printed);
        else reject(new Error(`${command} ended with ${code}`));
      });
    });
  });
}

/** Asks by a callback. */
function asks<T>(ask: (client: Client, answer: (error?: Error | null, value?: T) => void) => unknown) {
  return (client: Client): Promise<T> =>
    new Promise((resolve, reject) => {
      ask(client, (error, value) => (error instanceof Error ? reject(error) : resolve(value as T)));
    });
}

const hang = asks<ClientChannel>((client, answer) => client.exec('hang', answer));

interface Open {
  readonly channels: number;
  readonly forwardings: string[];
}

async function whatIsOpen(client: Client): Promise<Open> {
  return JSON.parse(await run(client, 'open')) as Open;
}

/** The server's own end of a channel is over a moment later. */
const nothingIsOpen = (client: Client): Promise<boolean> => {
  let open: Open | undefined;
  const isNothing = async (): Promise<boolean> => {
    open = await whatIsOpen(client);
    return open.channels + open.forwardings.length === 0;
  };
  return until(isNothing, () => `nothing is open: ${JSON.stringify(open)}`, 2_000).then(() => true);
};

conformance<Client>({
  name: 'SshConnectionFactory',
  kind: sshServer(),
  factory: (port) => factory(port),
  emitter: (client) => client,
  light: { factory: (port) => factory(port), serve: (client) => run(client, 'echo 7') },
  stranger: {
    factory: (port) => factory(port, { password: 'wrong' }),
    error: /127\.0\.0\.1:\d+ does not let ann in: All configured authentication methods failed/,
  },
  serve: (client) => run(client, 'echo 7'),
  dawdle: (client) => run(client, 'hang'),
  mistakes: {
    'a command that is none': (client) => run(client, 'nonsense'),
    'a command that fails': (client) => run(client, 'fail'),
    'a command that is killed': (client) => run(client, 'killed'),
    'a subsystem that is none': asks((client, answer) => client.subsys('nonsense', answer)),
    'a tunnel that is refused': asks((client, answer) => client.forwardOut('127.0.0.1', 1, '127.0.0.1', 1, answer)),
    'a port that cannot be listened at': asks((client, answer) => client.forwardIn('127.0.0.1', 2, answer)),
    'an error of his own': () => Promise.reject(new Error('his own')),
  },
  spoils: { 'a command that goes on': hang },
  dirt: [
    { left: 'a command that goes on', leave: hang, isGone: nothingIsOpen },
    {
      left: 'a shell',
      leave: asks((client, answer) => client.shell(false, answer)),
      isGone: nothingIsOpen,
    },
    {
      left: 'forwardings of ports and of Unix sockets',
      leave: async (client) => {
        await asks((_, answer) => client.forwardIn('127.0.0.1', 7, answer))(client);
        await asks((_, answer) => client.forwardIn('::1', 7, answer))(client);
        await asks((_, answer) => client.openssh_forwardInStreamLocal('/tmp/seven', answer))(client);
      },
      isGone: nothingIsOpen,
    },
    {
      left: 'a forwarding that nobody awaited',
      leave: (client) => {
        client.forwardIn('127.0.0.1', 7, () => {});
        return Promise.resolve();
      },
      isGone: nothingIsOpen,
    },
    {
      left: 'a command that nobody awaited',
      leave: (client) => {
        client.exec('hang', () => {});
        return Promise.resolve();
      },
      isGone: nothingIsOpen,
    },
  ],
  endSessions: (server) => Promise.resolve(send(server.pid!, 'SIGUSR2')),
});

describe('SshConnectionFactory', () => {
  test('insists on being told how the server is known, also by options that it is told later', async () => {
    const ann = { host: '127.0.0.1', port: 1, username: 'ann', password: 'secret' };
    const complaint = /hostKey: received .* allowed is the fingerprint of the server's key/;
    expect(() => new SshConnectionFactory(ann)).toThrow(complaint);
    expect(() => new SshConnectionFactory({ ...ann, hostKey: 'MD5:00:11' })).toThrow(complaint);
    await expect(new SshConnectionFactory(() => ann).connect(context())).rejects.toThrow(complaint);
  });

  test('the port is 22 unless it says another', async () => {
    // Whoever listens there, if anybody, does not know him.
    const connections = new SshConnectionFactory({ host: '127.0.0.1', username: 'nobody', hostVerifier: () => true });
    await expect(connections.connect(context())).rejects.toThrow('127.0.0.1:22');
  });

  test.each([
    ['a socket that fails', Object.assign(new Error('read ECONNRESET'), { level: 'client-socket' })],
    ['its own keepalive', Object.assign(new Error('Keepalive timeout'), { level: 'client-timeout' })],
    ['what is no SSH', Object.assign(new Error('Bad packet length'), { level: 'protocol' })],
    ['a call afterwards', new Error('Not connected')],
    ['a call before', new Error('No response from server')],
  ])('the connection is broken: %s', (_, error) => {
    expect(factory(1).isConnectionError(error)).toBe(true);
  });

  test.each([
    ['a command that is none', new Error('Unable to exec')],
    ['a wrong password', Object.assign(new Error('All failed'), { level: 'client-authentication' })],
    ['something else', 'Not connected'],
  ])('the connection is not broken: %s', (_, error) => {
    expect(factory(1).isConnectionError(error)).toBe(false);
  });
});

whereInstalled(sshServer(), describe)('SshConnectionFactory, step by step', () => {
  let server: PrivateServer;
  let pools: Array<ConnectionPool<Client>> = [];

  beforeAll(async () => {
    server = await PrivateServer.start(sshServer());
  });

  afterAll(() => server?.stop());

  afterEach(async () => {
    server.resume();
    await Promise.all(pools.map((pool) => pool.close({ timeout: 0 })));
    pools = [];
    await until(() => establishedTo(server.port) === 0, 'no socket is left');
  });

  function poolOf(options: Partial<SshConnectionOptions> = {}): ConnectionPool<Client> {
    const logger = { log: (): void => {}, warn: (): void => {}, error: (): void => {} };
    const pool = new ConnectionPool(factory(server.port, options), { name: 'host', size: 1, logger });
    pools.push(pool);
    return pool;
  }

  const failed = (options: Partial<SshConnectionOptions>): Promise<unknown> =>
    factory(server.port, options)
      .connect(context())
      .then(
        () => undefined,
        (error: unknown) => error,
      );

  test('a server is known by the fingerprint of its key, and nobody else is told the password', async () => {
    const hostKey = readFileSync(`${server.folder}/host_key.fingerprint`, 'utf8');
    expect(await poolOf({ hostKey, hostVerifier: undefined }).use((client) => run(client, 'echo 7'))).toBe('7');
    const another = `SHA256:${'A'.repeat(43)}`;
    const error = await failed({ hostKey: another, hostVerifier: undefined, username: 'expired' });
    expect(String(error)).toBe(`Error: The key of 127.0.0.1:${server.port} is ${hostKey}, not ${another}`);
  });

  test('a verifier of his own decides, and gets what he asked for', async () => {
    const seen: unknown[] = [];
    const hostVerifier = (key: string): boolean => seen.push(key) === 0;
    expect(String(await failed({ hostHash: 'sha256', hostVerifier }))).toMatch(/Host denied \(verification failed\)/);
    expect(seen).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  });

  test('an agent that is not there does not matter where a password is enough', async () => {
    const authHandler: SshConnectionOptions['authHandler'] = ['agent', 'password'];
    const pool = poolOf({ agent: `${server.folder}/no-agent`, authHandler });
    expect(await pool.use((client) => run(client, 'echo 7'))).toBe('7');
  });

  test.each([
    ['a password that is to be changed', { username: 'expired' }, 'The server wants the password to be changed'],
    ['a server that hangs up', { username: 'cut' }, 'The server closed the connection before the login was done'],
    ['a key that is none', { privateKey: 'nonsense' }, 'Cannot parse privateKey'],
  ])('%s: an error says so', async (_, options, message) => {
    expect(String(await failed(options))).toContain(message);
  });

  test('what a borrower left open is closed, and the connection stays', async () => {
    const pool = poolOf();
    const before = await pool.use(async (client) => {
      // The exit may come together with the channel.
      await asks((_, answer) =>
        client.exec('linger', (error, channel) => (error ? answer(error) : channel.once('exit', () => answer()))),
      )(client);
      await asks<unknown>((_, answer) => client.sftp(answer))(client);
      await asks((_, answer) => client.forwardIn('127.0.0.1', 7, answer))(client);
      await asks((_, answer) => client.forwardIn('::1', 7, answer))(client);
      await asks((_, answer) => client.openssh_forwardInStreamLocal('/tmp/seven', answer))(client);
      const forwardings = ['127.0.0.1:7', '::1:7', '/tmp/seven'];
      expect(await whatIsOpen(client)).toEqual({ channels: 2, forwardings });
      return client;
    });
    expect(await pool.use(nothingIsOpen)).toBe(true);
    expect(await pool.use((client) => client)).toBe(before);
  });

  test.each<[string, (client: Client) => unknown]>([
    ['a command that goes on', hang],
    ['a shell', asks((client, answer) => client.shell(false, answer))],
    ['a channel that is still being opened', (client) => client.exec('echo 7', () => {})],
    [
      'a command that has not been begun',
      (client) => {
        client.exec('mute', () => {});
        // Of which the answer comes after that to the channel.
        return run(client, 'echo 7');
      },
    ],
  ])('%s costs the connection, for the server has it on the account of that one', async (_, leave) => {
    const pool = poolOf();
    const before = await pool.use(async (client) => {
      await leave(client);
      return client;
    });
    expect(await pool.use((client) => client)).not.toBe(before);
    expect(pool.stats().totals.closed.broken).toBe(1);
  });

  test('a forwarding that the server does not end costs the connection', async () => {
    const pool = poolOf();
    const before = await pool.use(async (client) => {
      await asks((_, answer) => client.forwardIn('127.0.0.1', 7, answer))(client);
      // Ended behind the client's back, so that the server knows of none.
      client.unforwardIn('127.0.0.1', 7);
      return client;
    });
    expect(await pool.use((client) => client)).not.toBe(before);
  });

  test('a ping that nobody will answer fails when the connection dies, and the next one at once', async () => {
    const connections = factory(server.port);
    const client = await connections.connect(context());
    server.pause();
    const ping = connections.keepalive(client);
    connections.destroy(client);
    const errors = [
      await ping.catch((error: unknown) => error),
      await connections.keepalive(client).catch((error: unknown) => error),
    ];
    expect(errors.map(String)).toEqual(['Error: No response from server', 'Error: Not connected']);
    expect(errors.map((error) => connections.isConnectionError(error))).toEqual([true, true]);
  });

  test('a connection that its borrower has ended is not waited for when it is closed', async () => {
    const connections = factory(server.port);
    const client = await connections.connect(context());
    server.pause();
    client.end();
    expect(connections.isUsable(client)).toBe(false);
    await connections.close(client, 'shutdown');
    await until(() => establishedTo(server.port) === 0, 'it is cut off');
  });

  test('a command that was being begun when the connection died is called refused, but is a connection error', async () => {
    const pool = poolOf();
    const error: unknown = await pool.use((client) => run(client, 'cut')).catch((reason: unknown) => reason);
    expect(String(error)).toBe('Error: Unable to exec');
    expect(isConnectionError(error)).toBe(true);
    expect(pool.stats().totals.closed.broken).toBe(1);
  });
});

function context(): ConnectContext {
  return { pool: 'host', attempt: 1, signal: AbortSignal.timeout(10_000) };
}
