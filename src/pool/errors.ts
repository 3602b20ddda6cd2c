import { formatDuration } from './duration.js';
import { describeValue, type Fault } from './rules.js';

/** What every error of this library is. `code` stays the same from version to version; messages may change. */
export abstract class ConnectionPoolError extends Error {
  abstract readonly code: string;
}

/** A pool's counts at one moment, as an error carries them. */
export interface PoolCounts {
  readonly size: number;
  readonly idle: number;
  readonly leased: number;
  readonly checking: number;
  readonly connecting: number;
  readonly closing: number;
  readonly waiting: number;
}

/** No connection came free within `acquireTimeout`. `cause` is the last connect error if the backend is down. */
export class AcquireTimeoutError extends ConnectionPoolError {
  static {
    this.prototype.name = 'AcquireTimeoutError';
  }
  readonly code = 'ERR_POOL_ACQUIRE_TIMEOUT';

  constructor(
    readonly pool: string,
    readonly timeout: number,
    readonly counts: PoolCounts,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** What an {@link AcquireTimeoutError} says. */
export function describeTimeout(pool: string, timeout: number, counts: PoolCounts, reason: string): string {
  const waited = timeout === 0 ? 'now' : `within ${formatDuration(timeout)}`;
  return `Pool "${pool}" had no connection to lend ${waited} (${describeCounts(counts)}). ${reason}`;
}

/** More than `maxWaiting` callers wait already. */
export class PoolOverloadedError extends ConnectionPoolError {
  static {
    this.prototype.name = 'PoolOverloadedError';
  }
  readonly code = 'ERR_POOL_OVERLOADED';

  constructor(
    readonly pool: string,
    readonly maxWaiting: number,
    readonly counts: PoolCounts,
  ) {
    super(
      `Pool "${pool}" is overloaded: ${counts.waiting} callers wait and maxWaiting is ${maxWaiting} ` +
        `(${describeCounts(counts)}). Shed load, raise size, or raise maxWaiting.`,
    );
  }
}

/** The pool is closing or closed. */
export class PoolClosedError extends ConnectionPoolError {
  static {
    this.prototype.name = 'PoolClosedError';
  }
  readonly code = 'ERR_POOL_CLOSED';

  constructor(readonly pool: string) {
    super(`Pool "${pool}" is closed and lends no more connections. Stop using it once shutdown has begun.`);
  }
}

/** A connect took longer than `connectTimeout`; or an application's start longer than `startupTimeout`. */
export class ConnectTimeoutError extends ConnectionPoolError {
  static {
    this.prototype.name = 'ConnectTimeoutError';
  }
  readonly code = 'ERR_POOL_CONNECT_TIMEOUT';

  constructor(
    readonly pool: string,
    readonly timeout: number,
    setting: 'connectTimeout' | 'startupTimeout' = 'connectTimeout',
  ) {
    super(
      `Pool "${pool}": connect() did not finish within ${formatDuration(timeout)}. ` +
        `Check that the service answers, or raise ${setting}.`,
    );
  }
}

/** A ping took longer than `keepaliveTimeout`. */
export class KeepaliveTimeoutError extends ConnectionPoolError {
  static {
    this.prototype.name = 'KeepaliveTimeoutError';
  }
  readonly code = 'ERR_POOL_KEEPALIVE_TIMEOUT';

  constructor(
    readonly pool: string,
    readonly timeout: number,
  ) {
    super(
      `Pool "${pool}": keepalive() got no answer within ${formatDuration(timeout)}; the connection is replaced. ` +
        'Raise keepaliveTimeout if the service is only slow.',
    );
  }
}

/** A lease was used after it had been released or discarded. */
export class LeaseReleasedError extends ConnectionPoolError {
  static {
    this.prototype.name = 'LeaseReleasedError';
  }
  readonly code = 'ERR_POOL_LEASE_RELEASED';

  constructor(readonly pool: string) {
    super(
      `Pool "${pool}": this lease has been released, and its connection may serve another caller by now. ` +
        'Do not keep a connection beyond its lease; await all work before releasing it.',
    );
  }
}

/** Settings or options that are wrong or unknown. `faults` has one entry for each. */
export class PoolSettingsError extends ConnectionPoolError {
  static {
    this.prototype.name = 'PoolSettingsError';
  }
  readonly code = 'ERR_POOL_SETTINGS';

  /** @param subject what the settings are of, as in `pool "mail"` */
  constructor(
    readonly subject: string,
    readonly faults: readonly Fault[],
  ) {
    super(`Invalid settings of ${subject}:${faults.map(describeFault).join('')}`);
  }
}

/** The `timeout` of a retry ran out before any attempt had failed. */
export class RetryTimeoutError extends ConnectionPoolError {
  static {
    this.prototype.name = 'RetryTimeoutError';
  }
  readonly code = 'ERR_RETRY_TIMEOUT';

  constructor(
    readonly method: string,
    readonly timeout: number,
    readonly attempt: number,
  ) {
    super(
      `${method} did not finish within ${formatDuration(timeout)} (timeout, all attempts together); ` +
        `attempt ${attempt} was under way. Raise timeout, or set attemptTimeout so that a slow attempt is retried.`,
    );
  }
}

/** One attempt took longer than `attemptTimeout`. */
export class RetryAttemptTimeoutError extends ConnectionPoolError {
  static {
    this.prototype.name = 'RetryAttemptTimeoutError';
  }
  readonly code = 'ERR_RETRY_ATTEMPT_TIMEOUT';

  constructor(
    readonly method: string,
    readonly timeout: number,
    readonly attempt: number,
  ) {
    super(
      `Attempt ${attempt} of ${method} did not finish within ${formatDuration(timeout)} (attemptTimeout). ` +
        'Obey the signal of retryContext() to stop the work, or raise attemptTimeout.',
    );
  }
}

/**
 * Makes an error without a list of calls, for one whose list would only tell that a timer fired: to make the list takes ten
 * times as long as all the rest of an error, and thousands may be refused in the same instant.
 */
export function withoutCalls<E extends Error>(make: () => E): E {
  const { stackTraceLimit } = Error;
  // Not by assignment, which throws where somebody has frozen it; then there is a list.
  Reflect.set(Error, 'stackTraceLimit', 0);
  try {
    return make();
  } finally {
    Reflect.set(Error, 'stackTraceLimit', stackTraceLimit);
  }
}

function describeCounts(counts: PoolCounts): string {
  const { size, idle, leased, checking, connecting, closing, waiting } = counts;
  return (
    `size ${size}: ${idle} idle, ${leased} leased, ${checking} checking, ${connecting} connecting, ` +
    `${closing} closing; ${waiting} waiting`
  );
}

function describeFault({ path, received, allowed }: Fault): string {
  return `\n  - ${path}: received ${received}; allowed is ${allowed}`;
}

/** An error on one line, with its code. Whatever was thrown, this does not throw. */
export function describeError(error: unknown): string {
  try {
    return messageOf(error).replace(/\s*[\r\n]\s*/g, ' ');
  } catch {
    return 'an error that cannot be shown';
  }
}

/** Node's AggregateErrors have no message of their own. */
function messageOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const { message, errors, code, name } = error as Record<'message' | 'errors' | 'code' | 'name', unknown>;
  const inner = Array.isArray(errors) ? errors.map(messageOf).join('; ') : '';
  const said = typeof message === 'string' && message !== '' ? message : inner;
  const text = said || (typeof name === 'string' ? name : describeValue(error));
  // Node's own codes and this library's say no more than their messages do.
  return typeof code === 'string' && !code.startsWith('ERR_') && !text.includes(code) ? `${text} (${code})` : text;
}
