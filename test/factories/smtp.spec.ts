import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { SmtpConnectionFactory, type SmtpConnection, type SmtpConnectionOptions } from '../../src/factories/smtp.js';
import { ConnectionPool, isConnectionError } from '../../src/index.js';
import { PrivateServer } from '../servers/private-server.js';
import { send } from '../servers/processes.js';
import { smtp } from '../servers/smtp.js';
import { pause, until } from '../until.js';
import { conformance } from './conformance.js';
import { overTls } from './over-tls.js';
import { SilentServer } from './silent-server.js';

jest.setTimeout(30_000);

/** Frozen, for nodemailer writes into what it is given. */
const TO_BOB = Object.freeze({ from: 'ann@example.org', to: 'bob@example.org' });
const MAIL = 'From: ann@example.org\r\nTo: bob@example.org\r\nSubject: Hello\r\n\r\nHow are you?\r\n';

function factory(port: number, options: SmtpConnectionOptions = {}): SmtpConnectionFactory {
  return new SmtpConnectionFactory({ host: '127.0.0.1', port, auth: { user: 'ann', pass: 'secret' }, ...options });
}

/** Sends it to somebody else. */
function to(recipient: string | string[], message = MAIL): (connection: SmtpConnection) => Promise<unknown> {
  return (connection) => connection.send({ ...TO_BOB, to: recipient }, message);
}

const NEVER = new AbortController().signal;

const SILENT = { log: (): void => {}, warn: (): void => {}, error: (): void => {} };

const serve = to('bob@example.org');
const fails = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'nothing',
    (error: unknown) => error,
  );

function takesMail(connection: SmtpConnection): Promise<boolean> {
  return connection.send(TO_BOB, MAIL).then(({ response }) => response === `250 ${MAIL.length} bytes`);
}

conformance<SmtpConnection>({
  name: 'SmtpConnectionFactory',
  kind: smtp(),
  factory,
  emitter: ({ client }) => client,
  light: { factory, serve },
  stranger: {
    factory: (port) => factory(port, { auth: { user: 'ann', pass: 'wrong' } }),
    error: /Invalid login: 535 Invalid username or password/,
  },
  serve,
  dawdle: to('slow@example.org'),
  mistakes: {
    'a recipient whom the server does not know': to('bad@example.org'),
    'a recipient who is to be tried later': to('busy@example.org'),
    'a sender whom the server does not like': (connection) =>
      connection.send({ from: 'bad@example.org', to: 'bob@example.org' }, MAIL),
    'a mail that the server does not like': to('bob@example.org', `${MAIL}spam\r\n`),
    'a mail that is too long for it': (connection) => connection.send({ ...TO_BOB, size: 200_000 }, MAIL),
    'a mail that turns out to be too long': to('bob@example.org', MAIL + 'long '.repeat(30_000)),
    'no recipient': to([]),
    'an address that is none': to('bob>\r\nRCPT TO:<eve'),
    'no mail': to('bob@example.org', ''),
    'an error of his own': () => Promise.reject(new Error('his own')),
  },
  dirt: [
    {
      left: 'a mail that was refused',
      leave: (connection) => fails(to('bad@example.org')(connection)),
      isGone: takesMail,
    },
    {
      left: "a mail that was refused, sent by nodemailer's own send",
      leave: (connection) =>
        new Promise((resolve) => {
          connection.client.send({ ...TO_BOB, to: 'bad@example.org' }, MAIL, resolve);
        }),
      isGone: takesMail,
    },
    {
      left: 'a mail that nobody waited for',
      leave: (connection) => {
        void serve(connection);
        return Promise.resolve();
      },
      isGone: takesMail,
    },
    {
      left: 'a mail that nobody waited for, and that was refused',
      leave: (connection) => {
        void fails(to('bad@example.org')(connection));
        return Promise.resolve();
      },
      isGone: takesMail,
    },
  ],
  endSessions: (server) => Promise.resolve(send(server.pid!, 'SIGUSR2')),
});

