import { Module } from '@nestjs/common';
import { ConnectionPoolModule } from 'nestjs-connection-pool';
import { ParcelServer } from './parcel-server.js';
import { ParcelsApi } from './parcels.api.js';
import { ParcelsController } from './parcels.controller.js';
import { ParcelsService } from './parcels.service.js';

@Module({
  providers: [{ provide: ParcelServer, useFactory: () => ParcelServer.launch() }],
  exports: [ParcelServer],
})
export class ParcelServerModule {}

@Module({
  imports: [
    ParcelServerModule,
    ConnectionPoolModule.forRoot(),
    ConnectionPoolModule.forFeature([
      // The service ends connections that are idle for 10 s, and says so; the client parts 2 s earlier.
      { factory: ParcelsApi, imports: [ParcelServerModule], size: 5, keepalive: '4s', waitFor: 'all' },
    ]),
  ],
  controllers: [ParcelsController],
  providers: [ParcelsService],
})
export class AppModule {}
