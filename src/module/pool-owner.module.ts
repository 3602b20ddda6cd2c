import { Inject, Module, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import type { OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { ModuleRef, type ModulesContainer, type NestContainer } from '@nestjs/core';
import { PoolSettingsError } from '../pool/errors.js';
import type { Fault } from '../pool/rules.js';
import type { PoolLogger } from '../pool/settings.js';
import { presetUsesOf } from '../retry/retry-definition.js';
import { adopt } from '../retry/retry-instances.js';
import { RetryRuntime } from '../retry/retry-runtime.js';
import { ModuleGraph, pathToRequestScope, type NestModule } from './module-graph.js';
import { lazy, PoolRegistry } from './pool-registry.js';
import { SettingsLayers } from './settings-layers.js';
import { awaitStartup } from './startup.js';
import { CONNECTION_POOL_LOGGER } from './tokens.js';

/**
 * Holds the pools and the retries of an application, starts and closes them. Its hooks are those of a module, which Nest
 * calls after those of the module's providers, and its module is made the first to start and the last to stop.
 *
 * It is given nothing that depends on the options: they may turn out to be of request scope, and then Nest would silently
 * call none of its hooks. And what must not be made twice is made here and not by a provider: before 11.2, Nest makes the
 * providers of a module again, though not the module, when something that is loaded lazily imports it.
 */
@Module({
  providers: [
    { provide: PoolRegistry, inject: [PoolOwnerModule], useFactory: ({ registry }: PoolOwnerModule) => registry },
    { provide: RetryRuntime, inject: [PoolOwnerModule], useFactory: ({ retries }: PoolOwnerModule) => retries },
  ],
  exports: [PoolRegistry, RetryRuntime],
})
export class PoolOwnerModule
  implements OnModuleInit, OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown
{
  readonly registry: PoolRegistry;
  readonly retries = new RetryRuntime();

  constructor(@Inject(ModuleRef) private readonly moduleRef: ModuleRef) {
    const graph = new ModuleGraph(modulesOf(moduleRef));
    haveLastWord(graph.moduleOf(PoolOwnerModule));
    this.registry = new PoolRegistry(graph);
  }

  async onModuleInit(): Promise<void> {
    await this.orClose(() => {
      assertSingletons(this.registry.graph);
      this.serveRetries();
      this.registry.start();
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    this.warnOfUnknownNames();
    await this.orClose(() => awaitStartup(this.registry.pools));
  }

  /** Before the HTTP server waits for its requests to finish, so that none of them sits in a pause meanwhile. */
  beforeApplicationShutdown(): void {
    this.retries.shutdown();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.registry.close();
  }

  /** A start that fails here leaves no connection behind: Nest calls no shutdown hooks after it. */
  private async orClose(work: () => void | Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      await this.registry.close();
      throw error;
    }
  }

  private serveRetries(): void {
    const decorated: unknown[] = [];
    for (const { isAlias, inject, metatype, instance } of this.registry.graph.injectables()) {
      if (isAlias) continue;
      const isFactory = inject !== undefined && inject !== null;
      // What a factory made got nothing injected. What is a value is the user's own affair.
      if (isFactory) adopt(instance, this.retries);
      decorated.push(isFactory ? instance : metatype);
    }
    this.retries.checkPresets(decorated.flatMap((each) => presetUsesOf(each)));
  }

  private warnOfUnknownNames(): void {
    const names = this.registry.graph.poolNames();
    const known = names.length > 0 ? names.map((name) => `"${name}"`).join(', ') : 'none';
    for (const name of this.moduleRef.get(SettingsLayers, { strict: false }).unknownNames(names)) {
      const text = `The options have settings for a pool "${name}", but no module registered one; there are: ${known}`;
      this.moduleRef.get<PoolLogger>(CONNECTION_POOL_LOGGER, { strict: false }).warn(text, 'ConnectionPool');
    }
  }
}

/**
 * Not the injected ModulesContainer: it is a Map, and a Proxy around a Map, as `instrument.instanceDecorator` may make one,
 * has no method that works. Nest puts none around a ModuleRef.
 */
function modulesOf(moduleRef: ModuleRef): ModulesContainer {
  const { container } = moduleRef as unknown as { readonly container: NestContainer };
  return container.getModules();
}

/**
 * Makes a module the first that Nest starts and the last that it stops, before and after all global ones, whatever the
 * order of the imports: Nest calls hooks by a module's distance from the root, from far to near on start and from near to
 * far on shutdown, and gives global modules the greatest finite number.
 * @throws PoolSettingsError if the module came by lazy loading, for which Nest calls no hooks
 */
function haveLastWord(module: NestModule): void {
  // Nest measures the distance of what the application is started with before it makes the first provider.
  if (module.distance === 0) throw lazy('ConnectionPoolModule', 'an application that was started without');
  module.distance = Infinity;
}

/** Nest makes a provider that depends on something of request scope once a request, and never for the application. */
function assertSingletons(graph: ModuleGraph): void {
  const faults: Fault[] = [];
  const options = graph.optionsProvider();
  const path = options && pathToRequestScope(options);
  if (path !== undefined) faults.push(fault('options', path));
  for (const name of path === undefined ? graph.poolNames() : []) {
    for (const provider of graph.poolProviders(name)) {
      const path = pathToRequestScope(provider);
      if (path !== undefined) faults.push(fault(`pools.${name}`, path.slice(1)));
    }
  }
  if (faults.length > 0) throw new PoolSettingsError('ConnectionPoolModule', faults);
}

function fault(path: string, way: readonly string[]): Fault {
  return {
    path,
    received: `a dependency on ${way.at(-1)!}, which is of request scope (${way.join(' -> ')})`,
    allowed: 'singletons: pools, their factories and the options live as long as the application',
  };
}
