import { Module } from '@nestjs/common';
import { ConnectionPoolModule } from 'nestjs-connection-pool';
import { Database } from './database.js';
import { OrdersController } from './orders.controller.js';
import { OrdersDb } from './orders.db.js';
import { OrdersService } from './orders.service.js';

@Module({ providers: [{ provide: Database, useFactory: () => Database.open() }], exports: [Database] })
export class DatabaseModule {}

@Module({
  imports: [
    DatabaseModule,
    ConnectionPoolModule.forRoot(),
    ConnectionPoolModule.forFeature([
      { factory: OrdersDb, imports: [DatabaseModule], size: 5, keepalive: '30s', waitFor: 'one' },
    ]),
  ],
  controllers: [OrdersController],
  providers: [OrdersService],
})
export class AppModule {}
