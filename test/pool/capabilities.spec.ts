import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { EventEmitter, once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { PassThrough, Readable, Writable } from 'node:stream';
import {
  closeByShape,
  destroy,
  isEmitter,
  isStream,
  isUsableStream,
  receptionOf,
  tolerateErrors,
  watchEmitter,
} from '../../src/pool/capabilities.js';
import type { CloseReason } from '../../src/pool/connection-factory.js';
import { ConnectionFactory } from '../../src/pool/connection-factory.js';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import { VirtualClock } from '../../src/testing/index.js';
import { unhandledDuring } from './rejections.js';

const ABRUPT = ['destroy', 'terminate', 'disconnect', Symbol.dispose, Symbol.asyncDispose, 'close', 'end', 'quit'];
const POLITE = ['quit', 'end', Symbol.asyncDispose, Symbol.dispose, 'close', 'destroy'];
const POLITE_REASONS: CloseReason[] = ['expired', 'idle', 'recycled', 'surplus', 'shutdown'];

/** A connection that has these methods, and notes which were called, and on what. */
function having(methods: PropertyKey[]): { connection: object; called: Array<[PropertyKey, unknown]> } {
  const called: Array<[PropertyKey, unknown]> = [];
  const connection: object = Object.fromEntries(
    methods.map((method) => [
      method,
      function (this: unknown): string {
        called.push([method, this]);
        return `${String(method)} done`;
      },
    ]),
  );
  return { connection, called };
}

describe('F4: the default close', () => {
  test.each(ABRUPT.map((method, i) => [String(method), i] as const))(
    'of a broken connection calls %s if it has none of those before it',
    (_name, i) => {
      // In the opposite order, so that the order is the list's and not the object's.
      const { connection, called } = having(ABRUPT.slice(i).toReversed());
      expect(closeByShape(connection, 'broken')).toBe(`${String(ABRUPT[i])} done`);
      expect(called).toEqual([[ABRUPT[i], connection]]);
    },
  );

  describe.each(POLITE_REASONS)('for %p', (reason) => {
    test.each(POLITE.map((method, i) => [String(method), i] as const))(
      'calls %s if the connection has none of those before it',
      (_name, i) => {
        const { connection, called } = having(POLITE.slice(i).toReversed());
        expect(closeByShape(connection, reason)).toBe(`${String(POLITE[i])} done`);
        expect(called).toEqual([[POLITE[i], connection]]);
      },
    );

    test('never calls what cuts off: terminate and disconnect', () => {
      const { connection, called } = having(['terminate', 'disconnect']);
      expect(closeByShape(connection, reason)).toBeUndefined();
      expect(called).toEqual([]);
    });
  });

  test.each([5, 'a handle', null, undefined, {}, { close: 'no method' }])('of %p does nothing', (connection) => {
    expect(closeByShape(connection, 'broken')).toBeUndefined();
    expect(closeByShape(connection, 'shutdown')).toBeUndefined();
  });

  test('also of a function that is a connection', () => {
    const end = jest.fn();
    closeByShape(
      Object.assign(() => {}, { end }),
      'shutdown',
    );
    expect(end).toHaveBeenCalledTimes(1);
  });

  test("of a stream waits for 'close', and leaves no listener behind", async () => {
    const stream = new PassThrough();
    const listeners = stream.listenerCount('close');
    let closed = false;
    const closing = Promise.resolve(closeByShape(stream, 'shutdown')).then(() => (closed = true));
    await new Promise((resolve) => setImmediate(resolve));
    // Its reader has not come to the end of it, for nobody reads; resume() sees to that.
    expect(stream.writableEnded).toBe(true);
    await closing;
    expect([closed, stream.closed, stream.listenerCount('close')]).toEqual([true, true, listeners]);
  });

  test('of a stream with unread bytes reads them away, or it would never close', async () => {
    const stream = new PassThrough();
    stream.write('unread');
    await closeByShape(stream, 'idle');
    expect(stream.closed).toBe(true);
  });

  test('of a stream of one direction waits likewise', async () => {
    const writable = new Writable({ write: (_chunk, _encoding, done) => done() });
    const readable = new Readable({ read: () => {} });
    await unhandledDuring(async () => {
      await Promise.all([closeByShape(writable, 'recycled'), closeByShape(readable, 'recycled')]);
    });
    expect([writable.closed, readable.closed]).toEqual([true, true]);
  });

  test('of a stream that has closed already is over at once', () => {
    const end = jest.fn();
    const stream = Object.assign(new EventEmitter(), {
      destroyed: true,
      closed: true,
      destroy: () => {},
      read: () => {},
      end,
    });
    expect(closeByShape(stream, 'shutdown')).toBeUndefined();
    expect(end).not.toHaveBeenCalled();
  });

  test('of a broken stream destroys it, and waits for nothing', () => {
    const stream = new PassThrough();
    expect(closeByShape(stream, 'broken')).toBe(stream);
    expect(stream.destroyed).toBe(true);
    expect(stream.listenerCount('close')).toBe(new PassThrough().listenerCount('close'));
  });

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('quit failed');
      },
    ],
    ['rejects', () => Promise.reject(new Error('quit failed'))],
  ])("of a stream whose quit() %s still waits for 'close', so that it is destroyed in the end", async (_what, quit) => {
    const stream = Object.assign(new PassThrough(), { quit });
    let settled = false;
    const unhandled = await unhandledDuring(async () => {
      void Promise.resolve(closeByShape(stream, 'shutdown')).finally(() => (settled = true));
      await new Promise((resolve) => setImmediate(resolve));
      expect(settled).toBe(false);
      stream.destroy();
    });
    expect([settled, unhandled]).toEqual([true, []]);
  });

  test('of a stream that does not close is cut short by closeTimeout, and the stream destroyed', async () => {
    class StubbornFactory extends ConnectionFactory<PassThrough> {
      readonly opened: PassThrough[] = [];
      override connect(): PassThrough {
        // It never finishes its writing side.
        const stream = new PassThrough({ final: () => {} });
        this.opened.push(stream);
        return stream;
      }
    }
    const clock = new VirtualClock();
    const factory = new StubbornFactory();
    const pool = new ConnectionPool(factory, {
      clock,
      size: 1,
      closeTimeout: '3s',
      logger: { log() {}, error() {}, warn() {} },
    });
    await pool.ready();
    const closed = pool.close();
    await clock.advance(2_999);
    expect(factory.opened[0]!.destroyed).toBe(false);
    await clock.advance(1);
    await closed;
    expect(factory.opened[0]!.destroyed).toBe(true);
  });
});

