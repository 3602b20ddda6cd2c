import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import {
  Module,
  type DynamicModule,
  type FactoryProvider,
  type ModuleMetadata,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { register, type Registry } from 'prom-client';
import { ConnectionPools } from '../module/connection-pools.js';
import type { AcquireEvent, ConnectEvent } from '../pool/channels.js';
import { OwnPools, type ObservedPool } from './observed-pool.js';
import { PoolMetrics } from './pool-metrics.js';
import { observeTimes } from './pool-times.js';

export type { ObservedPool } from './observed-pool.js';

export interface PrometheusOptions {
  /** Where the metrics are registered. Default: prom-client's own registry, which is one for the whole process. */
  readonly registry?: Registry;
  /** What the names begin with. Default: `connection_pool_`. */
  readonly prefix?: string;
  /** Upper bounds of the histograms' buckets, in seconds. Default: from 0.001 to 30. */
  readonly buckets?: readonly number[];
}

export interface PrometheusAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  readonly inject?: FactoryProvider['inject'];
  // What it is called with is what it injects, which only `any` says.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly useFactory: (...dependencies: any[]) => PrometheusOptions | Promise<PrometheusOptions>;
}

/** The registry in which the application's pools are counted. Override it in a test to give another. */
export const CONNECTION_POOL_REGISTRY = Symbol('CONNECTION_POOL_REGISTRY');

const OPTIONS = Symbol('CONNECTION_POOL_PROMETHEUS_OPTIONS');

const BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/**
 * Registers metrics of these pools. What pools count anyway is looked up when somebody scrapes; what takes time is noted when it
 * is over, which costs each lease a little.
 *
 * @param pools looked at anew each time, so that pools may come and go
 * @returns unregisters them
 * @throws Error if the registry has a metric of one of the names
 */
export function collectPools(pools: Iterable<ObservedPool>, options: PrometheusOptions = {}): () => void {
  const { registry = register, prefix = 'connection_pool_', buckets = BUCKETS } = options;
  const metrics = new PoolMetrics(pools, registry, prefix, buckets);
  const ours = new OwnPools(pools);
  const stopTimes = observeTimes({
    connected: (event, seconds) => {
      if (ours.has(event)) metrics.connect.observe(labelsOf(event), seconds);
    },
    waited: (event, seconds) => {
      if (ours.has(event)) metrics.wait.observe(labelsOf(event), seconds);
    },
    used: (event, seconds) => {
      if (ours.has(event)) metrics.use.observe({ pool: event.pool }, seconds);
    },
  });
  const onRetry = (event: unknown): void => metrics.retries.inc({ method: methodOf(event) });
  const onGiveUp = (event: unknown): void => metrics.giveUps.inc({ method: methodOf(event) });
  subscribe('nestjs-connection-pool:retry', onRetry);
  subscribe('nestjs-connection-pool:give-up', onGiveUp);
  return () => {
    stopTimes();
    unsubscribe('nestjs-connection-pool:retry', onRetry);
    unsubscribe('nestjs-connection-pool:give-up', onGiveUp);
    metrics.unregister();
  };
}

function methodOf(event: unknown): string {
  return (event as { readonly method: string }).method;
}

function labelsOf({ pool, error }: AcquireEvent | ConnectEvent): { pool: string; outcome: 'ok' | 'error' } {
  return { pool, outcome: error === undefined ? 'ok' : 'error' };
}

/**
 * Counts the pools of an application, for Prometheus.
 *
 * @example
 * @Module({ imports: [ConnectionPoolModule.forRoot(), ConnectionPoolPrometheusModule.forRoot()] })
 */
@Module({})
export class ConnectionPoolPrometheusModule {
  static forRoot(options: PrometheusOptions = {}): DynamicModule {
    return moduleOf({ provide: OPTIONS, useFactory: () => options });
  }

  /** With options that depend on something, such as a registry that another module provides. */
  static forRootAsync({ imports, inject = [], useFactory }: PrometheusAsyncOptions): DynamicModule {
    return moduleOf({ provide: OPTIONS, inject, useFactory }, imports);
  }
}

function moduleOf(options: FactoryProvider<PrometheusOptions>, imports: ModuleMetadata['imports'] = []): DynamicModule {
  const registry: FactoryProvider<Registry> = {
    provide: CONNECTION_POOL_REGISTRY,
    inject: [OPTIONS],
    useFactory: (given: PrometheusOptions) => given.registry ?? register,
  };
  const collector: FactoryProvider<Collector> = {
    provide: Collector,
    inject: [ConnectionPools, OPTIONS, CONNECTION_POOL_REGISTRY],
    useFactory: (pools: ConnectionPools, given: PrometheusOptions, into: Registry) =>
      new Collector(pools, { ...given, registry: into }),
  };
  return {
    module: ConnectionPoolPrometheusModule,
    imports,
    providers: [options, registry, collector],
    exports: [CONNECTION_POOL_REGISTRY],
  };
}

/** Collects from the application's start to its end. */
class Collector implements OnModuleInit, OnApplicationShutdown {
  private stop: (() => void) | undefined;

  constructor(
    private readonly pools: ConnectionPools,
    private readonly options: PrometheusOptions,
  ) {}

  onModuleInit(): void {
    this.stop = collectPools(this.pools, this.options);
  }

  onApplicationShutdown(): void {
    this.stop?.();
  }
}
