import { Injectable } from '@nestjs/common';
import { ConnectionFactory, type ConnectContext } from '../../../src/index.js';
import { openMail, type MailClient } from './mail-client.js';

@Injectable()
export class MailConnectionFactory extends ConnectionFactory<MailClient> {
  override connect({ signal }: ConnectContext): Promise<MailClient> {
    return openMail(signal);
  }

  override keepalive(client: MailClient): Promise<void> {
    return client.noop();
  }

  override close(client: MailClient): Promise<void> {
    return client.logout();
  }
}
