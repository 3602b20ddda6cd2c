import { Controller, Get, Inject, Injectable, ServiceUnavailableException } from '@nestjs/common';
import {
  AcquireTimeoutError,
  ConnectionPool,
  InjectPool,
  Retryable,
  retryContext,
  type PoolOf,
} from 'nestjs-connection-pool';
import { ask, MailConnectionFactory } from './mail-connection.factory.js';

@Injectable()
export class MailboxService {
  constructor(@InjectPool(MailConnectionFactory) private readonly pool: PoolOf<typeof MailConnectionFactory>) {}

  @Retryable({ attemptTimeout: '2s' })
  async count(): Promise<number> {
    const { signal } = retryContext();
    return Number(await this.pool.use((mail) => ask(mail, 'COUNT', signal), { signal }));
  }
}

@Controller()
export class MailboxController {
  constructor(
    @Inject(MailboxService) private readonly mailbox: MailboxService,
    @InjectPool(MailConnectionFactory) private readonly pool: ConnectionPool<unknown>,
  ) {}

  @Get('messages')
  async messages(): Promise<{ messages: number }> {
    try {
      return { messages: await this.mailbox.count() };
    } catch (error) {
      // It says whether the pool is busy or the mail server is down, and why.
      if (error instanceof AcquireTimeoutError) throw new ServiceUnavailableException(error.message);
      throw error;
    }
  }

  @Get('pool')
  statistics(): { open: number; lastConnectError: string | null } {
    const { open, lastConnectError } = this.pool.stats();
    return { open, lastConnectError: lastConnectError instanceof Error ? lastConnectError.message : null };
  }
}