describe('F4: the last resort', () => {
  test('is destroy, if there is one', () => {
    const { connection, called } = having(['destroy', 'close']);
    expect(destroy(connection)).toBe(true);
    expect(called).toEqual([['destroy', connection]]);
    expect([destroy({}), destroy(5), destroy(null)]).toEqual([false, false, false]);
  });

  test('does not mind what destroy does', async () => {
    const failing = {
      destroy: () => {
        throw new Error('no');
      },
    };
    const rejecting = { destroy: () => Promise.reject(new Error('no')) };
    const hidden = Object.defineProperty({}, 'destroy', {
      get: () => {
        throw new Error('no');
      },
    });
    const unhandled = await unhandledDuring(() => {
      for (const connection of [failing, rejecting, hidden]) expect(destroy(connection)).toBe(true);
    });
    expect(unhandled).toEqual([]);
  });
});

describe('what a connection is, by its shape', () => {
  test.each<[string, unknown, boolean, boolean]>([
    ['a duplex stream', new PassThrough(), true, true],
    ['a readable', new Readable({ read: () => {} }), true, true],
    ['an emitter', new EventEmitter(), false, true],
    ['an object with on() alone', { on: () => {} }, false, false],
    ['an object with on() and emit()', { on: () => {}, emit: () => {} }, false, false],
    ['an object with destroyed alone', { destroyed: false }, false, false],
    ['an object with destroyed and destroy()', { destroyed: false, destroy: () => {} }, false, false],
    ['an object that writes', { destroyed: false, destroy: () => {}, write: () => {} }, true, false],
    ['a number', 5, false, false],
    ['null', null, false, false],
    ['a function', () => {}, false, false],
  ])('%s', (_what, connection, stream, emitter) => {
    expect([isStream(connection), isEmitter(connection)]).toEqual([stream, emitter]);
  });

  test('what is no emitter is not watched', () => {
    expect(watchEmitter({}, () => {})).toBeUndefined();
    expect(() => tolerateErrors({})).not.toThrow();
  });

  test('an emitter tells of its death with the error, if there is one', () => {
    const emitter = new EventEmitter();
    const broken = jest.fn();
    const stop = watchEmitter(emitter, broken)!;
    const error = new Error('reset');
    emitter.emit('error', error);
    emitter.emit('end');
    emitter.emit('close', 'hadError');
    expect(broken.mock.calls).toEqual([[error], [], []]);
    stop();
    emitter.emit('close');
    expect(broken).toHaveBeenCalledTimes(3);
    expect(emitter.eventNames()).toEqual([]);
  });

  test('an emitter whose on() throws is let be', () => {
    const odd = {
      on: () => {
        throw new Error('no');
      },
      emit: () => {},
      removeListener: () => {},
    };
    expect(() => tolerateErrors(odd)).not.toThrow();
  });

  test('unread bytes are those of streams, and none where a stream does not count them', () => {
    const stream = new PassThrough();
    stream.write('12345');
    const uncounted = { destroyed: false, destroy: () => {}, write: () => {} };
    expect(receptionOf(stream)).toEqual({ unread: 5, received: Infinity });
    expect(receptionOf(uncounted)).toEqual({ unread: 0, received: Infinity });
    const before = (unread: number) => isUsableStream(stream, { unread, received: Infinity });
    expect([before(5), before(4), isUsableStream(stream, undefined)]).toEqual([true, false, true]);
    expect(isUsableStream(uncounted, { unread: 0, received: Infinity })).toBe(true);
  });
});

