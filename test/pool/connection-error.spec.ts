import { describe, expect, test } from '@jest/globals';
import { connect, createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import {
  ConnectionError,
  isAbandonment,
  isBrokenBy,
  isConnectionError,
  matchesError,
  noteBrokenBy,
} from '../../src/pool/connection-error.js';
import {
  AcquireTimeoutError,
  ConnectTimeoutError,
  KeepaliveTimeoutError,
  LeaseReleasedError,
  PoolClosedError,
  PoolOverloadedError,
  PoolSettingsError,
  RetryAttemptTimeoutError,
  RetryTimeoutError,
  type PoolCounts,
} from '../../src/pool/errors.js';

const COUNTS: PoolCounts = { size: 1, idle: 0, leased: 1, checking: 0, connecting: 0, closing: 0, waiting: 1 };

const coded = (code: unknown): Error => Object.assign(new Error('failed'), { code });
const reset = (): Error => coded('ECONNRESET');
const named = (name: string, cause?: unknown): Error => Object.assign(new Error(name, { cause }), { name });
const causedBy = (cause: unknown): Error => new Error('wrapped', { cause });

/** What is never a connection error, though a connection error caused it. */
const NEVER: Array<[string, () => Error]> = [
  ['an AbortError', () => named('AbortError', reset())],
  ['an acquire time-out', () => new AcquireTimeoutError('p', 1, COUNTS, '', { cause: reset() })],
  ['an overload', () => Object.assign(new PoolOverloadedError('p', 1, COUNTS), { cause: reset() })],
  ['a closed pool', () => Object.assign(new PoolClosedError('p'), { cause: reset() })],
];

describe('E2: ConnectionError', () => {
  test('is for users to throw, with a message and a cause', () => {
    const cause = reset();
    const error = new ConnectionError('greeting missing', { cause });
    expect(error).toMatchObject({
      name: 'ConnectionError',
      code: 'ERR_CONNECTION',
      message: 'greeting missing',
      cause,
    });
    expect(error).toBeInstanceOf(Error);
  });

  test('can be extended, with a code of its own', () => {
    class ImapError extends ConnectionError {
      override readonly code = 'IMAP_BYE';
    }
    expect(isConnectionError(new ImapError('bye'))).toBe(true);
    expect(new ImapError('bye').code).toBe('IMAP_BYE');
  });
});

describe('E3: isConnectionError', () => {
  test.each([
    'ECONNRESET',
    'ECONNREFUSED',
    'ECONNABORTED',
    'EPIPE',
    'ETIMEDOUT',
    'EHOSTUNREACH',
    'EHOSTDOWN',
    'ENETUNREACH',
    'ENETDOWN',
    'ENETRESET',
    'ENOTCONN',
    'ENOTFOUND',
    'EAI_AGAIN',
    'ERR_SOCKET_CLOSED',
    'ERR_STREAM_PREMATURE_CLOSE',
    'ERR_STREAM_DESTROYED',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'ERR_TLS_HANDSHAKE_TIMEOUT',
    'UND_ERR_SOCKET',
    'UND_ERR_CONNECT_TIMEOUT',
  ])('knows the code %s', (code) => {
    expect(isConnectionError(coded(code))).toBe(true);
  });

  test.each([
    'ENOENT',
    'EACCES',
    'EMFILE',
    'ERR_INVALID_ARG_TYPE',
    'ERR_SOCKET_BAD_PORT',
    'UND_ERR_HEADERS_TIMEOUT',
    'econnreset',
    'ECONNRESET ',
    '',
    104,
    undefined,
    null,
    {},
  ])('does not know the code %p', (code) => {
    expect(isConnectionError(coded(code))).toBe(false);
  });

  test.each<[string, () => unknown]>([
    ['a ConnectionError', () => new ConnectionError('dead')],
    ['a connect time-out', () => new ConnectTimeoutError('p', 1)],
    ['a keepalive time-out', () => new KeepaliveTimeoutError('p', 1)],
    ['an object that is no Error, with such a code', () => ({ code: 'EPIPE' })],
    ['one down the cause chain', () => causedBy(causedBy(reset()))],
    ['one inside an AggregateError', () => new AggregateError([new Error('v6'), reset()])],
    ['one inside an AggregateError of another realm', () => ({ errors: [{ cause: reset() }] })],
    [
      'one that caused a part of an AggregateError that caused it',
      () => causedBy(new AggregateError([causedBy(reset())])),
    ],
    ['one beside an AbortError', () => new AggregateError([named('AbortError'), reset()])],
  ])('knows %s', (_what, error) => {
    expect(isConnectionError(error())).toBe(true);
  });

  test.each<[string, () => unknown]>([
    ['any other error', () => new Error('not found')],
    ['a text', () => 'ECONNRESET'],
    ['undefined', () => undefined],
    ['null', () => null],
    ['a released lease', () => new LeaseReleasedError('p')],
    ['wrong settings', () => new PoolSettingsError('p', [])],
    ['a retry that ran out of time', () => new RetryTimeoutError('m', 1, 1)],
    ['an attempt that ran out of time', () => new RetryAttemptTimeoutError('m', 1, 1)],
    ['a TimeoutError', () => named('TimeoutError')],
    ['an aggregate of other errors', () => new AggregateError([new Error('one'), new Error('two')])],
  ])('does not know %s', (_what, error) => {
    expect(isConnectionError(error())).toBe(false);
  });

  test.each(NEVER)('never accepts %s, whatever its cause', (_what, error) => {
    expect(isConnectionError(error())).toBe(false);
    expect(isConnectionError(causedBy(error()))).toBe(false);
    const noted = error();
    noteBrokenBy(noted);
    expect(isConnectionError(noted)).toBe(false);
  });

  test('never accepts what AbortSignal itself rejects with', () => {
    expect(isConnectionError(AbortSignal.abort().reason)).toBe(false);
    expect(isConnectionError(new DOMException('aborted', 'AbortError'))).toBe(false);
  });

  test('knows an error for which some pool discarded a connection, also as a cause', () => {
    const error = new Error("the client's own");
    expect(isConnectionError(causedBy(error))).toBe(false);
    noteBrokenBy(error);
    noteBrokenBy('a text cannot be noted');
    expect(isConnectionError(error)).toBe(true);
    expect(isConnectionError(causedBy(error))).toBe(true);
    expect(isConnectionError('a text cannot be noted')).toBe(false);
  });

  test('comes to an end with errors that cause each other', () => {
    const one = new Error('one');
    const other = new AggregateError([one, one], 'other', { cause: one });
    one.cause = other;
    expect(isConnectionError(one)).toBe(false);
    other.errors.push(reset());
    expect(isConnectionError(one)).toBe(true);
  });

  test('says no to an error that cannot be looked at, and does not throw', () => {
    const { proxy, revoke } = Proxy.revocable(new Error('gone'), {});
    revoke();
    expect(isConnectionError(proxy)).toBe(false);
    expect(isAbandonment(proxy)).toBe(false);
    expect(matchesError(proxy, [ConnectionError, Error, 'X', () => false])).toBe(false);
  });

  test('knows what Node says of a refused connection', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const socket = connect({ port, host: '127.0.0.1' });
    const error = await new Promise((resolve) => socket.on('error', resolve));
    expect(isConnectionError(error)).toBe(true);
  });
});

