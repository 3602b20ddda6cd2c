import {
  Module,
  type DynamicModule,
  type FactoryProvider,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { metrics, trace, type Attributes, type MeterProvider, type TracerProvider } from '@opentelemetry/api';
import { ConnectionPools } from '../module/connection-pools.js';
import { OwnPools, type ObservedPool } from './observed-pool.js';
import { meterPools } from './pool-meter.js';
import { tracePools } from './pool-tracer.js';

export type { ObservedPool } from './observed-pool.js';

export interface OpenTelemetryOptions {
  /** Default: the one that is registered globally. */
  readonly meterProvider?: MeterProvider;
  /** Default: the one that is registered globally. */
  readonly tracerProvider?: TracerProvider;
  /**
   * What the names of metrics and of their attributes begin with. Default: `db.client.connection`, as the semantic
   * conventions have it; pools of something else than databases may want another.
   */
  readonly prefix?: string;
  /** Attributes besides the name of the pool, such as `server.address`. Default: none. */
  readonly attributes?: (pool: string) => Attributes;
}

/** The name and the meaning of what is told do not change with the version of the library. */
const SCOPE = 'nestjs-connection-pool';

/**
 * Measures and traces these pools, by the semantic conventions for database clients.
 * https://opentelemetry.io/docs/specs/semconv/database/database-metrics/#connection-pools
 *
 * @param pools looked at anew each time, so that pools may come and go
 * @returns stops it
 */
export function instrumentPools(pools: Iterable<ObservedPool>, options: OpenTelemetryOptions = {}): () => void {
  const { meterProvider = metrics.getMeterProvider(), tracerProvider = trace.getTracerProvider() } = options;
  const { prefix = 'db.client.connection', attributes = () => ({}) } = options;
  const attributesOf = (pool: string): Attributes => ({ [`${prefix}.pool.name`]: pool, ...attributes(pool) });
  const ours = new OwnPools(pools);
  const stops = [
    meterPools(meterProvider.getMeter(SCOPE), pools, { prefix, attributesOf, ours }),
    tracePools(tracerProvider.getTracer(SCOPE), { attributesOf, ours }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/**
 * Measures and traces the pools of an application.
 *
 * @example
 * @Module({ imports: [ConnectionPoolModule.forRoot(), ConnectionPoolOpenTelemetryModule.forRoot()] })
 */
@Module({})
export class ConnectionPoolOpenTelemetryModule {
  static forRoot(options: OpenTelemetryOptions = {}): DynamicModule {
    const instrumentation: FactoryProvider<Instrumentation> = {
      provide: Instrumentation,
      inject: [ConnectionPools],
      useFactory: (pools: ConnectionPools) => new Instrumentation(pools, options),
    };
    return { module: ConnectionPoolOpenTelemetryModule, providers: [instrumentation] };
  }
}

/** From the application's start to its end. */
class Instrumentation implements OnModuleInit, OnApplicationShutdown {
  private stop: (() => void) | undefined;

  constructor(
    private readonly pools: ConnectionPools,
    private readonly options: OpenTelemetryOptions,
  ) {}

  onModuleInit(): void {
    this.stop = instrumentPools(this.pools, this.options);
  }

  onApplicationShutdown(): void {
    this.stop?.();
  }
}
