import { Inject } from '@nestjs/common';
import type { ConnectionFactoryClass, ConnectionOf } from '../pool/connection-factory.js';
import type { ConnectionPool } from '../pool/connection-pool.js';
import { getPoolToken } from './tokens.js';

/** The pool of a factory class: `PoolOf<typeof MailConnectionFactory>`. */
export type PoolOf<F> = ConnectionPool<ConnectionOf<F>>;

/**
 * Injects the pool of a factory class, or the pool of a name.
 *
 * @example
 * constructor(@InjectPool(MailConnectionFactory) private readonly pool: PoolOf<typeof MailConnectionFactory>) {}
 *
 * @throws PoolSettingsError if it is neither a name nor a factory class that has one
 */
export function InjectPool(pool: ConnectionFactoryClass | string): PropertyDecorator & ParameterDecorator {
  return Inject(getPoolToken(pool));
}
