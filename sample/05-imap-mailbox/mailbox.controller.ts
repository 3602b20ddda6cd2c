import { Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { InjectPool, type PoolOf } from 'nestjs-connection-pool';
import { MailServer } from './mail-server.js';
import { MailboxFactory } from './mailbox.factory.js';
import { MailboxService } from './mailbox.service.js';

@Controller()
export class MailboxController {
  constructor(
    @Inject(MailboxService) private readonly mailboxes: MailboxService,
    @Inject(MailServer) private readonly server: MailServer,
    @InjectPool(MailboxFactory) private readonly pool: PoolOf<typeof MailboxFactory>,
  ) {}

  @Get('unread')
  unread(): Promise<Record<string, number>> {
    return this.mailboxes.unread();
  }

  @Get('mailboxes/:name/unread')
  subjects(@Param('name') name: string): Promise<string[]> {
    return this.mailboxes.subjects(name);
  }

  @Post('mailboxes/:name/read')
  @HttpCode(204)
  read(@Param('name') name: string): Promise<void> {
    return this.mailboxes.read(name);
  }

  @Post('kick')
  @HttpCode(202)
  async kick(): Promise<{ happening: string }> {
    await this.server.kick();
    return { happening: 'the server has ended all sessions' };
  }

  @Get('pool')
  statistics(): object {
    const { lastConnectError, ...stats } = this.pool.stats();
    return { ...stats, lastConnectError: lastConnectError instanceof Error ? lastConnectError.message : null };
  }
}
