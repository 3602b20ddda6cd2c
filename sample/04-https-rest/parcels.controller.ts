import { randomUUID } from 'node:crypto';
import { Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { InjectPool, type PoolOf } from 'nestjs-connection-pool';
import { ParcelServer } from './parcel-server.js';
import { ParcelsApi } from './parcels.api.js';
import { ParcelsService, type Parcel } from './parcels.service.js';

const RUSH = 30;

@Controller()
export class ParcelsController {
  constructor(
    @Inject(ParcelsService) private readonly parcels: ParcelsService,
    @Inject(ParcelServer) private readonly server: ParcelServer,
    @InjectPool(ParcelsApi) private readonly pool: PoolOf<typeof ParcelsApi>,
  ) {}

  @Get('parcels/:parcel')
  track(@Param('parcel') parcel: string): Promise<Parcel> {
    return this.parcels.track(parcel, randomUUID());
  }

  @Post('parcels/:parcel')
  book(@Param('parcel') parcel: string): Promise<Parcel> {
    return this.parcels.book(parcel, randomUUID());
  }

  /** Many at once, half of them in either way. */
  @Post('rush')
  @HttpCode(200)
  async rush(): Promise<object> {
    const parcels = Array.from({ length: RUSH }, (_, index) => String(index));
    await Promise.all([
      ...parcels.map((parcel) => this.parcels.track(parcel, randomUUID())),
      ...parcels.map((parcel) => this.parcels.trackImpatiently(parcel, randomUUID())),
    ]);
    return this.report();
  }

  @Get('report')
  report(): object {
    const { open, totals } = this.pool.stats();
    const { acquired: requests, closed } = totals;
    return {
      ...this.server.seen,
      connections: { open, requests, lost: closed.broken },
      handshakes: this.server.handshakes,
    };
  }
}
