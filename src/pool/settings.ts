import { inspect } from 'node:util';
import type { BackoffOptions, Jitter } from './backoff.js';
import { systemClock, type Clock } from './clock.js';
import { poolNameOf } from './connection-factory.js';
import type { Duration } from './duration.js';
import { PoolSettingsError } from './errors.js';
import { describeValue, isPlainObject, parseJson, readObject } from './rules.js';
import type { ErrorMatcher, Fault, Reading, Rule, RulesFor } from './rules.js';
import {
  duration,
  errorMatchers,
  group,
  numberFrom,
  objectWith,
  offAsNone,
  oneOf,
  text,
  wholeNumber,
} from './rules.js';

/** How many connections: a number (always this many open), or bounds within which the pool follows demand. */
export type PoolSize = number | { readonly min: number; readonly max: number };

/** Pauses between failed connects. */
export interface ReconnectSettings {
  /** The first pause. Default: 100 ms. */
  readonly delay?: Duration;
  /** What each pause is multiplied by to make the next. Default: 2. */
  readonly multiplier?: number;
  /** The longest pause. Default: 30 s. */
  readonly maxDelay?: Duration;
  /** How pauses are spread, so that many processes do not reconnect in step. Default: `'full'`. */
  readonly jitter?: Jitter;
}

/** Where a pool writes; any Nest `LoggerService` will do. */
export interface PoolLogger {
  log(message: unknown, ...rest: unknown[]): unknown;
  error(message: unknown, ...rest: unknown[]): unknown;
  warn(message: unknown, ...rest: unknown[]): unknown;
}

/** What a pool can be told. Everything has a default. Times are a {@link Duration}. */
export interface PoolSettings {
  /** The label in logs, metrics, errors and configuration. Default: from the factory's class. */
  readonly name?: string;
  /** How many connections. Default: 10. */
  readonly size?: PoolSize;
  /** How many connects may be in flight at once. Default: 5. */
  readonly maxConnecting?: number;
  /** The longest that one connect may take. Default: 10 s. */
  readonly connectTimeout?: Duration;
  /** The pauses between failed connects. Default: `{ delay: 100, multiplier: 2, maxDelay: 30_000, jitter: 'full' }`. */
  readonly reconnect?: ReconnectSettings;
  /** The longest wait for a connection; 0 is "do not wait". Default: 30 s. */
  readonly acquireTimeout?: Duration;
  /** How many callers may wait. Default: Infinity. */
  readonly maxWaiting?: number;
  /** Ping each connection that was neither used nor pinged for this long, spread up to 20 % early. Default: off. */
  readonly keepalive?: Duration;
  /** The longest that one ping may take. Default: 5 s. */
  readonly keepaliveTimeout?: Duration;
  /** A connection neither used nor pinged for this long is pinged before it is lent; 0: always. Default: off. */
  readonly checkAfterIdle?: Duration;
  /** The longest that one reset may take. Default: 5 s. */
  readonly resetTimeout?: Duration;
  /** Errors that also mean "this connection is broken": classes, codes, predicates. Default: none. */
  readonly connectionErrors?: readonly ErrorMatcher[];
  /** What becomes of the idle siblings of a broken connection. Default: `'check'` (they are pinged). */
  readonly siblingsOnBreak?: 'check' | 'recycle' | 'keep';
  /** The age at which a connection is replaced, less up to 25 % at random. Default: off. */
  readonly maxLifetime?: Duration;
  /** How many leases a connection serves before it is replaced. Default: Infinity. */
  readonly maxUses?: number;
  /** Elastic pools: time since its last lease after which a connection is closed, down to `min`. Default: 10 min. */
  readonly idleTimeout?: Duration;
  /** Which idle connection is lent first. Default: `'fifo'` (the longest idle), in an elastic pool `'lifo'`. */
  readonly order?: 'fifo' | 'lifo';
  /** The longest that one close may take; then its slot is free all the same. Default: 5 s. */
  readonly closeTimeout?: Duration;
  /** How long `close()` waits for leases. Default: 10 s. */
  readonly shutdownTimeout?: Duration;
  /** Report a lease held for longer, with where it was taken. Costs a stack trace a lease. Default: off. */
  readonly leakDetection?: Duration;
  /** What the application's start waits for. Default: `'none'`. Only the Nest module looks at it. */
  readonly waitFor?: 'none' | 'one' | 'all';
  /** How long the start waits, then it fails with the last connect error. Default: 30 s. */
  readonly startupTimeout?: Duration;
  /** Where the pool writes. Default: `process.emitWarning`, for leaks and forced closes only. */
  readonly logger?: PoolLogger;
  /** Time, timers and randomness. Default: the system's. */
  readonly clock?: Clock;
}

