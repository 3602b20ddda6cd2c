import ms, { type StringValue } from 'ms';

/**
 * A length of time: milliseconds, or a string that the `ms` package reads (`'30s'`, `'10 min'`, `'1500'`).
 * `Infinity` and `'Infinity'` are for ever; `false` switches off what the duration is for.
 */
export type Duration = number | string | false;

/** The duration in milliseconds (`false` is Infinity: the thing never happens), or undefined if it is none. */
export function toMilliseconds(value: unknown): number | undefined {
  if (value === false || value === 'Infinity') return Infinity;
  const milliseconds = typeof value === 'string' ? readText(value) : value;
  return typeof milliseconds === 'number' && milliseconds >= 0 ? milliseconds : undefined;
}

function readText(text: string): number | undefined {
  // ms() throws on an empty text and on one of over 100 characters, and yields NaN for what it cannot read.
  if (text.length === 0 || text.length > 100) return undefined;
  return ms(text as StringValue);
}

/** How a person would write it: 1500 is `1.5 s`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds === Infinity) return 'for ever';
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 120_000) return `${trim(milliseconds / 1_000)} s`;
  return `${trim(milliseconds / 60_000)} min`;
}

function trim(value: number): string {
  return String(Math.round(value * 10) / 10);
}
