import { Scope, type Provider, type Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import type { PoolDefinition } from './pool-definition.js';
import { OPTIONS_FORM } from './root-options.js';
import { CONNECTION_POOL_OPTIONS, getPoolToken } from './tokens.js';

/** A module as Nest's container holds it, and a provider of one. */
export type NestModule = ModulesContainer extends Map<string, infer M> ? M : never;
export type NestProvider = NestModule['providers'] extends Map<unknown, infer P> ? P : never;

/** Marks the modules that `forFeature` returns. */
export const FEATURE_LIST = Symbol('CONNECTION_POOL_FEATURES');

/** A definition, and the module that was made for it. */
export interface Feature {
  readonly definition: PoolDefinition;
  readonly module: NestModule;
}

/**
 * What Nest's container knows of an application: which pools are registered and by whom, what depends on what. It is
 * complete before the first provider is made, and grows only by lazily loaded modules.
 */
export class ModuleGraph {
  constructor(private readonly modules: ModulesContainer) {}

  /** Every definition of a pool; one that several modules registered is there several times. */
  features(): Feature[] {
    return [...this.modules.values()].flatMap((module) => {
      const { definition } = module.metatype as { definition?: PoolDefinition };
      return definition === undefined ? [] : [{ definition, module }];
    });
  }

  /** The names of all pools, each once, in the order of registration. */
  poolNames(): string[] {
    return [...new Set(this.features().map(({ definition }) => definition.name))];
  }

  /** What is injected as the pool of this name: a pool, or what a test put in its place. */
  injectedPool(name: string): unknown {
    const providers = this.poolProviders(name);
    return providers.find(({ instance }) => instance !== undefined && instance !== null)?.instance;
  }

  /** The providers of the pool of this name: one in each module that registered it. */
  poolProviders(name: string): NestProvider[] {
    const token = getPoolToken(name);
    return this.features().flatMap(({ definition, module }) => {
      const provider = definition.name === name ? module.providers.get(token) : undefined;
      return provider === undefined ? [] : [provider];
    });
  }

  /** The provider of the options, if there is a `forRoot`. */
  optionsProvider(): NestProvider | undefined {
    return this.rootModules()[0]?.providers.get(CONNECTION_POOL_OPTIONS);
  }

  /** The modules that `forRoot` returned. There should be one at most. */
  rootModules(): NestModule[] {
    return [...this.modules.values()].filter(({ providers }) => providers.has(OPTIONS_FORM));
  }

  /** Every provider and controller of the application. */
  *injectables(): Generator<NestProvider> {
    for (const { providers, controllers, injectables } of this.modules.values()) {
      yield* providers.values();
      yield* controllers.values() as IterableIterator<NestProvider>;
      yield* injectables.values() as IterableIterator<NestProvider>;
    }
  }

  /** The names of those who import a module, for messages: the user's own modules, not what `forFeature` returns. */
  importersOf(module: NestModule): string[] {
    const importers = [...this.modules.values()].filter(({ imports }) => imports.has(module));
    return importers.flatMap((importer) =>
      importer.providers.has(FEATURE_LIST) ? this.importersOf(importer) : [importer.metatype.name],
    );
  }

  /** The names of those who import a `forRoot`, as far as they say so in `@Module`. It is global, so all seem to. */
  importersOfRoot(): string[] {
    const importers = [...this.modules.values()].filter(({ metatype }) => {
      const imports = (Reflect.getMetadata('imports', metatype) ?? []) as Array<{ providers?: Provider[] } | undefined>;
      return imports.some((each) => each?.providers?.some((provider) => isFor(OPTIONS_FORM, provider)));
    });
    return importers.map(({ metatype }) => metatype.name);
  }

  /** The module of this class. */
  moduleOf(type: Type): NestModule {
    return [...this.modules.values()].find(({ metatype }) => metatype === type)!;
  }
}

function isFor(token: unknown, provider: Provider): boolean {
  return 'provide' in provider && provider.provide === token;
}

/** Everything that a provider needs, directly or not. */
export function dependenciesOf(provider: NestProvider): Set<NestProvider> {
  const found = new Set<NestProvider>();
  const pending = [provider];
  for (let each = pending.pop(); each !== undefined; each = pending.pop()) {
    for (const dependency of directDependenciesOf(each)) {
      if (found.has(dependency)) continue;
      found.add(dependency);
      pending.push(dependency);
    }
  }
  return found;
}

/** How a provider comes to depend on something of request scope, by the names on the way there. */
export function pathToRequestScope(provider: NestProvider, seen = new Set<NestProvider>()): string[] | undefined {
  if (provider.scope === Scope.REQUEST) return [nameOf(provider)];
  seen.add(provider);
  for (const dependency of directDependenciesOf(provider)) {
    const path = seen.has(dependency) ? undefined : pathToRequestScope(dependency, seen);
    if (path !== undefined) return [nameOf(provider), ...path];
  }
  return undefined;
}

function directDependenciesOf(provider: NestProvider): NestProvider[] {
  // Neither list is there before Nest has looked for the provider's dependencies; one that was not found leaves a hole.
  const properties = (provider.getPropertiesMetadata() ?? []).map(({ wrapper }) => wrapper);
  return [...(provider.getCtorMetadata() ?? []), ...properties].filter((each) => each !== undefined);
}

function nameOf({ token }: NestProvider): string {
  return typeof token === 'function' ? token.name : String(token);
}
