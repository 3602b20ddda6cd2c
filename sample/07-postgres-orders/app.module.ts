import { Module, type DynamicModule } from '@nestjs/common';
import { ConnectionPoolModule } from 'nestjs-connection-pool';
import { Database } from './database.js';
import { OrdersController } from './orders.controller.js';
import { OrdersDb } from './orders.db.js';
import { OrdersService } from './orders.service.js';

@Module({})
export class DatabaseModule {
  static of(database: Database): DynamicModule {
    return { module: DatabaseModule, providers: [{ provide: Database, useValue: database }], exports: [Database] };
  }
}

@Module({ controllers: [OrdersController], providers: [OrdersService] })
export class AppModule {
  static on(database: Database): DynamicModule {
    const databaseModule = DatabaseModule.of(database);
    return {
      module: AppModule,
      imports: [
        databaseModule,
        ConnectionPoolModule.forRoot(),
        ConnectionPoolModule.forFeature([
          { factory: OrdersDb, imports: [databaseModule], size: 5, keepalive: '30s', waitFor: 'one' },
        ]),
      ],
    };
  }
}
