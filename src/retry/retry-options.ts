import type { BackoffOptions, Jitter } from '../pool/backoff.js';
import { ConnectionError } from '../pool/connection-error.js';
import type { Duration } from '../pool/duration.js';
import { boolean, describeValue, duration, errorMatchers, func, group, isPlainObject, oneOf } from '../pool/rules.js';
import { parseJson, readObject, rule, wholeNumber } from '../pool/rules.js';
import type { ErrorMatcher, Fault, Reading, Rule, RulesFor } from '../pool/rules.js';
import { BACKOFF_RULES, LOGGER_RULE, type PoolLogger } from '../pool/settings.js';
import { BUDGET_RULE, type RetryBudget, type RetryBudgetOptions } from './retry-budget.js';

/** What a callback learns of a failed call. */
export interface RetryEvent {
  /** The class and the method, as in `MailService.fetch`. */
  readonly method: string;
  /** The call that failed, counted from 1. */
  readonly attempt: number;
  /** What it failed with; undefined if its result counted as a failure (`retryOnResult`). */
  readonly error: unknown;
  /** The pause before the next call, in milliseconds; 0 when giving up. */
  readonly delay: number;
}

/** The levels of a Nest `LoggerService`. One that the logger lacks is left out, except that `fatal` becomes `error`. */
export type RetryLogLevel = 'verbose' | 'debug' | 'log' | 'warn' | 'error' | 'fatal';

/** A text with `{method} {error} {attempt} {maxRetries} {delay}`, or a function that makes one. */
export type RetryLogMessage = string | ((event: RetryEvent) => string);

/** Makes up for a failure. `this` is the instance that the method was called on. */
// The arguments are those of any method, which only `any` says.
// oxlint-disable-next-line typescript/no-explicit-any
export type RecoverFunction = (error: any, ...args: any[]) => unknown;

/** What a retry can be told. Everything has a default. Times are a {@link Duration}. */
export interface RetryOptions {
  /** Calls after the first; `Infinity` for ever. Default: 3. */
  readonly maxRetries?: number;
  /** Which errors are retried: classes, codes and predicates. Default: `[ConnectionError]`, every connection error. */
  readonly retryOn?: readonly ErrorMatcher[];
  /** Which errors are never retried, whatever `retryOn` says. Default: none. */
  readonly abortOn?: readonly ErrorMatcher[];
  /** Whether a result counts as a failure; the last one is returned. Default: none does. */
  // The result is that of any method, which only `any` says.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly retryOnResult?: (result: any) => boolean;
  /** The first pause; `false` for none. Default: 100 ms. */
  readonly delay?: Duration;
  /** What each pause is multiplied by to make the next. Default: 2. */
  readonly multiplier?: number;
  /** The longest pause. Default: 10 s. */
  readonly maxDelay?: Duration;
  /** How pauses are spread. Default: `'full'`. */
  readonly jitter?: Jitter;
  /**
   * The pause after this attempt (from 1) and its error, instead of the four above: a server's Retry-After. `Infinity` or
   * `false` gives up. Should it throw or yield no Duration, the four above hold. Default: none.
   */
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly backoff?: (attempt: number, error: any) => Duration;
  /** No pause before the first retry. Default: true for connection errors if neither `delay` nor `backoff` is given. */
  readonly immediateFirstRetry?: boolean;
  /** The time for all attempts and pauses together. A pause that would overrun it is not begun. Default: none. */
  readonly timeout?: Duration;
  /** The time for one attempt; then its signal is aborted and it is retried. Default: none. */
  readonly attemptTimeout?: Duration;
  /** Ends the attempts and a pause at once, with the signal's reason. Default: none. */
  readonly signal?: AbortSignal;
  /**
   * Makes up for giving up: the name of a method, or a function. Called with the error and the arguments; its result is
   * the result. Not called for an error that is not to be retried, nor when `signal` ended it. Default: none.
   */
  readonly recover?: string | RecoverFunction;
  /**
   * Tokens that limit the retries of many calls. Options stand for one budget per method or preset and application; an
   * object of class RetryBudget is shared where it is given; `false` is none. Default: none.
   */
  readonly budget?: RetryBudgetOptions | RetryBudget | false;
  /** Where the lines go; `false` for silence. Default: the module's logger; for `retry()`, silence. */
  readonly logger?: PoolLogger | false;
  /** The level of the line before a retry. Default: `'warn'`. */
  readonly retryLogLevel?: RetryLogLevel;
  /** The line before a retry. */
  readonly retryLogMessage?: RetryLogMessage;
  /** The level of the line when it gives up. Default: `'error'`. */
  readonly failureLogLevel?: RetryLogLevel;
  /** The line when it gives up. */
  readonly failureLogMessage?: RetryLogMessage;
  /** Called before the pause of each retry. */
  readonly onRetry?: (event: RetryEvent) => unknown;
  /** Called when it gives up; not for an error that is not to be retried, nor when `signal` ended it. */
  readonly onGiveUp?: (event: RetryEvent) => unknown;
}

/** Options in their normal form, as far as they were given: durations in milliseconds, "off" as Infinity. */
export type ReadRetryOptions = Omit<RetryOptions, 'delay' | 'maxDelay' | 'timeout' | 'attemptTimeout'> &
  Partial<Omit<BackoffOptions, 'jitter'>> & { readonly timeout?: number; readonly attemptTimeout?: number };

/** The placeholders of a message. */
export const PLACEHOLDERS = ['method', 'error', 'attempt', 'maxRetries', 'delay'] as const;

