import { Module } from '@nestjs/common';
import { ConnectionPoolModule } from 'nestjs-connection-pool';
import { MailServer } from './mail-server.js';
import { MailboxController } from './mailbox.controller.js';
import { MailboxFactory } from './mailbox.factory.js';
import { MailboxService } from './mailbox.service.js';

@Module({ providers: [{ provide: MailServer, useFactory: () => MailServer.open() }], exports: [MailServer] })
export class MailServerModule {}

/** The server has lost something behind it, RFC 5530 says; the next connection may come to another. */
function isUnavailable(error: unknown): boolean {
  return (error as { readonly serverResponseCode?: string } | null)?.serverResponseCode === 'UNAVAILABLE';
}

@Module({
  imports: [
    MailServerModule,
    ConnectionPoolModule.forRoot(),
    ConnectionPoolModule.forFeature([
      {
        factory: MailboxFactory,
        imports: [MailServerModule],
        size: 3,
        keepalive: '2m',
        waitFor: 'one',
        // Besides what the factory knows: imapflow's NoConnection, ETIMEOUT …, and all errors of the network.
        connectionErrors: [isUnavailable],
      },
    ]),
  ],
  controllers: [MailboxController],
  providers: [MailboxService],
})
export class AppModule {}
