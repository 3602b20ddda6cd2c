import { Inject, Injectable } from '@nestjs/common';
import { ImapConnectionFactory } from 'nestjs-connection-pool/factories/imap';
import { MailServer } from './mail-server.js';

@Injectable()
export class MailboxFactory extends ImapConnectionFactory {
  constructor(@Inject(MailServer) server: MailServer) {
    super(server.login);
  }
}
