import { Module } from '@nestjs/common';
import { ConnectionPoolModule } from 'nestjs-connection-pool';
import { AppController } from './app.controller.js';
import { AppService } from './app.service.js';
import { EchoConnectionFactory } from './echo.connection-factory.js';
import { EchoServerModule } from './echo.server.js';

@Module({
  imports: [
    ConnectionPoolModule.forRoot({ pools: { echo: { size: 3 } } }),
    ConnectionPoolModule.forFeature([
      { factory: EchoConnectionFactory, imports: [EchoServerModule], keepalive: '1s', waitFor: 'all' },
    ]),
  ],
  controllers: [AppController],
  providers: [AppService],
})
export class AppModule {}
