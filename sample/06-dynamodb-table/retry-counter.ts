import { Module } from '@nestjs/common';
import type { RetryEvent } from 'nestjs-connection-pool';

/** What was retried, and how often, by the name of the error. */
export class RetryCounter {
  readonly retries: Record<string, number> = {};

  count({ error }: RetryEvent): void {
    const { name } = error as Error;
    this.retries[name] = (this.retries[name] ?? 0) + 1;
  }
}

@Module({ providers: [RetryCounter], exports: [RetryCounter] })
export class RetryCounterModule {}
