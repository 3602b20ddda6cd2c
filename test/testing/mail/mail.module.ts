import { Module } from '@nestjs/common';
import { ConnectionPoolModule } from '../../../src/index.js';
import { MailConnectionFactory } from './mail-connection.factory.js';
import { MailService } from './mail.service.js';

@Module({
  imports: [
    ConnectionPoolModule.forRoot({ defaults: { acquireTimeout: '10s' } }),
    ConnectionPoolModule.forFeature([{ factory: MailConnectionFactory, size: 3, keepalive: '30s' }]),
  ],
  providers: [MailService],
  exports: [MailService],
})
export class MailModule {}
