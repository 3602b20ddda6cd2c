import type { FactoryProvider, ModuleMetadata, Type } from '@nestjs/common';
import type { ConnectionFactoryClass } from '../pool/connection-factory.js';
import type { PoolLogger, PoolSettings } from '../pool/settings.js';
import type { RetryOptions } from '../retry/retry-options.js';

/** The settings of a pool whose name stands elsewhere. */
export type UnnamedPoolSettings = Omit<PoolSettings, 'name'>;

/** What `ConnectionPoolModule.forRoot` takes. */
export interface ConnectionPoolModuleOptions {
  /** Settings of every pool, where `forFeature` and `pools` say nothing else. */
  readonly defaults?: UnnamedPoolSettings;
  /**
   * Settings of single pools by name, over what `forFeature` says: an operator tunes any pool from configuration. A
   * name that no pool has is warned about at start.
   */
  readonly pools?: Readonly<Record<string, UnnamedPoolSettings | undefined>>;
  /** Retry options by the name that `@Retryable('name')` gives; those of `default` lie under every `@Retryable`. */
  readonly retry?: Readonly<Record<string, RetryOptions | undefined>>;
  /** Where pools and retries write. Default: Nest's `Logger`. */
  readonly logger?: PoolLogger;
}

/** Makes the options, for `useClass` and `useExisting`. */
export interface ConnectionPoolOptionsFactory {
  createConnectionPoolOptions():
    Promise<ConnectionPoolModuleOptions | undefined> | ConnectionPoolModuleOptions | undefined;
}

/**
 * What `ConnectionPoolModule.forRootAsync` takes: one of `useFactory`, `useClass` and `useExisting`, or what
 * `registerAs(…).asProvider()` of `@nestjs/config` gives. Each setting may be text as an environment gives it.
 */
export interface ConnectionPoolModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  /** What `useFactory` is called with. */
  readonly inject?: FactoryProvider['inject'];
  // The arguments are what `inject` names, which only `any` lets the user type.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly useFactory?: (...dependencies: any[]) => unknown;
  /** A class that is provided for this and makes the options. */
  readonly useClass?: Type<ConnectionPoolOptionsFactory>;
  /** A provider that makes the options. */
  readonly useExisting?: Type<ConnectionPoolOptionsFactory> | string | symbol;
}

/** A pool with its settings, for `ConnectionPoolModule.forFeature`. */
export interface PoolFeature extends PoolSettings {
  /** The class of the factory: it becomes a provider and may inject what is global and what `imports` export. */
  readonly factory: ConnectionFactoryClass;
  /** The modules of what the factory injects. */
  readonly imports?: ModuleMetadata['imports'];
}

/** A pool whose settings are made at start, for `ConnectionPoolModule.forFeatureAsync`. */
export interface AsyncPoolFeature extends Pick<ModuleMetadata, 'imports'> {
  /** The class of the factory: it becomes a provider and may inject what is global and what `imports` export. */
  readonly factory: ConnectionFactoryClass;
  /** The pool's name. Default: the factory's. */
  readonly name?: string;
  /** What `useFactory` is called with. */
  readonly inject?: FactoryProvider['inject'];
  /** Makes the settings; each may be text as an environment gives it. Names are static, so `name` is none of them. */
  // The arguments are what `inject` names, which only `any` lets the user type.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly useFactory: (...dependencies: any[]) => unknown;
}
