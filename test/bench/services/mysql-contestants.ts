import {
  createConnection,
  createPool,
  type Connection,
  type ConnectionOptions,
  type PoolConnection,
  type RowDataPacket,
} from 'mysql2/promise';
import { MysqlConnectionFactory } from '../../../src/factories/mysql2.js';
import { ConnectionPool, type ConnectContext } from '../../../src/index.js';
import { useOf, type Subject } from '../subject.js';
import { subjectOf } from '../subjects/ours.js';
import type { Askable } from './contestants.js';

function configOf(address: string): ConnectionOptions {
  return { host: '127.0.0.1', port: Number(address), user: 'root', password: '' };
}

type Client = Connection & Askable;

/** The connection itself, with what callers of a benchmark call. */
function askable<C extends Connection>(connection: C): C & Askable {
  const ask = async (number: number): Promise<void> => {
    const [rows] = await connection.query<RowDataPacket[]>('SELECT ? AS number', [number]);
    if (rows[0]?.['number'] !== number) throw new Error(`${number} was answered ${JSON.stringify(rows)}`);
  };
  return Object.assign(connection, { isLent: false, isDoomed: false, ask });
}

export async function openMysql(address: string): Promise<Client> {
  return askable(await createConnection(configOf(address)));
}

/** mysql2's own pool, which resets no session unless it is told to. */
export function makeMysqlPool(address: string, size: number): Subject<Askable> {
  const pool = createPool({ ...configOf(address), connectionLimit: size, maxIdle: size });
  const known = new WeakMap<object, Askable>();
  const verbs: Omit<Subject<Askable, PoolConnection>, 'use'> = {
    acquire: () => pool.getConnection(),
    // Its connections are wrapped anew each time they are lent.
    connectionOf: (wrapped) => {
      let connection = known.get(wrapped.connection);
      if (connection === undefined) known.set(wrapped.connection, (connection = askable(wrapped)));
      return connection;
    },
    release: (connection) => connection.release(),
    discard: (connection) => connection.destroy(),
    close: () => pool.end(),
  };
  return { ...verbs, use: useOf(verbs) };
}

class BenchMysqlFactory extends MysqlConnectionFactory {
  protected override async open(
    options: Parameters<MysqlConnectionFactory['open']>[0],
    context: ConnectContext,
  ): Promise<Client> {
    return askable(await super.open(options, context));
  }
}

/** The ready-made factory, which resets as little as that pool. */
export function makeMysqlFactory(address: string, size: number): Subject<Askable> {
  const factory = new BenchMysqlFactory({ ...configOf(address), reset: 'none' });
  return subjectOf(new ConnectionPool(factory, { size }) as unknown as ConnectionPool<Askable>);
}
