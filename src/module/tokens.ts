import { poolNameOf, type ConnectionFactoryClass } from '../pool/connection-factory.js';
import { PoolSettingsError } from '../pool/errors.js';
import { describeValue } from '../pool/rules.js';

/** The options that `forRoot` or `forRootAsync` gave. Override it in a test to give others. */
export const CONNECTION_POOL_OPTIONS = Symbol('CONNECTION_POOL_OPTIONS');

/** Where pools and retries write. Default: the `logger` of the options, else Nest's `Logger`. */
export const CONNECTION_POOL_LOGGER = Symbol('CONNECTION_POOL_LOGGER');

/** The time that pools and retries live by. Default: the system's. */
export const CONNECTION_POOL_CLOCK = Symbol('CONNECTION_POOL_CLOCK');

/**
 * The token under which a pool is provided, for tests (`overrideProvider`) and for the `inject` of a factory provider.
 * A factory class stands for its own name; a pool that was registered under another is asked for by that.
 *
 * The text of the token carries the remedy, because Nest shows it when nothing is provided under it.
 *
 * @throws PoolSettingsError if it is neither a name nor a factory class that has one
 */
export function getPoolToken(pool: ConnectionFactoryClass | string): string {
  const name = nameOfPool(pool);
  return `ConnectionPool(${name}) - to be registered with ConnectionPoolModule.forFeature([its factory])`;
}

/**
 * The name that a pool is asked for by.
 * @throws PoolSettingsError
 */
export function nameOfPool(pool: unknown): string {
  const name = typeof pool === 'function' ? poolNameOf(pool) : pool;
  if (typeof name === 'string' && name !== '') return name;
  throw new PoolSettingsError('a reference to a pool', [
    {
      path: 'pool',
      received: describeValue(pool),
      allowed:
        'the name of a pool, or a factory class that has a name or a static poolName ' +
        '(undefined is often a class of a file that is imported in a circle)',
    },
  ]);
}
