import { Injectable } from '@nestjs/common';
import { ConnectionPool, InjectPool, Retryable } from 'nestjs-connection-pool';
import type { StoreClient } from './store-client.js';
import { StoreConnectionFactory } from './store-connection.factory.js';

@Injectable()
export class StoreService {
  constructor(@InjectPool(StoreConnectionFactory) private readonly pool: ConnectionPool<StoreClient>) {}

  /** Runs again, each time on another connection, if the connection breaks. */
  @Retryable()
  async get(key: string): Promise<unknown> {
    const reply = await this.pool.use((store) => store.send(`GET ${encodeURIComponent(key)}`));
    return JSON.parse(reply.slice('OK '.length)) as unknown;
  }

  /** Setting a value twice sets it once, so this too may run again. */
  @Retryable()
  async set(key: string, value: unknown): Promise<void> {
    await this.pool.use((store) => store.send(`SET ${encodeURIComponent(key)} ${JSON.stringify(value)}`));
  }
}