describe('F3: sockets', () => {
  const opened: Array<{ server: Server; client: Socket; peer: Socket }> = [];

  async function pair(options: { allowHalfOpen?: boolean } = {}): Promise<{ client: Socket; peer: Socket }> {
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const accepted = once(server, 'connection');
    const client = connect({ port, host: '127.0.0.1', ...options });
    await once(client, 'connect');
    const [peer] = (await accepted) as [Socket];
    peer.on('error', () => {});
    client.on('error', () => {});
    opened.push({ server, client, peer });
    return { client, peer };
  }

  /** Until what the peer did has reached the client. */
  async function until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise((resolve) => setImmediate(resolve));
  }

  afterEach(async () => {
    for (const { server, client, peer } of opened.splice(0)) {
      client.destroy();
      peer.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test('an open socket is usable', async () => {
    const { client } = await pair();
    expect([isStream(client), isUsableStream(client, receptionOf(client))]).toEqual([true, true]);
  });

  test('a socket with bytes that nobody asked for is not, unless they were there before', async () => {
    const { client, peer } = await pair();
    const before = receptionOf(client);
    peer.write('* BYE');
    await until(() => receptionOf(client).unread === 5);
    expect([isUsableStream(client, before), isUsableStream(client, receptionOf(client))]).toEqual([false, true]);
  });

  test('nor is one that lets such bytes flow away, as it does after once("data")', async () => {
    const { client, peer } = await pair();
    const reply = once(client, 'data');
    peer.write('reply');
    await reply;
    const before = receptionOf(client);
    peer.write('* BYE');
    await until(() => client.bytesRead === 10);
    expect(client.readableLength).toBe(0);
    expect([isUsableStream(client, before), isUsableStream(client, receptionOf(client))]).toEqual([false, true]);
  });

  test('one whose bytes somebody listens for is usable', async () => {
    const { client, peer } = await pair();
    client.on('data', () => {});
    const before = receptionOf(client);
    peer.write('* a notice');
    await until(() => client.bytesRead === 10);
    expect(isUsableStream(client, before)).toBe(true);
  });

  test.each([false, true])('a socket whose peer has ended is not (allowHalfOpen: %p)', async (allowHalfOpen) => {
    const { client, peer } = await pair({ allowHalfOpen });
    peer.end();
    await until(() => !client.readable);
    expect(isUsableStream(client, undefined)).toBe(false);
  });

  test('a socket that was reset is not', async () => {
    const { client, peer } = await pair();
    peer.resetAndDestroy();
    await until(() => client.destroyed);
    expect(isUsableStream(client, undefined)).toBe(false);
  });

  test('a polite close waits until the peer has closed too, and reads away what it still says', async () => {
    const { client, peer } = await pair();
    peer.write('an unread reply');
    await until(() => receptionOf(client).unread > 0);
    const ended = once(peer.resume(), 'end');
    let closed = false;
    const closing = Promise.resolve(closeByShape(client, 'shutdown')).then(() => (closed = true));
    await ended;
    expect(closed).toBe(false);
    peer.end('bye');
    await closing;
    expect(client.closed).toBe(true);
  });

  test('a pool of sockets replaces one that got bytes, or its end, while idle', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const peers: Socket[] = [];
    server.on('connection', (peer) => void peers.push(peer.on('error', () => {})));
    class TcpFactory extends ConnectionFactory<Socket> {
      override async connect(): Promise<Socket> {
        const socket = connect({ port, host: '127.0.0.1' });
        await once(socket, 'connect');
        return socket;
      }
    }
    const pool = new ConnectionPool(new TcpFactory(), { size: 1 });
    const first = await pool.use((socket) => socket);
    await until(() => peers.length === 1);
    peers[0]!.write('surprise');
    await until(() => first.readableLength > 0);
    const second = await pool.use((socket) => socket);
    expect(second).not.toBe(first);
    await until(() => peers.length === 2);
    peers[1]!.end();
    await until(() => second.destroyed);
    const third = await pool.use((socket) => socket);
    expect([third === second, third.destroyed]).toEqual([false, false]);
    await pool.close();
    for (const peer of peers) peer.destroy();
    await new Promise((resolve) => server.close(resolve));
    expect(pool.stats().totals.closed).toMatchObject({ broken: 2, shutdown: 1 });
  });
});
