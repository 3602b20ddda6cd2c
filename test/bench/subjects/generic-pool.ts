import { createPool } from 'generic-pool';
import type { Pooled } from '../connection.js';
import type { Subject, SubjectConfig } from '../subject.js';

export function makeGenericPool<C extends Pooled>({ size, connect, acquireTimeout }: SubjectConfig<C>): Subject<C> {
  const pool = createPool<C>(
    { create: connect, destroy: () => Promise.resolve() },
    { min: size, max: size, acquireTimeoutMillis: acquireTimeout },
  );
  const subject: Subject<C, C> = {
    acquire: () => pool.acquire(),
    connectionOf: (connection) => connection,
    release: (connection) => void pool.release(connection),
    discard: (connection) => void pool.destroy(connection),
    use: async (work) => {
      await pool.use(work);
    },
    close: async () => {
      await pool.drain();
      await pool.clear();
    },
  };
  return subject;
}
