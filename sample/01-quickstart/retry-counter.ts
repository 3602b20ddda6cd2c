import { Module } from '@nestjs/common';

/** How often a method has been run again. */
export class RetryCounter {
  retries = 0;
}

@Module({ providers: [{ provide: RetryCounter, useValue: new RetryCounter() }], exports: [RetryCounter] })
export class RetryCounterModule {}
