import { Module, type DynamicModule } from '@nestjs/common';
import { ConnectionPools } from '../module/connection-pools.js';
import { CONNECTION_POOL_CLOCK } from '../module/tokens.js';
import type { Clock } from '../pool/clock.js';
import { dashboardController } from './dashboard.controller.js';
import { readOptions, type ConnectionPoolDashboardOptions } from './dashboard-options.js';
import { LiveStream } from './live-stream.js';
import { Sampler } from './sampler.js';

export type { ConnectionPoolDashboardOptions } from './dashboard-options.js';

/**
 * A live page of every pool of the application: its connections, what they do and how long callers wait. It only looks. While
 * nobody looks at it, it does nothing at all; it forgets some seconds after the last page was closed.
 *
 * @example
 * ConnectionPoolDashboardModule.forRoot({ path: 'pools/live', imports: [AuthModule], guards: [OperatorsOnly] })
 */
@Module({})
export class ConnectionPoolDashboardModule {
  /** @throws PoolSettingsError which lists every fault of the options; to have neither guards nor `unguarded` is one */
  static forRoot(options: ConnectionPoolDashboardOptions = {}): DynamicModule {
    const { path, guards, imports, interval, streamLifetime } = readOptions(options);
    return {
      module: ConnectionPoolDashboardModule,
      imports,
      controllers: [dashboardController(path, guards)],
      providers: [
        {
          provide: LiveStream,
          inject: [ConnectionPools, CONNECTION_POOL_CLOCK],
          useFactory: (pools: ConnectionPools, clock: Clock) =>
            new LiveStream(new Sampler(pools, clock, interval), clock, streamLifetime),
        },
      ],
    };
  }
}
