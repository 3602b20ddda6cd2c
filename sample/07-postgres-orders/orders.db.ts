import { Inject, Injectable } from '@nestjs/common';
import { PgConnectionFactory } from 'nestjs-connection-pool/factories/pg';
import { Database } from './database.js';

@Injectable()
export class OrdersDb extends PgConnectionFactory {
  constructor(@Inject(Database) database: Database) {
    super({ connectionString: database.url, statement_timeout: 5_000 });
  }
}
