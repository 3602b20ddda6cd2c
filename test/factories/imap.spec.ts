import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Readable } from 'node:stream';
import { ImapFlow } from 'imapflow';
import { ImapConnectionFactory, type ImapConnectionOptions } from '../../src/factories/imap.js';
import { ConnectionError, ConnectionPool, isConnectionError } from '../../src/index.js';
import { whereInstalled } from '../servers/binaries.js';
import { dovecot, dovecotSessions, dovecotWithTls, kickFromDovecot } from '../servers/dovecot.js';
import { PrivateServer } from '../servers/private-server.js';
import { until } from '../until.js';
import { conformance } from './conformance.js';
import { overTls } from './over-tls.js';
import { SilentServer } from './silent-server.js';

const MESSAGE = 'From: bob\r\nTo: ann\r\nSubject: Hello\r\n\r\nHow are you?\r\n';

function factory(port: number, options: ImapConnectionOptions = {}): ImapConnectionFactory {
  const ann = { host: '127.0.0.1', port, secure: false, auth: { user: 'ann', pass: 'secret' } };
  return new ImapConnectionFactory({ ...ann, ...options });
}

/** Puts one message into a new mailbox of ann's. */
async function fill(port: number, mailbox: string): Promise<void> {
  await using pool = new ConnectionPool(factory(port), { size: 1 });
  await pool.use(async (client) => {
    await client.mailboxCreate(mailbox);
    await client.append(mailbox, MESSAGE);
  });
}

async function subjectIn(client: ImapFlow, mailbox: string): Promise<unknown> {
  const lock = await client.getMailboxLock(mailbox, { readOnly: true });
  try {
    const message = await client.fetchOne('1', { envelope: true });
    if (message === false) throw new Error('The message has gone');
    return message.envelope?.subject;
  } finally {
    lock.release();
  }
}

/** The client says "no", instead of failing, when the connection dies under it. */
async function idle(client: ImapFlow, mailbox = 'Greetings'): Promise<void> {
  await client.mailboxOpen(mailbox);
  await client.idle();
  await client.list();
}

/** How many messages each mailbox has in the eyes of somebody else. */
async function messagesIn(port: number, mailbox: string): Promise<number | undefined> {
  await using pool = new ConnectionPool(factory(port), { size: 1 });
  const status = await pool.use((client) => client.status(mailbox, { messages: true }));
  return status === false ? undefined : status.messages;
}

/** Fails if somebody else has it. */
async function getsLock(client: ImapFlow): Promise<boolean> {
  const lock = await client.getMailboxLock('INBOX', { acquireTimeout: 2_000 });
  lock.release();
  return true;
}

/** Of a message that comes in pieces. */
async function download(client: ImapFlow): Promise<Readable> {
  await client.append('INBOX', `Subject: long\r\n\r\n${'x'.repeat(300_000)}`);
  await client.mailboxOpen('INBOX');
  return (await client.download('*')).content!;
}

const isClosed = (client: ImapFlow): boolean => client.mailbox === false;

