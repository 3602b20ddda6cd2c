import { createPool } from 'generic-pool';
import type { Connection } from '../connection.js';
import type { MakeSubject, Subject } from '../subject.js';

export const makeGenericPool: MakeSubject = ({ size, connect, acquireTimeout }) => {
  const pool = createPool<Connection>(
    { create: connect, destroy: () => Promise.resolve() },
    { min: size, max: size, acquireTimeoutMillis: acquireTimeout },
  );
  const subject: Subject<Connection> = {
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
};
