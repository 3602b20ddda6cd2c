import { ConnectionFactory, ConnectionPool, type Lease } from '../../../src/index.js';
import type { Connection } from '../connection.js';
import type { MakeSubject, Subject } from '../subject.js';

class BenchConnectionFactory extends ConnectionFactory<Connection> {
  constructor(private readonly open: () => Promise<Connection>) {
    super();
  }

  connect(): Promise<Connection> {
    return this.open();
  }
}

/** As it is without any setting: a time-out of 30 s on each caller, statistics on, fifo. */
export const makeOurs: MakeSubject = ({ size, connect, acquireTimeout }) => {
  const pool = new ConnectionPool(new BenchConnectionFactory(connect), { size, acquireTimeout });
  const subject: Subject<Lease<Connection>> = {
    acquire: () => pool.acquire(),
    acquireWithin: (timeout) => pool.acquire({ timeout }),
    acquireUnless: (signal) => pool.acquire({ signal }),
    connectionOf: (lease) => lease.connection,
    release: (lease) => lease.release(),
    discard: (lease) => lease.discard(),
    use: (work) => pool.use(work),
    close: () => pool.close(),
  };
  return subject;
};