conformance<ImapFlow>({
  name: 'ImapConnectionFactory',
  kind: dovecot(),
  prepare: ({ port }) => fill(port, 'Greetings'),
  factory,
  indifferent: (port) => factory(port, { reset: 'none' }),
  emitter: (client) => client,
  light: { factory, serve: (client) => client.noop() },
  stranger: {
    factory: (port) => factory(port, { auth: { user: 'ann', pass: 'wrong' } }),
    error: /The server does not let ann in: Authentication failed/,
  },
  serve: (client) => subjectIn(client, 'Greetings'),
  dawdle: (client) => idle(client),
  mistakes: {
    'a mailbox that is not there': (client) => client.mailboxOpen('Nothing'),
    'a lock on a mailbox that is not there': (client) => client.getMailboxLock('Nothing'),
    'a mailbox that cannot be made': (client) => client.mailboxCreate('a//b'),
    'a mailbox that cannot be removed': (client) => client.mailboxDelete('Nothing'),
    'a message where there is no mailbox': (client) => client.append('Nothing', MESSAGE),
    'a question while no mailbox is open': (client) => client.fetchOne('1', { uid: true }),
    'a lock that he does not get in time': async (client) => {
      const lock = await client.getMailboxLock('Greetings');
      try {
        await client.getMailboxLock('INBOX', { acquireTimeout: 20 });
      } finally {
        lock.release();
      }
    },
    'an error of his own': () => Promise.reject(new Error('his own')),
  },
  dirt: [
    {
      left: 'a download that was given up',
      leave: async (client) => (await download(client)).destroy(),
      isGone: isClosed,
    },
    { left: 'an open mailbox', leave: (client) => client.mailboxOpen('Greetings'), isGone: isClosed },
    {
      left: 'a mailbox that is open for reading',
      leave: (client) => client.mailboxOpen('Greetings', { readOnly: true }),
      isGone: isClosed,
    },
    {
      left: 'a mailbox that nobody waited to see open',
      leave: (client) => {
        void client.mailboxOpen('Greetings');
        return Promise.resolve();
      },
      isGone: async (client) => {
        await client.noop();
        return isClosed(client);
      },
    },
    {
      left: 'a question that nobody waited for',
      leave: (client) => {
        void client.noop();
        return Promise.resolve();
      },
      isGone: isClosed,
    },
    {
      left: 'a mailbox that is being watched',
      leave: async (client) => {
        await client.mailboxOpen('Greetings');
        void client.idle();
        await until(() => client.idling, 'it is being watched');
      },
      isGone: (client) => isClosed(client) && !client.idling,
    },
    {
      left: 'a lock',
      leave: (client) => client.getMailboxLock('Greetings'),
      isGone: getsLock,
    },
    {
      left: 'a lock that nobody waited for',
      leave: (client) => {
        void client.getMailboxLock('Greetings').catch(() => {});
        return Promise.resolve();
      },
      isGone: getsLock,
    },
    {
      left: 'a lock that nobody waited for, behind another',
      leave: async (client) => {
        const lock = await client.getMailboxLock('Greetings');
        void client.getMailboxLock('Greetings').catch(() => {});
        lock.release();
      },
      isGone: getsLock,
    },
  ],
  spoils: {
    'a lock': (client) => client.getMailboxLock('Greetings'),
    // It would go on in the mailbox of the next.
    'a download that is still open': download,
  },
  endSessions: kickFromDovecot,
  sessions: dovecotSessions,
});

for (const [how, secure] of Object.entries({ TLS: true, STARTTLS: false })) {
  overTls<ImapFlow>({
    name: `ImapConnectionFactory, with ${how}`,
    kind: dovecotWithTls(secure),
    factory: (port, host, ca) => factory(port, { host, secure, tls: ca === undefined ? {} : { ca } }),
    serve: async (client) => {
      if (!client.secureConnection) throw new Error('It is not encrypted');
      await client.mailboxOpen('INBOX');
    },
    dawdle: (client) => idle(client, 'INBOX'),
  });
}

