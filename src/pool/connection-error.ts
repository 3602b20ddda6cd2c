import { AcquireTimeoutError, ConnectTimeoutError, KeepaliveTimeoutError } from './errors.js';
import { PoolClosedError, PoolOverloadedError } from './errors.js';
import { silence } from './hook-call.js';
import type { ErrorMatcher } from './rules.js';

/**
 * For users to throw: "this connection is broken". The pool discards the connection, and a retry tries another.
 * What `socket.error` is to geventconnpool.
 */
export class ConnectionError extends Error {
  static {
    this.prototype.name = 'ConnectionError';
  }
  readonly code: string = 'ERR_CONNECTION';
}

const CONNECTION_ERROR_CODES = new Set([
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
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Errors for which a pool discarded a connection as broken, so that a retry knows what the pool's own matchers knew. */
const brokeConnections = new WeakSet<object>();

/** Notes that a pool discarded a connection as broken because of this error. */
export function noteBrokenBy(error: unknown): void {
  if (isObject(error)) brokeConnections.add(error);
}

/**
 * Whether the error says that a connection is broken: a {@link ConnectionError}, a connect or keepalive time-out, one of
 * Node's network error codes, any of these down the `cause` chain or inside an `AggregateError`, or an error for which
 * some pool discarded a connection as broken. Never an AbortError, an acquire time-out, an overload or a closed pool.
 */
export function isConnectionError(error: unknown): boolean {
  return someError(error, isNeverOne, (each) => tellsOfBreak(each) || (isObject(each) && brokeConnections.has(each)));
}

/**
 * Whether an error broke the connection that was in use, by these matchers or as {@link isConnectionError} says; but
 * deaf to what other pools made of the error, for it may be their connection's.
 */
export function isBrokenBy(error: unknown, matchers: readonly ErrorMatcher[]): boolean {
  if (someError(error, isNeverOne, tellsOfBreak)) return true;
  return matchers.some(
    (matcher) => matcher !== ConnectionError && someError(error, isFromWaiting, (each) => matches(each, matcher)),
  );
}

/** Whether the error says, by its name or by these matchers, that work was given up, so that a reply may still be on its way. */
export function isAbandonment(error: unknown, matchers: readonly ErrorMatcher[] = []): boolean {
  return someError(
    error,
    isFromWaiting,
    (each) => (isObject(each) && ABANDONED.has(nameOf(each))) || matchers.some((matcher) => matches(each, matcher)),
  );
}

/**
 * Whether any of the matchers knows the error, looked for down `cause` and inside `AggregateError`. The class
 * {@link ConnectionError} stands for everything that {@link isConnectionError} accepts.
 */
export function matchesError(error: unknown, matchers: readonly ErrorMatcher[]): boolean {
  return matchers.some((matcher) =>
    matcher === ConnectionError ? isConnectionError(error) : someError(error, never, (each) => matches(each, matcher)),
  );
}

const ABANDONED = new Set(['AbortError', 'TimeoutError', 'RetryTimeoutError', 'RetryAttemptTimeoutError']);
const never = (): boolean => false;

function tellsOfBreak(error: unknown): boolean {
  if (error instanceof ConnectionError) return true;
  if (error instanceof ConnectTimeoutError || error instanceof KeepaliveTimeoutError) return true;
  const code = codeOf(error);
  return code !== undefined && (CONNECTION_ERROR_CODES.has(code) || code.startsWith('ERR_TLS_'));
}

function isNeverOne(error: unknown): boolean {
  return isFromWaiting(error) || (isObject(error) && nameOf(error) === 'AbortError');
}

/** Errors of waiting for a connection: none was in hand, whatever their cause says of the backend. */
function isFromWaiting(error: unknown): boolean {
  return (
    error instanceof AcquireTimeoutError || error instanceof PoolOverloadedError || error instanceof PoolClosedError
  );
}

/**
 * Whether `test` holds for the error, one of its causes, or one of the errors inside it; what `stop` accepts is neither
 * tested nor looked into. AggregateError is told by its `errors`, for those of another realm are no instance of ours.
 * What cannot be read (a getter that throws, a revoked Proxy) tells nothing: the error itself must come out, not another.
 */
function someError(error: unknown, stop: (each: unknown) => boolean, test: (each: unknown) => boolean): boolean {
  try {
    return search(error, stop, test);
  } catch {
    return false;
  }
}

function search(error: unknown, stop: (each: unknown) => boolean, test: (each: unknown) => boolean): boolean {
  const seen = new Set<unknown>();
  const pending = [error];
  while (pending.length > 0) {
    const each = pending.pop();
    if (seen.has(each) || stop(each)) continue;
    if (test(each)) return true;
    seen.add(each);
    if (!isObject(each)) continue;
    const { cause, errors } = each as { cause?: unknown; errors?: unknown };
    if (cause !== undefined) pending.push(cause);
    if (Array.isArray(errors)) pending.push(...(errors as unknown[]));
  }
  return false;
}

function matches(error: unknown, matcher: ErrorMatcher): boolean {
  if (typeof matcher === 'string') return codeOf(error) === matcher;
  if (isClass(matcher)) return error instanceof matcher;
  try {
    const known = (matcher as (error: unknown) => unknown)(error);
    silence(known);
    return known === true;
  } catch {
    // A predicate that trips over an error does not know it; the error itself must come out, not the predicate's.
    return false;
  }
}

type AnyClass = abstract new (...args: never[]) => unknown;

function isClass(matcher: ErrorMatcher & object): matcher is AnyClass {
  const { prototype } = matcher as { prototype?: unknown };
  if (!isObject(prototype)) return false;
  return (
    matcher === (Error as unknown) ||
    prototype instanceof Error ||
    /^class\b/.test(Function.prototype.toString.call(matcher))
  );
}

function codeOf(error: unknown): string | undefined {
  if (!isObject(error)) return undefined;
  const { code } = error as { code?: unknown };
  return typeof code === 'string' || typeof code === 'number' ? String(code) : undefined;
}

function nameOf(error: object): string {
  return String((error as { name?: unknown }).name);
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
