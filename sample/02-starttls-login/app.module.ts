import { Module } from '@nestjs/common';
import { ConnectionPoolModule } from 'nestjs-connection-pool';
import { MailConnectionFactory } from './mail-connection.factory.js';
import { MailServer } from './mail-server.js';
import { MailboxController, MailboxService } from './mailbox.controller.js';

@Module({
  providers: [{ provide: MailServer, useFactory: () => MailServer.launch() }],
  exports: [MailServer],
})
export class MailServerModule {}

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
