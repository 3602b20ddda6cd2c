import { Injectable } from '@nestjs/common';
import { InjectPool, Retryable, type PoolOf } from '../../../src/index.js';
import { MailConnectionFactory } from './mail-connection.factory.js';

@Injectable()
export class MailService {
  constructor(@InjectPool(MailConnectionFactory) private readonly pool: PoolOf<typeof MailConnectionFactory>) {}

  @Retryable()
  unseen(): Promise<number[]> {
    return this.pool.use((client) => client.search({ seen: false }));
  }
}
