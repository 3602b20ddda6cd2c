/** The service was there, and asks to be asked again later. It has done nothing. */
export class BusyError extends Error {
  static {
    this.prototype.name = 'BusyError';
  }

  /** @param retryAfter how long to wait, in milliseconds; undefined if it did not say so */
  constructor(
    readonly statusCode: number,
    readonly retryAfter: number | undefined,
  ) {
    super(`The service is busy (${statusCode})`);
  }
}

/**
 * What a Retry-After header says, in milliseconds from now: it holds seconds, or a date.
 * https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
 */
export function readRetryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const milliseconds = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now();
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds);
}

/**
 * For `backoff`: as the service says, a little later, for clocks and timers are not exact, and not all at once. Where it says
 * nothing, longer each time.
 */
export function asTold(attempt: number, error: unknown): number {
  const told = error instanceof BusyError ? error.retryAfter : undefined;
  return (told ?? 100 * 2 ** (attempt - 1)) + 50 + 100 * Math.random();
}
