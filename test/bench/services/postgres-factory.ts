import type { Client } from 'pg';
import { PgConnectionFactory } from '../../../src/factories/pg.js';
import { ConnectionPool, type ConnectContext } from '../../../src/index.js';
import type { Subject } from '../subject.js';
import { subjectOf } from '../subjects/ours.js';
import type { Askable } from './contestants.js';
import { ask, configOf } from './postgres-client.js';

/** The ready-made factory, with all that it does at each borrow and return. */
class BenchPgFactory extends PgConnectionFactory {
  protected override async open(
    options: Parameters<PgConnectionFactory['open']>[0],
    context: ConnectContext,
  ): Promise<Client & Askable> {
    const client = await super.open(options, context);
    const asks = (number: number): Promise<void> => ask(client, number);
    return Object.assign(client, { isLent: false, isDoomed: false, ask: asks });
  }
}

export function makePostgresFactory(address: string, size: number): Subject<Askable> {
  const factory = new BenchPgFactory(configOf(address));
  return subjectOf(new ConnectionPool(factory, { size }) as unknown as ConnectionPool<Askable>);
}