/** Settings in their normal form: every duration in milliseconds, "off" and "for ever" as Infinity. */
export interface ResolvedSettings {
  readonly name: string;
  readonly size: SizeBounds;
  readonly maxConnecting: number;
  readonly connectTimeout: number;
  readonly reconnect: BackoffOptions;
  readonly acquireTimeout: number;
  readonly maxWaiting: number;
  readonly keepalive: number;
  readonly keepaliveTimeout: number;
  readonly checkAfterIdle: number;
  readonly resetTimeout: number;
  readonly connectionErrors: readonly ErrorMatcher[];
  readonly siblingsOnBreak: 'check' | 'recycle' | 'keep';
  readonly maxLifetime: number;
  readonly maxUses: number;
  readonly idleTimeout: number;
  /** Undefined: as it suits the size, which may change. */
  readonly order: 'fifo' | 'lifo' | undefined;
  readonly closeTimeout: number;
  readonly shutdownTimeout: number;
  readonly leakDetection: number;
  readonly waitFor: 'none' | 'one' | 'all';
  readonly startupTimeout: number;
  readonly logger: PoolLogger | undefined;
  readonly clock: Clock;
}

/** What one pool is made with. */
export interface OwnSettings extends ResolvedSettings {
  /** Tells the pool from others of its name, as two applications in one process may have. */
  readonly id: symbol;
}

/** A size in its normal form; a pool of fixed size has both alike. */
export interface SizeBounds {
  readonly min: number;
  readonly max: number;
}

const SIZE: Rule<SizeBounds> = {
  allowed: 'a whole number of 1 or more, or { min, max } with 0 <= min <= max and max of 1 or more',
  read(value, path, reading) {
    const bounds = sizeBounds(reading.fromText ? sizeFromText(value) : value);
    if (bounds === undefined) reading.faults.push({ path, received: describeValue(value), allowed: this.allowed });
    return bounds;
  },
};

function sizeBounds(value: unknown): SizeBounds | undefined {
  const { min, max, ...others } = isPlainObject(value) ? value : { min: value, max: value };
  if (typeof min !== 'number' || typeof max !== 'number' || Object.keys(others).length > 0) return undefined;
  const valid = Number.isSafeInteger(min) && Number.isSafeInteger(max) && 0 <= min && min <= max && max >= 1;
  return valid ? { min, max } : undefined;
}

/** `'20'`, `'{"min":2,"max":20}'` and `{ min: '2', max: '20' }`, as environments give them. */
function sizeFromText(value: unknown): unknown {
  const given = typeof value === 'string' ? parseJson(value) : value;
  if (!isPlainObject(given)) return given;
  return Object.fromEntries(
    Object.entries(given).map(([key, bound]) => [key, typeof bound === 'string' ? parseJson(bound) : bound]),
  );
}

/** The rules of a backoff's four settings; retry has the same four. */
export const BACKOFF_RULES = {
  // What is off here is the pause, where other durations that are off never end.
  delay: offAsNone(duration()),
  multiplier: numberFrom(1),
  maxDelay: duration(),
  jitter: oneOf('none', 'full', 'equal', 'decorrelated'),
} as const;

/** What a logger must have. */
export const LOGGER_RULE: Rule<PoolLogger> = objectWith<PoolLogger>('a LoggerService', 'log', 'error', 'warn');

/** What each setting may be. */
export const SETTING_RULES = {
  name: text(),
  size: SIZE,
  maxConnecting: wholeNumber(1, { infinity: true }),
  connectTimeout: duration({ above: 0 }),
  // A first pause without an end could neither grow nor be spread, and the pool would never connect again.
  reconnect: group<ReconnectSettings>(BACKOFF_RULES),
  acquireTimeout: duration(),
  maxWaiting: wholeNumber(0, { infinity: true }),
  keepalive: duration({ above: 0 }),
  keepaliveTimeout: duration({ above: 0 }),
  checkAfterIdle: duration(),
  resetTimeout: duration({ above: 0 }),
  connectionErrors: errorMatchers(),
  siblingsOnBreak: oneOf('check', 'recycle', 'keep'),
  maxLifetime: duration({ above: 0 }),
  maxUses: wholeNumber(1, { infinity: true }),
  idleTimeout: duration({ above: 0 }),
  order: oneOf('fifo', 'lifo'),
  closeTimeout: duration(),
  shutdownTimeout: duration(),
  leakDetection: duration({ above: 0 }),
  waitFor: oneOf('none', 'one', 'all'),
  startupTimeout: duration({ above: 0 }),
  logger: LOGGER_RULE,
  clock: objectWith<Clock>('a Clock', 'now', 'setTimeout', 'clearTimeout', 'setImmediate', 'random'),
} as const satisfies RulesFor<PoolSettings>;

const DEFAULT_RECONNECT: BackoffOptions = { delay: 100, multiplier: 2, maxDelay: 30_000, jitter: 'full' };

const DEFAULTS = {
  size: { min: 10, max: 10 },
  maxConnecting: 5,
  connectTimeout: 10_000,
  acquireTimeout: 30_000,
  maxWaiting: Infinity,
  keepalive: Infinity,
  keepaliveTimeout: 5_000,
  checkAfterIdle: Infinity,
  resetTimeout: 5_000,
  connectionErrors: [],
  siblingsOnBreak: 'check',
  maxLifetime: Infinity,
  maxUses: Infinity,
  idleTimeout: 600_000,
  order: undefined,
  closeTimeout: 5_000,
  shutdownTimeout: 10_000,
  leakDetection: Infinity,
  waitFor: 'none',
  startupTimeout: 30_000,
  logger: undefined,
  clock: systemClock,
} as const satisfies Partial<ResolvedSettings>;

