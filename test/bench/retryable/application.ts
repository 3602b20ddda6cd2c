import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConnectionPoolModule } from '../../../src/index.js';
import { RetryableService } from './retryable-service.js';

@Module({ imports: [ConnectionPoolModule.forRoot({})], providers: [RetryableService] })
class BenchModule {}

/** As Nest makes it, with logger, clock and presets of the application. */
export async function serviceInApplication(): Promise<RetryableService> {
  const app = await NestFactory.createApplicationContext(BenchModule, { logger: false, abortOnError: false });
  return app.get(RetryableService);
}
