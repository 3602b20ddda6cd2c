import type { CanActivate, ModuleMetadata, Type } from '@nestjs/common';
import { toMilliseconds, type Duration } from '../pool/duration.js';
import { PoolSettingsError } from '../pool/errors.js';
import { boolean, describeValue, isPlainObject, readObject, rule, text, type Reading } from '../pool/rules.js';

export interface ConnectionPoolDashboardOptions {
  /** Where the page is, below the application's global prefix. Default: `connection-pools`. */
  readonly path?: string;
  /**
   * Who may see it: guards of every route, as for `@UseGuards()`. Classes are made by Nest, which injects what the `imports`
   * export. There must be one, unless `unguarded` is true.
   */
  readonly guards?: ReadonlyArray<Type<CanActivate> | CanActivate>;
  /** What the guards need: modules that export what these inject. Default: none. */
  readonly imports?: ModuleMetadata['imports'];
  /** True to let everybody in whom the application, or a proxy in front of it, lets in. Default: false. */
  readonly unguarded?: boolean;
  /** How often the pools are looked at while a page is open: from 100 ms to 1 minute. Default: 500 ms. */
  readonly interval?: Duration;
  /**
   * After how long a page that is open has to come through the guards again, less up to 20 % at random: 1 second or more; false
   * for never. Default: 5 minutes.
   */
  readonly streamLifetime?: Duration;
}

/** The options with their defaults. */
export interface DashboardSettings {
  readonly path: string;
  readonly guards: ReadonlyArray<Type<CanActivate> | CanActivate>;
  readonly imports: NonNullable<ModuleMetadata['imports']>;
  readonly unguarded: boolean;
  /** In milliseconds. */
  readonly interval: number;
  /** In milliseconds. */
  readonly streamLifetime: number;
}

const SUBJECT = 'ConnectionPoolDashboardModule.forRoot()';

const LIST = rule('a list', (value) => (Array.isArray(value) ? (value as unknown[]) : undefined));

const GUARDS = rule(
  'a list of guards, classes or instances (undefined is often a class of a circular import)',
  (value) => (Array.isArray(value) && value.every(isGuard) ? value : undefined),
);

const INTERVAL = rule('a duration from 100 ms to 1 minute', (value) => {
  const milliseconds = toMilliseconds(value);
  return milliseconds !== undefined && milliseconds >= 100 && milliseconds <= 60_000 ? milliseconds : undefined;
});

const STREAM_LIFETIME = rule('a duration of 1 second or more, or false', (value) => {
  const milliseconds = toMilliseconds(value);
  return milliseconds !== undefined && milliseconds >= 1_000 ? milliseconds : undefined;
});

const RULES = {
  path: text(),
  guards: GUARDS,
  imports: LIST,
  unguarded: boolean(),
  interval: INTERVAL,
  streamLifetime: STREAM_LIFETIME,
};

/**
 * Reads the options of the module.
 * @throws PoolSettingsError
 */
export function readOptions(options: ConnectionPoolDashboardOptions): DashboardSettings {
  if (!isPlainObject(options)) {
    throw new PoolSettingsError(SUBJECT, [
      { path: 'options', received: describeValue(options), allowed: 'an object of options' },
    ]);
  }
  const reading: Reading = { faults: [], fromText: false };
  const given = readObject<DashboardSettings>(options, RULES, '', reading);
  const { path = 'connection-pools', guards = [], imports = [], unguarded = false } = given;
  const { interval = 500, streamLifetime = 300_000 } = given;
  if (reading.faults.length === 0 && guards.length === 0 && !unguarded) {
    reading.faults.push({
      path: 'guards',
      received: 'none',
      allowed: 'at least one guard; or unguarded: true, if whoever reaches the application may see its pools',
    });
  }
  if (guards.length > 0 && unguarded) {
    reading.faults.push({ path: 'unguarded', received: 'true', allowed: 'false, for there are guards' });
  }
  if (reading.faults.length > 0) throw new PoolSettingsError(SUBJECT, reading.faults);
  return { path, guards, imports, unguarded, interval, streamLifetime };
}

function isGuard(value: unknown): boolean {
  if (typeof value === 'function') return true;
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'canActivate') === 'function';
}
