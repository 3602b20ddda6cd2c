import { Inject, Injectable } from '@nestjs/common';
import { HttpConnectionFactory } from 'nestjs-connection-pool/factories/http';
import { ParcelServer } from './parcel-server.js';

/** How a connection to the service is opened: who it is, and whose certificate it has. */
@Injectable()
export class ParcelsApi extends HttpConnectionFactory {
  constructor(@Inject(ParcelServer) server: ParcelServer) {
    super({ origin: server.origin, connect: { ca: server.certificate, family: 4 } });
  }
}
