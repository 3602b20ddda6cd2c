import { Module } from '@nestjs/common';
import { ConnectionPoolModule, type RetryEvent } from 'nestjs-connection-pool';
import { Dynamo } from './dynamo.js';
import { RetryCounter, RetryCounterModule } from './retry-counter.js';
import { SeatsController } from './seats.controller.js';
import { SeatsService } from './seats.service.js';
import { SeatsTable } from './seats.table.js';

@Module({ providers: [{ provide: Dynamo, useFactory: () => Dynamo.launch() }], exports: [Dynamo] })
export class DynamoModule {}

@Module({
  imports: [
    DynamoModule,
    RetryCounterModule,
    ConnectionPoolModule.forRootAsync({
      imports: [RetryCounterModule],
      inject: [RetryCounter],
      useFactory: (counter: RetryCounter) => ({
        retry: { default: { retryLogLevel: 'debug' as const, onRetry: (event: RetryEvent) => counter.count(event) } },
      }),
    }),
    ConnectionPoolModule.forFeature([
      // Node's server, which dynalite is made of, ends connections that are idle for 5 s.
      { factory: SeatsTable, imports: [DynamoModule], size: 5, keepalive: '2s', waitFor: 'all' },
    ]),
  ],
  controllers: [SeatsController],
  providers: [SeatsService],
})
export class AppModule {}