for (const [how, mode] of Object.entries({ TLS: 'tls', STARTTLS: 'starttls' } as const)) {
  overTls<SmtpConnection>({
    name: `SmtpConnectionFactory, with ${how}`,
    kind: smtp(Infinity, mode),
    factory: (port, host, ca) =>
      factory(port, { host, secure: mode === 'tls', requireTLS: true, tls: ca === undefined ? {} : { ca } }),
    serve: (connection) => {
      if (!connection.client.secure) throw new Error('It is not encrypted');
      return serve(connection);
    },
    dawdle: to('slow@example.org'),
  });
}

describe('SmtpConnectionFactory', () => {
  let server: PrivateServer;
  let pools: Array<ConnectionPool<SmtpConnection>> = [];

  beforeAll(async () => {
    server = await PrivateServer.start(smtp(3));
  });

  afterAll(() => server?.stop());

  afterEach(async () => {
    await Promise.all(pools.map((pool) => pool.close({ timeout: 0 })));
    pools = [];
  });

  function open(options?: SmtpConnectionOptions, port = server.port): ConnectionPool<SmtpConnection> {
    const pool = new ConnectionPool(factory(port, options), {
      size: 1,
      resetTimeout: 2_000,
      closeTimeout: 200,
      logger: SILENT,
    });
    pools.push(pool);
    return pool;
  }

  test('sends mails one after the other, whatever became of the one before', async () => {
    const pool = open();
    const outcomes = await pool.use((connection) =>
      Promise.allSettled(
        [serve, to('bad@example.org'), serve, to('busy@example.org'), serve].map((work) => work(connection)),
      ),
    );
    expect(outcomes.map(({ status }) => status)).toEqual([
      ...['fulfilled', 'rejected', 'fulfilled'],
      ...['rejected', 'fulfilled'],
    ]);
    expect(pool.stats().totals).toMatchObject({ connected: 1, closed: { broken: 0 } });
  });

  test('tells which of several recipients were refused', async () => {
    const info = await open().use((connection) =>
      connection.send({ ...TO_BOB, to: ['bob@example.org', 'bad@example.org'] }, MAIL),
    );
    expect(info).toMatchObject({ accepted: ['bob@example.org'], rejected: ['bad@example.org'] });
  });

  test('needs no login where nobody asks for one', async () => {
    const { host, port } = server;
    const pool = new ConnectionPool(new SmtpConnectionFactory({ host, port }), { size: 1 });
    pools.push(pool);
    expect(await pool.use(takesMail)).toBe(true);
  });

  test('leaves the credentials that it was given as they were', async () => {
    const auth = Object.freeze({ user: 'ann', pass: 'secret' });
    expect(await open({ auth }).use(takesMail)).toBe(true);
  });

  test('sends a mail from a stream', async () => {
    const { response } = await open().use((connection) => connection.send(TO_BOB, Readable.from([MAIL, 'Bye\r\n'])));
    expect(response).toBe(`250 ${MAIL.length + 5} bytes`);
  });

  test('keeps the connection when a mail from a stream is refused', async () => {
    const pool = open();
    const refused = pool.use((connection) =>
      connection.send({ ...TO_BOB, to: 'bad@example.org' }, Readable.from([MAIL])),
    );
    await expect(refused).rejects.toThrow('all recipients were rejected');
    expect(await pool.use(takesMail)).toBe(true);
    expect(pool.stats().totals).toMatchObject({ connected: 1, closed: { broken: 0 } });
  });

  describe('a mail whose stream breaks off costs the connection', () => {
    test.each([
      ['with an error', (stream: PassThrough) => stream.destroy(new Error('disk full')), /disk full/],
      ['without one', (stream: PassThrough) => stream.destroy(), /Premature close/],
    ])('%s', async (_, breakOff, expected) => {
      const pool = open();
      const stream = new PassThrough();
      stream.write(MAIL);
      const before = await pool.use((connection) => connection);
      const failed = fails(pool.use((connection) => connection.send(TO_BOB, stream)));
      await until(() => stream.readableLength === 0, 'it is being sent');
      breakOff(stream);
      expect(String(await failed)).toMatch(expected);
      expect(before.isUsable).toBe(false);
      expect(await pool.use(takesMail)).toBe(true);
    });

    test('before anything of it was sent', async () => {
      const pool = open();
      const failed = fails(pool.use((connection) => connection.send(TO_BOB, createReadStream('/nothing/there'))));
      expect(String(await failed)).toContain('no such file');
      expect(await pool.use(takesMail)).toBe(true);
    });
  });

  test('a mail that is under way when its pool closes is sent as it is, without a goodbye in the middle of it', async () => {
    const pool = open();
    const stream = new PassThrough();
    stream.write(MAIL);
    const sent = pool.use((connection) => connection.send(TO_BOB, stream));
    await until(() => stream.readableLength === 0, 'it is being sent');
    const closing = pool.close({ timeout: 0 });
    await pause(20);
    stream.end('Bye\r\n');
    expect(await sent).toMatchObject({ response: `250 ${MAIL.length + 5} bytes` });
    await closing;
  });

  describe('a mail that is under way when its pool is closed by force fails, which nodemailer does not tell', () => {
    test.each([
      ['a text', () => MAIL],
      ['a stream', () => new PassThrough()],
    ])('%s', async (_, message) => {
      const pool = open();
      const mail = { ...TO_BOB, to: 'slow@example.org' };
      const failed = fails(pool.use((connection) => connection.send(mail, message())));
      await until(() => pool.stats().leased === 1, 'it is being sent');
      await pool.close({ timeout: 0 });
      const error = await failed;
      expect(String(error)).toContain('The connection was closed before the server took the mail');
      expect(isConnectionError(error)).toBe(true);
    });
  });

  test('a goodbye is over when the connection dies before it is said', async () => {
    const subject = factory(server.port);
    const context = { pool: 'test', attempt: 1, signal: NEVER };
    const connection = await subject.connect(context);
    const failed = fails(to('slow@example.org')(connection));
    const closing = subject.close(connection, 'shutdown');
    subject.destroy(connection);
    await expect(closing).resolves.toBeUndefined();
    expect(subject.isConnectionError(await failed)).toBe(true);
  });

  test('a ping that nobody will answer any more fails', async () => {
    const subject = factory(server.port);
    const context = { pool: 'test', attempt: 1, signal: NEVER };
    const connection = await subject.connect(context);
    const pinged = fails(subject.keepalive(connection));
    subject.destroy(connection);
    expect(String(await pinged)).toContain('closed before the server answered RSET');
    expect(String(await fails(subject.keepalive(connection)))).toContain('already destroyed');
  });

  test('is broken by a server that says 421, whatever it was asked', async () => {
    const pool = open();
    const before = await pool.use((connection) => connection);
    const error = await fails(pool.use(to('closing@example.org')));
    expect(error).toMatchObject({ responseCode: 421 });
    expect(isConnectionError(error)).toBe(true);
    expect(await pool.use((connection) => connection)).not.toBe(before);
  });

  test('says what the server says if there are too many connections', async () => {
    await using crowd = new ConnectionPool(factory(server.port), { size: 3 });
    await crowd.ready();
    const error = await fails(open().acquire({ timeout: 400 }));
    expect(String((error as Error).cause)).toContain('421');
    expect(isConnectionError((error as Error).cause)).toBe(true);
  });

  test('a server that says nothing, for longer than the client waits, is a connection error', async () => {
    await using silent = await SilentServer.start();
    const context = { pool: 'test', attempt: 1, signal: NEVER };
    const error = await fails(factory(silent.port, { greetingTimeout: 20 }).connect(context));
    expect(String(error)).toContain('Greeting never received');
    expect(isConnectionError(error)).toBe(true);
    await until(() => silent.sockets.size === 0, 'no socket is left');
  });

  describe('leaves nothing behind when it is given up', () => {
    test('while the name is looked up', async () => {
      await using silent = await SilentServer.start();
      const controller = new AbortController();
      const context = { pool: 'test', attempt: 1, signal: controller.signal };
      // As nobody else writes it, for nodemailer remembers what it has looked up.
      const host = 'LocalHost';
      const failed = fails(factory(silent.port, { host }).connect(context));
      controller.abort(new Error('given up'));
      expect(String(await failed)).toContain('given up');
      // Whatever the first would have opened would be there before this one is.
      await fails(factory(silent.port, { host, greetingTimeout: 50 }).connect({ ...context, signal: NEVER }));
      await until(() => silent.sockets.size === 0, 'no socket is left');
    });

    test('in the middle of the TLS handshake', async () => {
      await using silent = await SilentServer.start();
      const controller = new AbortController();
      const context = { pool: 'test', attempt: 1, signal: controller.signal };
      const failed = fails(factory(silent.port, { secure: true }).connect(context));
      await until(() => silent.sockets.size === 1, 'it has called');
      controller.abort(new Error('given up'));
      expect(String(await failed)).toContain('given up');
      await until(() => silent.sockets.size === 0, 'no socket is left');
    });
  });

  test('a server that hangs up without a word is a connection error', async () => {
    await using silent = await SilentServer.start();
    const context = { pool: 'test', attempt: 1, signal: NEVER };
    const failed = fails(factory(silent.port).connect(context));
    await until(() => silent.sockets.size === 1, 'it has called');
    for (const socket of silent.sockets) socket.end();
    expect(String(await failed)).toMatch(/connection (was )?closed/i);
    expect(isConnectionError(await failed)).toBe(true);
  });

  test("tells the client's own errors apart", () => {
    const subject = factory(server.port);
    const withCode = (code: string): Error => Object.assign(new Error('of the client'), { code });
    const broken = ['ECONNECTION', 'ESOCKET', 'EPROTOCOL', 'ETLS', 'EDNS'];
    const fine = ['EAUTH', 'EENVELOPE', 'EMESSAGE', 'ESTREAM'];
    expect(broken.filter((code) => !subject.isConnectionError(withCode(code)))).toEqual([]);
    expect(fine.filter((code) => subject.isConnectionError(withCode(code)))).toEqual([]);
    const leaving = Object.assign(withCode('EENVELOPE'), { responseCode: 421 });
    expect(subject.isConnectionError(leaving)).toBe(true);
    expect(subject.isConnectionError({ code: 'ESOCKET' })).toBe(false);
  });

  describe('a server that is silent for longer than the client waits', () => {
    const PATIENCE = { socketTimeout: 700 };

    test('costs no connection of which nothing is asked', async () => {
      const pool = open(PATIENCE);
      await pool.use(takesMail);
      await pause(1_000);
      expect(await pool.use(takesMail)).toBe(true);
      expect(pool.stats().totals).toMatchObject({ connected: 1, closed: { broken: 0 } });
    });

    test('costs none that somebody holds, either', async () => {
      const pool = open(PATIENCE);
      const isTaken = await pool.use(async (connection) => {
        await pause(1_000);
        return takesMail(connection);
      });
      expect(isTaken).toBe(true);
    });

    test.each<[string, (connection: SmtpConnection) => Promise<unknown>]>([
      ['a mail', to('slow@example.org')],
      [
        "a mail that is sent by nodemailer's own send",
        (connection) =>
          new Promise((resolve, reject) => {
            connection.client.send({ ...TO_BOB, to: 'slow@example.org' }, MAIL, (error) =>
              error ? reject(error) : resolve(undefined),
            );
          }),
      ],
    ])('breaks one on which it is to answer to %s', async (_, work) => {
      const pool = open(PATIENCE);
      await pool.use(takesMail);
      const error = await fails(pool.use(work));
      expect(error).toMatchObject({ code: 'ETIMEDOUT' });
      expect(isConnectionError(error)).toBe(true);
      expect(await pool.use(takesMail)).toBe(true);
    });
  });

  test('closes at once, though the server never does', async () => {
    const sockets = new Set<Socket>();
    const deaf = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.write('220 here\r\n');
      socket.on('data', () => socket.write('250 fine\r\n'));
    }).listen(0, '127.0.0.1');
    await once(deaf, 'listening');
    const { port } = deaf.address() as AddressInfo;
    try {
      const subject = new SmtpConnectionFactory({ host: '127.0.0.1', port });
      const context = { pool: 'test', attempt: 1, signal: NEVER };
      const connection = await subject.connect(context);
      const { _socket: socket } = connection.client;
      await subject.close(connection, 'shutdown');
      expect(socket).toMatchObject({ destroyed: true });
    } finally {
      for (const socket of sockets) socket.destroy();
      deaf.close();
    }
  });
});