whereInstalled(dovecot(), describe)('ImapConnectionFactory', () => {
  let server: PrivateServer;
  let pools: Array<ConnectionPool<ImapFlow>> = [];

  beforeAll(async () => {
    server = await PrivateServer.start(dovecot('mail_max_userip_connections = 3'));
  }, 60_000);

  afterAll(() => server?.stop());

  afterEach(async () => {
    await Promise.all(pools.map((pool) => pool.close({ timeout: 0 })));
    pools = [];
  });

  function open(options?: ImapConnectionOptions): ConnectionPool<ImapFlow> {
    const pool = new ConnectionPool(factory(server.port, options), { size: 1 });
    pools.push(pool);
    return pool;
  }

  test('what the client takes for a "no" when the server has said goodbye costs the connection, and is one to retry', async () => {
    const pool = open();
    const refused = new Error('The server refuses');
    const ask = async (client: ImapFlow): Promise<ImapFlow> => {
      const status = await client.status('INBOX', { unseen: true });
      if (status === false) throw client.usable ? refused : new ConnectionError('The connection was lost');
      return client;
    };
    const first = await pool.use(ask);
    // As a BYE leaves it for a moment, until the client closes it.
    const asking = pool.use((client) => {
      client.state = client.states.LOGOUT;
      return ask(client);
    });
    await expect(asking).rejects.toBe(refused);
    expect(isConnectionError(refused)).toBe(true);
    expect(await pool.use(ask)).not.toBe(first);
  });

  test('does not expunge what a borrower has marked as deleted and left there', async () => {
    await fill(server.port, 'Kept');
    const pool = open();
    await pool.use(async (client) => {
      await client.mailboxOpen('Kept');
      expect(await client.messageFlagsAdd('1', ['\\Deleted'])).toBe(true);
    });
    expect(await pool.use(isClosed)).toBe(true);
    expect(await messagesIn(server.port, 'Kept')).toBe(1);
  });

  test("leaves the mailbox open if told so, and finds a borrower's lock even then", async () => {
    const pool = open({ reset: 'none' });
    const before = await pool.use(async (client) => {
      await client.mailboxOpen('INBOX');
      return client;
    });
    expect(await pool.use((client) => [client, client.mailbox !== false])).toEqual([before, true]);
    await pool.use((client) => client.getMailboxLock('INBOX'));
    expect(await pool.use((client) => client)).not.toBe(before);
  });

  test('a ping of a connection that dies fails, though the client says that it succeeded', async () => {
    const subject = factory(server.port);
    const client = await subject.connect({ pool: 'test', attempt: 1, signal: new AbortController().signal });
    const pinged = subject.keepalive(client).catch((error: unknown) => error);
    subject.destroy(client);
    const error = await pinged;
    expect(String(error)).toContain('closed before the server answered');
    expect(isConnectionError(error)).toBe(true);
  });

  test('says what the server says if there are too many connections, which is not a wrong password', async () => {
    await using crowd = new ConnectionPool(factory(server.port), { size: 3 });
    await crowd.ready();
    const one = open();
    const error: unknown = await one.acquire({ timeout: 200 }).catch((reason: unknown) => reason);
    expect(String((error as Error).cause)).toMatch(/does not let ann in: Maximum number of connections/);
    expect(isConnectionError((error as Error).cause)).toBe(false);
  });

  test("tells the client's own errors apart", () => {
    const subject = factory(server.port);
    const withCode = (code: string): Error => Object.assign(new Error('of the client'), { code });
    const broken = [
      'NoConnection',
      'EConnectionClosed',
      'StateLogout',
      'ETIMEOUT',
      'GREETING_TIMEOUT',
      'ParserError11',
    ];
    const fine = [
      'NotFound',
      'NoMailboxSelected',
      'LockTimeout',
      'InvalidSearchQuery',
      'TooManyResponses',
      'ETHROTTLE',
    ];
    expect(broken.filter((code) => !subject.isConnectionError(withCode(code)))).toEqual([]);
    expect(fine.filter((code) => subject.isConnectionError(withCode(code)))).toEqual([]);
    expect(subject.isConnectionError({ code: 'NoConnection' })).toBe(false);
  });

  test('asks anew for each connection who is to log in', async () => {
    const passwords = ['wrong', 'secret'];
    const source = (): ImapConnectionOptions => ({
      ...{ host: '127.0.0.1', port: server.port, secure: false },
      auth: { user: 'ann', pass: passwords.shift() ?? 'secret' },
    });
    const pool = new ConnectionPool(new ImapConnectionFactory(source), { size: 1, reconnect: { delay: 1 } });
    pools.push(pool);
    await pool.use((client) => client.noop());
    expect(pool.stats().totals.connectFailures).toBe(1);
  });
});

describe('ImapConnectionFactory, before anybody is let in', () => {
  async function failure(options: ImapConnectionOptions): Promise<unknown> {
    const subject = new ImapConnectionFactory({ host: '127.0.0.1', secure: false, ...options });
    const context = { pool: 'test', attempt: 1, signal: new AbortController().signal };
    return subject.connect(context).catch((reason: unknown) => reason);
  }

  test('a server that says nothing, for longer than the client waits, is a connection error', async () => {
    await using silent = await SilentServer.start();
    const error = await failure({ port: silent.port, greetingTimeout: 20 });
    expect(String(error)).toContain('Failed to receive greeting');
    expect(isConnectionError(error)).toBe(true);
    await until(() => silent.sockets.size === 0, 'no socket is left');
  });

  test('given up in the middle of the TLS handshake it leaves nothing behind', async () => {
    await using silent = await SilentServer.start();
    const controller = new AbortController();
    const subject = new ImapConnectionFactory({ host: '127.0.0.1', port: silent.port, secure: true });
    const connecting = subject.connect({ pool: 'test', attempt: 1, signal: controller.signal });
    const failed = connecting.catch((error: unknown) => error);
    await until(() => silent.sockets.size === 1, 'it has called');
    controller.abort(new Error('given up'));
    expect(String(await failed)).toContain('given up');
    await until(() => silent.sockets.size === 0, 'no socket is left');
  });

  test('what the server says when it closes the connection is told', async () => {
    await using silent = await SilentServer.start();
    const failed = failure({ port: silent.port, auth: { user: 'ann', pass: 'secret' } });
    await until(() => silent.sockets.size === 1, 'it has called');
    for (const socket of silent.sockets) socket.end('* BYE Come back tomorrow\r\n');
    const error = await failed;
    expect(String(error)).toContain('Come back tomorrow');
    expect(isConnectionError(error)).toBe(true);
  });
});