describe('what breaks the connection in use', () => {
  test('is what E3 says, and what the matchers of the pool know', () => {
    class ImapError extends Error {}
    expect(isBrokenBy(reset(), [])).toBe(true);
    expect(isBrokenBy(new ImapError('bye'), [])).toBe(false);
    expect(isBrokenBy(new ImapError('bye'), [ConnectionError, ImapError])).toBe(true);
    expect(isBrokenBy(causedBy(coded('IMAP_BYE')), ['IMAP_BYE'])).toBe(true);
  });

  test("is not an error that broke another pool's connection", () => {
    const error = new Error("the other client's");
    noteBrokenBy(error);
    expect(isBrokenBy(error, [])).toBe(false);
    expect(isBrokenBy(error, [ConnectionError])).toBe(false);
  });

  test.each(NEVER.slice(1))('is never %s, even if a matcher says so', (_what, error) => {
    expect(isBrokenBy(error(), [Error, () => true])).toBe(false);
  });
});

describe('work that was given up half-way', () => {
  test.each<[string, unknown, boolean]>([
    ['an AbortError', named('AbortError'), true],
    ['a TimeoutError', named('TimeoutError'), true],
    ["an AbortSignal's reason", AbortSignal.abort().reason, true],
    ['a retry that ran out of time', new RetryTimeoutError('m', 1, 1), true],
    ['an attempt that ran out of time', new RetryAttemptTimeoutError('m', 1, 1), true],
    ['what an AbortError caused', causedBy(named('AbortError')), true],
    ['any other error', new Error('no'), false],
    ['an error whose name is no text', Object.assign(new Error('odd'), { name: Object.create(null) }), false],
    ['a time-out of waiting', new AcquireTimeoutError('p', 1, COUNTS, '', { cause: named('TimeoutError') }), false],
    ['a text', 'AbortError', false],
  ])('%s', (_what, error, expected) => {
    expect(isAbandonment(error)).toBe(expected);
  });
});