/**
 * The settings of a pool over this factory, checked and in their normal form.
 * @throws PoolSettingsError which lists every fault of the settings and of the factory
 */
export function resolveSettings(factory: unknown, settings: PoolSettings): ResolvedSettings {
  const reading: Reading = { faults: [], fromText: false };
  const given = readSettings(settings, reading);
  const name = given.name ?? deriveName(factory);
  if (name === undefined) reading.faults.push(NAMELESS);
  reading.faults.push(...factoryFaults(factory, given));
  if (name === undefined || reading.faults.length > 0) {
    throw new PoolSettingsError(name === undefined ? 'a pool' : `pool "${name}"`, reading.faults);
  }
  return { ...DEFAULTS, ...given, name, reconnect: { ...DEFAULT_RECONNECT, ...given.reconnect } };
}

/** Reads settings by their rules; the faults are added to the reading's. */
export function readSettings(settings: unknown, reading: Reading): Partial<ResolvedSettings> {
  if (isPlainObject(settings)) return readObject<ResolvedSettings>(settings, SETTING_RULES, '', reading);
  reading.faults.push({ path: 'settings', received: kindOf(settings), allowed: 'an object of settings' });
  return {};
}

/**
 * A size in its normal form, as `resize` takes it.
 * @throws PoolSettingsError
 */
export function readSize(pool: string, size: unknown): SizeBounds {
  return readOne(SIZE, size, 'size', pool);
}

const TIMEOUT = duration();

/**
 * A time-out that a single call gives.
 * @throws PoolSettingsError
 */
export function readTimeout(pool: string, timeout: unknown): number {
  return readOne(TIMEOUT, timeout, 'timeout', pool);
}

const SIGNAL = objectWith<AbortSignal>('an AbortSignal', 'addEventListener', 'removeEventListener');

/**
 * The signal of a single call; undefined if it has none.
 * @throws PoolSettingsError
 */
export function readSignal(pool: string, signal: AbortSignal | undefined): AbortSignal | undefined {
  // Not by the rule for one that is well: this stands on the road that every lease takes.
  if (signal === undefined || typeof signal.addEventListener === 'function') return signal;
  return readOne(SIGNAL, signal, 'signal', pool);
}

function readOne<T>(rule: Rule<T>, value: unknown, path: string, pool: string): T {
  const faults: Fault[] = [];
  const read = rule.read(value, path, { faults, fromText: false });
  if (read === undefined) throw new PoolSettingsError(`pool "${pool}"`, faults);
  return read;
}

const NAMELESS: Fault = {
  path: 'name',
  received: 'none',
  allowed: 'a name: in the settings, as a static poolName of the factory, or as the name of its class',
};

const HOOKS = [
  'close',
  'destroy',
  'keepalive',
  'isUsable',
  'reset',
  'watch',
  'isConnectionError',
  'isAbandonment',
] as const;

/** What is wrong with a factory, by itself and under these settings. */
export function factoryFaults(factory: unknown, settings: Partial<ResolvedSettings>): Fault[] {
  const faults: Fault[] = [];
  const hooks = (typeof factory === 'object' && factory !== null ? factory : {}) as Record<string, unknown>;
  if (typeof hooks['connect'] !== 'function') {
    const instance = typeof factory === 'function' ? `an instance, as in new ${factory.name}(): ` : '';
    const allowed = `${instance}a ConnectionFactory, which has a method connect()`;
    faults.push({ path: 'factory', received: kindOf(factory), allowed });
  }
  for (const hook of HOOKS) {
    const given = hooks[hook];
    if (given === undefined || typeof given === 'function') continue;
    faults.push({ path: `factory.${hook}`, received: describeValue(given), allowed: 'a method, or nothing' });
  }
  for (const setting of ['keepalive', 'checkAfterIdle'] as const) {
    const given = settings[setting];
    if (given === undefined || given === Infinity || hooks['keepalive'] !== undefined) continue;
    const allowed = 'false, as the factory has no method keepalive() to ping a connection with; add one';
    faults.push({ path: setting, received: `${given} ms`, allowed });
  }
  return faults;
}

function deriveName(factory: unknown): string | undefined {
  // The class itself, given by mistake, tells its name as an instance would.
  const made =
    typeof factory === 'function' ? factory : (factory as { constructor?: unknown } | null | undefined)?.constructor;
  // A plain object has a class too, whose name says nothing of what it opens.
  const name: unknown = typeof made === 'function' && made !== Object ? poolNameOf(made) : undefined;
  return typeof name === 'string' && name.trim() !== '' ? name : undefined;
}

/** What a value is, and not what is in it: it may be a client's options or a connection string, password and all. */
function kindOf(value: unknown): string {
  const hasParts = typeof value === 'object' || typeof value === 'function';
  return hasParts ? inspect(value, { depth: -1 }) : `a value of type ${typeof value}`;
}
