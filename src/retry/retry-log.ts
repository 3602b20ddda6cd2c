import { formatDuration } from '../pool/duration.js';
import { describeError } from '../pool/errors.js';
import type { PoolLogger } from '../pool/settings.js';
import type { Failure } from './failure.js';
import { GIVE_UP, RETRY } from './retry-channels.js';
import type { LaidRetryOptions, PLACEHOLDERS, RetryEvent, RetryLogLevel, RetryLogMessage } from './retry-options.js';

/** What a retry says: its lines, and the callbacks of the options. None of them can break the retry. */
export class RetryLog {
  /**
   * @param logger false is silence by choice; undefined is nobody asked, where only a broken callback is worth a warning
   * @param context the class, which Nest's loggers take as their last argument
   */
  constructor(
    private readonly options: LaidRetryOptions,
    private readonly logger: PoolLogger | false | undefined,
    private readonly context: string | undefined,
  ) {}

  /** Another attempt follows, after `event.delay`. */
  retrying(event: RetryEvent, failure: Failure): void {
    const { retryLogLevel, retryLogMessage } = this.options;
    const describe = (): string => this.describeRetry(event, failure);
    this.line(retryLogLevel, retryLogMessage, 'retryLogMessage', event, failure, describe);
    this.call('onRetry', event, (onRetry) => onRetry(event));
    if (RETRY.hasSubscribers) RETRY.publish(event);
  }

  /** No more attempts, although the failure is one to retry. */
  gaveUp(event: RetryEvent, failure: Failure, reason: string): void {
    const { failureLogLevel, failureLogMessage } = this.options;
    const describe = (): string => describeGiveUp(event, failure, reason);
    this.line(failureLogLevel, failureLogMessage, 'failureLogMessage', event, failure, describe);
    this.gaveUpQuietly(event);
  }

  /** As {@link gaveUp}, when a retry inside of this one has said it already. */
  gaveUpQuietly(event: RetryEvent): void {
    this.call('onGiveUp', event, (onGiveUp) => onGiveUp(event));
    if (GIVE_UP.hasSubscribers) GIVE_UP.publish(event);
  }

  /** A function of the options threw, or yielded what it must not. */
  broken(option: string, event: { readonly method: string }, problem: string): void {
    const text = `${event.method}: ${option} of its retry options ${problem}; the retry goes on without it`;
    if (this.logger === undefined) process.emitWarning(text, 'RetryWarning');
    else this.write('error', text);
  }

  /** Something that is not as the user meant it. */
  warn(text: string): void {
    this.write('warn', text);
  }

  private line(
    level: RetryLogLevel,
    message: RetryLogMessage | undefined,
    option: string,
    event: RetryEvent,
    failure: Failure,
    describe: () => string,
  ): void {
    if (this.logger === undefined || this.logger === false) return;
    if (message === undefined) {
      this.write(level, describe());
    } else if (typeof message === 'string') {
      this.write(level, fillIn(message, event, failure, this.options.maxRetries));
    } else {
      try {
        this.write(level, message(event));
      } catch (error) {
        this.broken(option, event, `threw ${describeError(error)}`);
        this.write(level, describe());
      }
    }
  }

  private write(level: RetryLogLevel, text: string): void {
    if (this.logger === undefined || this.logger === false) return;
    const logger = this.logger as PoolLogger & Partial<Record<RetryLogLevel, PoolLogger['log']>>;
    // A Nest Logger with a context of its own would take ours for one more message.
    const own = (logger as { context?: unknown }).context;
    const rest = this.context === undefined || typeof own === 'string' ? [] : [this.context];
    try {
      if (level === 'fatal' && logger.fatal === undefined) logger.error(text, ...rest);
      else logger[level]?.(text, ...rest);
    } catch {
      // A logger that throws has no other place to say so, and must not cost the caller the result.
    }
  }

  private call(
    option: 'onRetry' | 'onGiveUp',
    event: RetryEvent,
    invoke: (callback: (event: RetryEvent) => unknown) => unknown,
  ): void {
    const callback = this.options[option];
    if (callback === undefined) return;
    const failed = (error: unknown): void => {
      this.broken(option, event, `threw ${describeError(error)}`);
    };
    try {
      const result = invoke(callback);
      // An async callback is not waited for; but its rejection must not become an unhandled one.
      if (isThenable(result)) result.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  private describeRetry({ method, attempt, delay }: RetryEvent, failure: Failure): string {
    const { maxRetries } = this.options;
    const of = maxRetries === Infinity ? '' : ` of ${maxRetries + 1}`;
    const when = delay === 0 ? 'retrying at once' : `retrying in ${formatDuration(delay)}`;
    return `${method}: attempt ${attempt}${of} failed (${describeFailure(failure)}); ${when}`;
  }
}

function describeGiveUp({ method, attempt }: RetryEvent, failure: Failure, reason: string): string {
  const attempts = attempt === 1 ? '1 attempt' : `${attempt} attempts`;
  return `${method}: gave up after ${attempts}, as ${reason} (${describeFailure(failure)})`;
}

function fillIn(template: string, event: RetryEvent, failure: Failure, maxRetries: number): string {
  const facts: Record<(typeof PLACEHOLDERS)[number], string> = {
    method: event.method,
    error: describeFailure(failure),
    attempt: String(event.attempt),
    maxRetries: String(maxRetries),
    delay: formatDuration(event.delay),
  };
  // By function: in a replacement text, a "$&" of an error's message would stand for something.
  return template.replace(/\{(\w+)\}/g, (_, name: keyof typeof facts) => facts[name]);
}

function describeFailure(failure: Failure): string {
  return 'error' in failure ? describeError(failure.error) : 'its result counts as a failure';
}

export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  return typeof (value as { then?: unknown }).then === 'function';
}