describe('E4: lists of error matchers', () => {
  class ImapError extends Error {}
  class NoByeError extends ImapError {}
  class Reply {}
  /** As CommonJS libraries of old made them. */
  function OldError(this: Error): void {}
  OldError.prototype = Object.create(Error.prototype);
  const OldClass = OldError as unknown as new () => Error;

  test.each<[string, unknown, Parameters<typeof matchesError>[1], boolean]>([
    ['a class', new ImapError(), [ImapError], true],
    ['a subclass of a class', new NoByeError(), [ImapError], true],
    ['no superclass of a class', new ImapError(), [NoByeError], false],
    ['Error itself', new ImapError(), [Error], true],
    ['a class that is no Error', new Reply(), [Reply], true],
    ['a class in the old style', new OldClass(), [OldClass], true],
    ['a class of Node', new DOMException('x'), [DOMException], true],
    ['a code', coded('IMAP_BYE'), ['IMAP_BYE'], true],
    ['a code that is a number, as text', coded(1213), ['1213'], true],
    ['no other code', coded('IMAP_BYE'), ['IMAP_NO'], false],
    ['no code of an error without one', new Error('undefined'), ['undefined'], false],
    ['an arrow', { status: 503 }, [(error: { status?: number }) => error.status === 503], true],
    [
      'a function',
      { status: 503 },
      [
        function isBusy(error: { status?: number }): boolean {
          return error.status === 503;
        },
      ],
      true,
    ],
    ['a predicate that says no', new Error('x'), [() => false], false],
    ['no predicate that says something else than true', new Error('x'), [(() => 1) as unknown as () => boolean], false],
    ['the cause of a thing', causedBy(new ImapError()), [ImapError], true],
    ['a part of an AggregateError', new AggregateError([new Error('a'), coded('X')]), ['X'], true],
    ['any of several matchers', coded('X'), [ImapError, 'X'], true],
    ['nothing by an empty list', reset(), [], false],
    ['what E3 accepts, by ConnectionError', causedBy(reset()), [ConnectionError], true],
    ['no AbortError, by ConnectionError', named('AbortError', reset()), [ConnectionError], false],
    ['an AbortError, by its own matcher', named('AbortError'), [(error: Error) => error.name === 'AbortError'], true],
    ['an acquire time-out, by its class', new AcquireTimeoutError('p', 1, COUNTS, ''), [AcquireTimeoutError], true],
  ])('know %s', (_what, error, matchers, expected) => {
    expect(matchesError(error, matchers)).toBe(expected);
  });

  test('a predicate that trips over one error is still asked about its cause', () => {
    const predicate = (error: { reply: { code: number } }): boolean => error.reply.code === 421;
    expect(matchesError(new Error('x', { cause: { reply: { code: 421 } } }), [predicate])).toBe(true);
    expect(matchesError(new Error('x'), [predicate])).toBe(false);
  });
});
