import { Injectable } from '@nestjs/common';
import { ConnectionPool, InjectPool, Retryable, type PoolOf } from 'nestjs-connection-pool';
import type { Socket } from 'node:net';
import { ask, EchoConnectionFactory } from './echo.connection-factory.js';

@Injectable()
export class AppService {
  constructor(@InjectPool(EchoConnectionFactory) private readonly pool: ConnectionPool<Socket>) {}

  getHello(): string {
    return 'Hello World!';
  }

  @Retryable({ maxRetries: 2, delay: '10ms' })
  async echo(text: string): Promise<string> {
    return this.pool.use((socket) => ask(socket, text));
  }

  connections(): number {
    const pool: PoolOf<typeof EchoConnectionFactory> = this.pool;
    return pool.stats().size;
  }
}
