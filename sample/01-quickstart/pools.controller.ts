import { Controller, Get, Inject } from '@nestjs/common';
import { ConnectionPools, type PoolStats } from 'nestjs-connection-pool';

type Statistics = Omit<PoolStats, 'lastConnectError' | 'downSince'> & {
  name: string;
  lastConnectError: string | null;
  downSince: Date | null;
};

@Controller('pools')
export class PoolsController {
  constructor(@Inject(ConnectionPools) private readonly pools: ConnectionPools) {}

  @Get()
  list(): Statistics[] {
    return [...this.pools].map((pool) => {
      const { lastConnectError, downSince, ...stats } = pool.stats();
      return {
        name: pool.name,
        ...stats,
        lastConnectError: lastConnectError instanceof Error ? lastConnectError.message : null,
        downSince: downSince === undefined ? null : new Date(downSince),
      };
    });
  }
}
