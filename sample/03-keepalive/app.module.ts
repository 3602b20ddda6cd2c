import { Controller, Get, Inject, Module } from '@nestjs/common';
import { ConnectionPoolModule, ConnectionPools } from 'nestjs-connection-pool';
import { PingingFactory, PlainFactory, TcpKeepaliveFactory } from './echo-connection.factories.js';
import { IdleServer } from './idle-server.js';

@Module({ providers: [{ provide: IdleServer, useFactory: () => IdleServer.launch() }], exports: [IdleServer] })
export class IdleServerModule {}

@Controller()
export class ReportController {
  constructor(@Inject(ConnectionPools) private readonly pools: ConnectionPools) {}

  /** How many connections each pool has lost. */
  @Get('report')
  report(): Record<string, { open: number; lost: number; pings: number }> {
    const rows = [...this.pools].map((pool) => {
      const { open, totals } = pool.stats();
      return [pool.name, { open, lost: totals.closed.broken, pings: totals.pings }] as const;
    });
    return Object.fromEntries(rows);
  }
}

@Module({
  imports: [
    IdleServerModule,
    ConnectionPoolModule.forRoot({ defaults: { size: 3 } }),
    ConnectionPoolModule.forFeature([
      { factory: PlainFactory, name: 'no keepalive', imports: [IdleServerModule] },
      { factory: TcpKeepaliveFactory, name: 'TCP keepalive', imports: [IdleServerModule] },
      { factory: PingingFactory, name: 'application keepalive', imports: [IdleServerModule], keepalive: '1s' },
    ]),
  ],
  controllers: [ReportController],
})
export class AppModule {}
