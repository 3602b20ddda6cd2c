import { ConnectionFactory, ConnectionPool, type Lease } from '../../../src/index.js';
import type { Pooled } from '../connection.js';
import type { Subject, SubjectConfig } from '../subject.js';

class BenchConnectionFactory<C> extends ConnectionFactory<C> {
  constructor(private readonly open: () => Promise<C>) {
    super();
  }

  connect(): Promise<C> {
    return this.open();
  }
}

/** As it is without any setting: a time-out of 30 s on each caller, statistics on, fifo. */
export function makeOurs<C extends Pooled>({
  size,
  connect,
  acquireTimeout,
  maxConnecting,
}: SubjectConfig<C>): Subject<C> {
  return subjectOf(new ConnectionPool(new BenchConnectionFactory(connect), { size, acquireTimeout, maxConnecting }));
}

export function subjectOf<C extends Pooled>(pool: ConnectionPool<C>): Subject<C> {
  const subject: Subject<C, Lease<C>> = {
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
}
