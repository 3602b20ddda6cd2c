import { randomUUID } from 'node:crypto';
import { Module, type DynamicModule, type ModuleMetadata } from '@nestjs/common';
import type { ConnectionFactoryClass } from '../pool/connection-factory.js';
import { readAsyncOptions } from './async-options.js';
import { featureListModule } from './feature-module.js';
import type { AsyncPoolFeature, ConnectionPoolModuleAsyncOptions } from './module-options.js';
import type { ConnectionPoolModuleOptions, PoolFeature } from './module-options.js';
import { readAsyncFeatures, readFeatures } from './pool-definition.js';
import { PoolRegistry } from './pool-registry.js';
import { PoolRootModule } from './pool-root.module.js';
import { OPTIONS_FORM } from './root-options.js';
import { CONNECTION_POOL_OPTIONS } from './tokens.js';

/**
 * Connection pools in a Nest application: `forRoot` once for the options of all, `forFeature` in each module that needs
 * pools. A pool works as soon as it is injected, fills itself at start and is closed after everything else.
 *
 * Wrong or unknown options stop the start with a PoolSettingsError that lists every fault.
 */
@Module({ imports: [PoolRootModule] })
export class ConnectionPoolModule {
  /**
   * The options of all pools and retries. At most once in an application, in any module; it is always global. Without it,
   * the defaults hold.
   */
  static forRoot(options: ConnectionPoolModuleOptions = {}): DynamicModule {
    return rootModule(
      { imports: [], providers: [{ provide: CONNECTION_POOL_OPTIONS, useFactory: () => options }] },
      false,
    );
  }

  /**
   * As {@link forRoot}, with options that are made at start. Every setting may be text as an environment gives it, and
   * what is undefined is not given.
   *
   * @throws PoolSettingsError if there is not exactly one of useFactory, useClass and useExisting
   */
  static forRootAsync(options: ConnectionPoolModuleAsyncOptions): DynamicModule {
    return rootModule(readAsyncOptions(options), true);
  }

  /**
   * Registers pools, each by its factory's class, or by a definition with settings. What imports the result can inject
   * them. The same registered in several modules is one pool.
   *
   * A factory may inject what is global and what the `imports` of its definition export, not what the importing module
   * provides: move that to a module that both import.
   *
   * @throws PoolSettingsError if it is no list of factory classes and definitions with names
   */
  static forFeature(pools: ReadonlyArray<ConnectionFactoryClass | PoolFeature>): DynamicModule {
    return featureListModule(ConnectionPoolModule, readFeatures(pools));
  }

  /**
   * As {@link forFeature}, with settings that are made at start and may be text as an environment gives it.
   * @throws PoolSettingsError if it is no list of definitions with names and `useFactory`
   */
  static forFeatureAsync(pools: readonly AsyncPoolFeature[]): DynamicModule {
    return featureListModule(ConnectionPoolModule, readAsyncFeatures(pools));
  }
}

function rootModule(
  options: Required<Pick<ModuleMetadata, 'imports' | 'providers'>>,
  fromText: boolean,
): DynamicModule {
  // Made in a lazily loaded module too, where nothing else would look at these options.
  const admission = {
    provide: Symbol('admission of forRoot'),
    inject: [PoolRegistry],
    useFactory: (registry: PoolRegistry) => registry.admitRoot(),
  };
  const form = { provide: OPTIONS_FORM, useValue: { fromText, id: randomUUID() } };
  return {
    module: ConnectionPoolModule,
    global: true,
    imports: [PoolRootModule, ...options.imports],
    providers: [...options.providers, form, admission],
    exports: [CONNECTION_POOL_OPTIONS, OPTIONS_FORM],
  };
}
