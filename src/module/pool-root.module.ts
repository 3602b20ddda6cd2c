import { Global, Logger, Module, type FactoryProvider } from '@nestjs/common';
import { systemClock, type Clock } from '../pool/clock.js';
import type { PoolLogger } from '../pool/settings.js';
import { RetryRuntime } from '../retry/retry-runtime.js';
import { ConnectionPools } from './connection-pools.js';
import { PoolOwnerModule } from './pool-owner.module.js';
import { PoolRegistry } from './pool-registry.js';
import { loggerOf, OPTIONS_FORM, type OptionsForm } from './root-options.js';
import { layersOf, SettingsLayers } from './settings-layers.js';
import { CONNECTION_POOL_CLOCK, CONNECTION_POOL_LOGGER, CONNECTION_POOL_OPTIONS } from './tokens.js';

// Optional as there may be no forRoot. An error in making them is not swallowed by that: see layersOf.
const OPTIONS = { token: CONNECTION_POOL_OPTIONS, optional: true };

// Without a context: pools and retries give each line theirs.
const logger: FactoryProvider<PoolLogger> = {
  provide: CONNECTION_POOL_LOGGER,
  inject: [OPTIONS],
  useFactory: (options: unknown) => loggerOf(options) ?? new Logger(),
};

/** Made at start even where there is no pool, so that wrong options are found, and retries get theirs. */
const layers: FactoryProvider<SettingsLayers> = {
  provide: SettingsLayers,
  inject: [
    OPTIONS,
    { token: OPTIONS_FORM, optional: true },
    PoolRegistry,
    RetryRuntime,
    CONNECTION_POOL_LOGGER,
    CONNECTION_POOL_CLOCK,
  ],
  useFactory: (
    options: unknown,
    form: OptionsForm | undefined,
    registry: PoolRegistry,
    retries: RetryRuntime,
    logger: PoolLogger,
    clock: Clock,
  ) => {
    registry.assertOneRoot();
    const layers = layersOf(options, form, registry.graph);
    retries.configure({ logger, clock, presets: layers.root.retry });
    return layers;
  },
};

/**
 * What there is once in an application, however many modules register pools: their owner, the layers of settings, logger
 * and clock. Nest knows it by its class, so that it may be imported by all of them.
 */
@Global()
@Module({
  imports: [PoolOwnerModule],
  providers: [layers, logger, ConnectionPools, { provide: CONNECTION_POOL_CLOCK, useValue: systemClock }],
  exports: [PoolOwnerModule, SettingsLayers, CONNECTION_POOL_LOGGER, ConnectionPools, CONNECTION_POOL_CLOCK],
})
export class PoolRootModule {}