const level = (): Rule<RetryLogLevel> => oneOf('verbose', 'debug', 'log', 'warn', 'error', 'fatal');

const message = (): Rule<RetryLogMessage> =>
  rule(`a text, with the placeholders ${PLACEHOLDERS.map((name) => `{${name}}`).join(' ')}, or a function`, (value) =>
    typeof value === 'function' || (typeof value === 'string' && hasOnlyKnownPlaceholders(value))
      ? (value as RetryLogMessage)
      : undefined,
  );

function hasOnlyKnownPlaceholders(text: string): boolean {
  return [...text.matchAll(/\{(\w+)\}/g)].every(([, name]) => (PLACEHOLDERS as readonly unknown[]).includes(name));
}

const LOGGER: Rule<PoolLogger | false> = {
  allowed: `${LOGGER_RULE.allowed}; or false for silence`,
  read(value, path, reading) {
    if (value === false || (reading.fromText && value === 'false')) return false;
    const faults: Fault[] = [];
    const logger = LOGGER_RULE.read(value, path, { faults, fromText: reading.fromText });
    if (logger === undefined) reading.faults.push({ path, received: describeValue(value), allowed: this.allowed });
    return logger;
  },
};

const SIGNAL: Rule<AbortSignal> = rule('an AbortSignal', (value) => {
  const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>;
  return typeof aborted === 'boolean' && typeof addEventListener === 'function' ? (value as AbortSignal) : undefined;
});

const RECOVER: Rule<string | RecoverFunction> = rule('the name of a method, or a function', (value) =>
  typeof value === 'function' || (typeof value === 'string' && value !== '')
    ? (value as string | RecoverFunction)
    : undefined,
);

/** What each option of a retry may be. */
export const RETRY_RULES = {
  maxRetries: wholeNumber(0, { infinity: true }),
  retryOn: errorMatchers(),
  abortOn: errorMatchers(),
  retryOnResult: func('a function (result) => boolean'),
  ...BACKOFF_RULES,
  backoff: func('a function (attempt, error) => Duration'),
  immediateFirstRetry: boolean(),
  timeout: duration({ above: 0 }),
  attemptTimeout: duration({ above: 0 }),
  signal: SIGNAL,
  recover: RECOVER,
  budget: BUDGET_RULE,
  logger: LOGGER,
  retryLogLevel: level(),
  retryLogMessage: message(),
  failureLogLevel: level(),
  failureLogMessage: message(),
  onRetry: func('a function ({ method, attempt, error, delay })'),
  onGiveUp: func('a function ({ method, attempt, error, delay })'),
} as const satisfies RulesFor<RetryOptions>;

/** One preset, as a rule. */
const PRESET: Rule<ReadRetryOptions> = group<RetryOptions>(RETRY_RULES) as Rule<ReadRetryOptions>;

/**
 * What `forRoot({ retry })` may be: presets by name. Its faults carry paths such as `retry.mailbox.delay`. The normal
 * form that it yields may be read again, as `RetryRuntime.configure` does.
 */
export const RETRY_PRESETS_RULE: Rule<Readonly<Record<string, ReadRetryOptions>>> = {
  allowed: 'presets by name, each an object of retry options',
  read(value, path, reading) {
    const given = reading.fromText && typeof value === 'string' ? parseJson(value) : value;
    if (!isPlainObject(given)) {
      reading.faults.push({ path, received: describeValue(value), allowed: this.allowed });
      return undefined;
    }
    const presets = Object.entries(given).filter(([, preset]) => preset !== undefined);
    return Object.fromEntries(
      presets.map(([name, preset]) => [name, PRESET.read(preset, `${path}.${name}`, reading) ?? {}]),
    );
  },
};

/** Reads options by their rules; the faults are added to the reading's. */
export function readRetryOptions(options: unknown, reading: Reading): ReadRetryOptions {
  if (isPlainObject(options)) return readObject<ReadRetryOptions>(options, RETRY_RULES, '', reading);
  reading.faults.push({ path: 'options', received: describeValue(options), allowed: PRESET.allowed });
  return {};
}

/**
 * Options in full, but for what the application adds: where to log, whose clock, which budget. `immediateFirstRetry` is
 * undefined where it depends on the error.
 */
export type LaidRetryOptions = ReadRetryOptions & Required<Pick<ReadRetryOptions, keyof typeof DEFAULTS>>;

const DEFAULTS = {
  maxRetries: 3,
  retryOn: [ConnectionError],
  abortOn: [],
  delay: 100,
  multiplier: 2,
  maxDelay: 10_000,
  jitter: 'full',
  timeout: Infinity,
  attemptTimeout: Infinity,
  retryLogLevel: 'warn',
  failureLogLevel: 'error',
} as const satisfies ReadRetryOptions;

const BACKOFF_KEYS = ['delay', 'multiplier', 'maxDelay', 'jitter'] as const;

/**
 * Lays options over the defaults and over each other, the last on top. Each option is replaced whole. Settings of the
 * pauses do away with a `backoff` that lies below them.
 */
export function layRetryOptions(layers: readonly ReadRetryOptions[]): LaidRetryOptions {
  let laid: ReadRetryOptions = {};
  for (const layer of layers) {
    const below = BACKOFF_KEYS.some((key) => layer[key] !== undefined) ? { ...laid, backoff: undefined } : laid;
    laid = { ...below, ...layer };
  }
  const paced = layers.some((layer) => layer.delay !== undefined || layer.backoff !== undefined);
  return { ...DEFAULTS, ...(paced && { immediateFirstRetry: false }), ...laid };
}
