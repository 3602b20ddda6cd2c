import { setTimeout } from 'node:timers/promises';
import { Inject, Injectable, type BeforeApplicationShutdown } from '@nestjs/common';
import { StoreService } from './store.service.js';

export const CALLERS = 200;

/** How long a caller thinks before it asks again, at most. */
const PAUSE = 20;

/** Callers who get values all the time, as many as would keep a service busy. */
@Injectable()
export class Load implements BeforeApplicationShutdown {
  private end = 0;
  private callers = 0;

  constructor(@Inject(StoreService) private readonly store: StoreService) {}

  /** For so many milliseconds from now. */
  start(duration: number): void {
    this.end = Date.now() + duration;
    while (this.callers < CALLERS) void this.call(`load-${this.callers++}`);
  }

  beforeApplicationShutdown(): void {
    this.end = 0;
  }

  private async call(key: string): Promise<void> {
    while (Date.now() < this.end) {
      // Whoever fails asks again; the pool tells why.
      await this.store.get(key).catch(() => undefined);
      await setTimeout(Math.random() * PAUSE);
    }
    this.callers--;
  }
}
