import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { ConnectionPoolModule } from 'nestjs-connection-pool';
import { ConnectionPoolDashboardModule } from 'nestjs-connection-pool/dashboard';
import { ConnectionPoolPrometheusModule } from 'nestjs-connection-pool/prometheus';
import { ConnectionPoolHealthModule } from 'nestjs-connection-pool/terminus';
import { ChaosController } from './chaos.controller.js';
import { HealthController } from './health.controller.js';
import { LiveLines } from './live-lines.js';
import { Load } from './load.js';
import { MetricsController } from './metrics.controller.js';
import { PoolsController } from './pools.controller.js';
import { RetryCounter, RetryCounterModule } from './retry-counter.js';
import { StoreConnectionFactory } from './store-connection.factory.js';
import { StoreProcessModule } from './store-process.js';
import { StoreController } from './store.controller.js';
import { StoreService } from './store.service.js';

@Module({
  imports: [
    RetryCounterModule,
    StoreProcessModule,
    ConnectionPoolModule.forRootAsync({
      imports: [RetryCounterModule],
      inject: [RetryCounter],
      useFactory: (counter: RetryCounter) => ({
        retry: {
          // Lies under every @Retryable. Two hundred requests may fail at once: that is one line of the pool, not 200.
          default: { retryLogLevel: 'debug' as const, onRetry: () => void counter.retries++ },
        },
      }),
    }),
    ConnectionPoolModule.forFeature([
      {
        factory: StoreConnectionFactory,
        imports: [StoreProcessModule],
        size: 20,
        keepalive: '30s',
        reconnect: { maxDelay: '1s' },
      },
    ]),
    // It listens on this machine alone, where whoever can open the page may break the store as well. Elsewhere: guards.
    ConnectionPoolDashboardModule.forRoot({ path: 'pools/live', unguarded: true }),
    ConnectionPoolPrometheusModule.forRoot(),
    TerminusModule,
    ConnectionPoolHealthModule,
  ],
  controllers: [StoreController, PoolsController, MetricsController, HealthController, ChaosController],
  providers: [StoreService, Load, LiveLines],
})
export class AppModule {}
