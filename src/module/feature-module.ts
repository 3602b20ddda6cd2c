import { randomUUID } from 'node:crypto';
import { Module, type DynamicModule, type FactoryProvider, type Type } from '@nestjs/common';
import type { Clock } from '../pool/clock.js';
import type { ConnectionFactory } from '../pool/connection-factory.js';
import type { PoolLogger } from '../pool/settings.js';
import { FEATURE_LIST } from './module-graph.js';
import type { PoolDefinition } from './pool-definition.js';
import { PoolRegistry } from './pool-registry.js';
import { PoolRootModule } from './pool-root.module.js';
import { SettingsLayers } from './settings-layers.js';
import { CONNECTION_POOL_CLOCK, CONNECTION_POOL_LOGGER, getPoolToken } from './tokens.js';

/** A module that registers pools: one module a pool within, so that each factory sees what its own definition imports. */
export function featureListModule(facade: Type, definitions: readonly PoolDefinition[]): DynamicModule {
  const features = definitions.map((definition) => featureModule(definition));
  return {
    module: facade,
    imports: [PoolRootModule, ...features],
    // The value sets one list apart from another where Nest knows dynamic modules by the text of their metadata.
    providers: [{ provide: FEATURE_LIST, useValue: randomUUID() }],
    exports: [...features],
  };
}

function featureModule(definition: PoolDefinition): DynamicModule {
  const { name, factory, imports, settingsFactory } = definition;
  const settings: FactoryProvider<unknown> = {
    provide: `Settings of ConnectionPool(${name})`,
    inject: [PoolRegistry, ...(settingsFactory?.inject ?? [])],
    useFactory: (registry: PoolRegistry, ...dependencies: never[]) =>
      registry.orClose(() => settingsFactory?.useFactory(...dependencies)),
  };
  const pool: FactoryProvider<unknown> = {
    provide: getPoolToken(name),
    inject: [PoolRegistry, factory, settings.provide, SettingsLayers, CONNECTION_POOL_LOGGER, CONNECTION_POOL_CLOCK],
    useFactory: (
      registry: PoolRegistry,
      factory: ConnectionFactory<unknown>,
      made: unknown,
      layers: SettingsLayers,
      logger: PoolLogger,
      clock: Clock,
    ) => registry.pool(definition, { factory, made, layers, logger, clock }),
  };
  return {
    module: moduleClass(definition),
    imports: [PoolRootModule, ...imports],
    providers: [factory as Type, settings, pool],
    exports: [pool.provide],
  };
}

/**
 * A class for each definition, which tells the graph of it. Its name stands in the message with which Nest reports that a
 * factory's dependency cannot be found, and nothing else of ours does: so it is there that the remedy stands.
 */
function moduleClass(definition: PoolDefinition): Type {
  class FeatureModule {
    static readonly definition = definition;
  }
  const name = `ConnectionPoolModule(${definition.name}; to inject more, move it to a module that both import)`;
  Object.defineProperty(FeatureModule, 'name', { value: name });
  Module({})(FeatureModule);
  return FeatureModule;
}
