import { Inject, Injectable } from '@nestjs/common';
import type { ConnectionFactoryClass } from '../pool/connection-factory.js';
import type { ConnectionPool } from '../pool/connection-pool.js';
import { PoolSettingsError } from '../pool/errors.js';
import { PoolRegistry } from './pool-registry.js';
import { nameOfPool } from './tokens.js';

/**
 * Every pool of the application, by name and in the order of registration: for metrics, health checks and dashboards.
 * Where a test put something in the place of a pool, that is what it gives.
 */
@Injectable()
export class ConnectionPools implements Iterable<ConnectionPool<unknown>> {
  constructor(@Inject(PoolRegistry) private readonly registry: PoolRegistry) {}

  /**
   * The pool of a factory class, or of a name.
   * @throws PoolSettingsError if there is none, with the names that there are
   */
  get<C>(pool: ConnectionFactoryClass<C> | string): ConnectionPool<C> {
    const name = nameOfPool(pool);
    const found = this.find(name);
    if (found !== undefined) return found as ConnectionPool<C>;
    const names = this.registry.graph.poolNames();
    const allowed =
      names.length > 0 ? `one of ${names.map((each) => `"${each}"`).join(', ')}` : 'none, there are no pools';
    throw new PoolSettingsError('ConnectionPools.get()', [{ path: 'pool', received: `"${name}"`, allowed }]);
  }

  *[Symbol.iterator](): Iterator<ConnectionPool<unknown>> {
    for (const name of this.registry.graph.poolNames()) {
      const found = this.find(name);
      if (found !== undefined) yield found;
    }
  }

  /** What is injected under this name; while the application is still being built, the pool that will be. */
  private find(name: string): ConnectionPool<unknown> | undefined {
    const { graph, pools } = this.registry;
    const injected = graph.injectedPool(name) as ConnectionPool<unknown> | undefined;
    return injected ?? pools.find(({ definition }) => definition.name === name)?.pool;
  }
}
