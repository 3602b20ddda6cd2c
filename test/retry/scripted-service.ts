import { jest } from '@jest/globals';
import { adopt } from '../../src/retry/retry-instances.js';
import type { RetryOptions } from '../../src/retry/retry-options.js';
import { RetryRuntime } from '../../src/retry/retry-runtime.js';
import { Retryable } from '../../src/retry/retryable.decorator.js';
import { VirtualClock } from '../../src/testing/virtual-clock.js';

/** A connection error, as Node makes them. */
export function reset(message = 'read ECONNRESET'): Error {
  return Object.assign(new Error(message), { code: 'ECONNRESET' });
}

/** A logger that keeps its lines, as `level text`. */
export function recordingLogger() {
  const lines: string[] = [];
  const contexts: unknown[] = [];
  const at =
    (level: string) =>
    (text: unknown, ...rest: unknown[]): void => {
      lines.push(`${level} ${String(text)}`);
      contexts.push(...rest);
    };
  const levels = { log: at('log'), error: at('error'), warn: at('warn'), debug: at('debug') };
  return { lines, contexts, ...levels };
}

/** The runtime of an application in virtual time; every random number is 1/2. */
export function application(presets: Record<string, RetryOptions> = {}) {
  const clock = new VirtualClock({ random: () => 0.5 });
  const logger = recordingLogger();
  const runtime = new RetryRuntime();
  runtime.configure({ clock, logger, presets });
  return { clock, logger, runtime };
}

/** A promise, and how it ended if it has. */
export function watch<T>(promise: Promise<T>) {
  const watched = { promise, state: 'pending' as 'pending' | 'resolved' | 'rejected', value: undefined as unknown };
  promise.then(
    (value) => Object.assign(watched, { state: 'resolved', value }),
    (error: unknown) => Object.assign(watched, { state: 'rejected', value: error }),
  );
  return watched;
}

/** A service whose decorated method does, at its nth call, what the work says. Pauses have no jitter. */
export function scriptedService(
  options: RetryOptions,
  work: (call: number, ...args: any[]) => unknown,
  presets: Record<string, RetryOptions> = {},
) {
  const app = application(presets);
  const times: number[] = [];
  class MailService {
    readonly recover = jest.fn();

    @Retryable({ jitter: 'none', ...options })
    async fetch(...args: any[]): Promise<unknown> {
      times.push(app.clock.now());
      return work(times.length, ...args);
    }

    fallback(error: unknown, ...args: unknown[]): unknown {
      return { fallback: this, error, args };
    }
  }
  const service = new MailService();
  adopt(service, app.runtime);
  return { ...app, service, /** When each call began. */ times };
}

/** Work that fails this many times and then yields its number. */
export function failing(times: number, error: () => unknown = reset) {
  return (call: number): number => {
    if (call <= times) throw error();
    return call;
  };
}
