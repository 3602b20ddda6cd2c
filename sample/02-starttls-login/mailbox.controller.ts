import { Controller, Get, Inject, Injectable, Module } from '@nestjs/common';
import {
  ConnectionPool,
  ConnectionPoolModule,
  InjectPool,
  Retryable,
  retryContext,
  type PoolOf,
} from 'nestjs-connection-pool';
import { ask, MailConnectionFactory } from './mail-connection.factory.js';
import { MailServer } from './mail-server.js';

@Module({
  providers: [{ provide: MailServer, useFactory: () => MailServer.launch() }],
  exports: [MailServer],
})
export class MailServerModule {}

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
    return { messages: await this.mailbox.count() };
  }

  @Get('pool')
  statistics(): { open: number; lastConnectError: string | null } {
    const { open, lastConnectError } = this.pool.stats();
    return { open, lastConnectError: lastConnectError instanceof Error ? lastConnectError.message : null };
  }
}

@Module({
  imports: [
    MailServerModule,
    ConnectionPoolModule.forFeature([
      { factory: MailConnectionFactory, imports: [MailServerModule], size: 4, keepalive: '20s', acquireTimeout: '1s' },
    ]),
  ],
  controllers: [MailboxController],
  providers: [MailboxService],
})
export class AppModule {}
