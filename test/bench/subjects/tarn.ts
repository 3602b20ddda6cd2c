import { Pool } from 'tarn';
import type { Pooled } from '../connection.js';
import { useOf, type Subject, type SubjectConfig } from '../subject.js';

export function makeTarn<C extends Pooled>({ size, connect, acquireTimeout }: SubjectConfig<C>): Subject<C> {
  const pool = new Pool<C>({
    create: connect,
    destroy: () => {},
    validate: (connection) => !connection.isDoomed,
    min: size,
    max: size,
    acquireTimeoutMillis: acquireTimeout,
  });
  const verbs: Omit<Subject<C, C>, 'use'> = {
    acquire: () => pool.acquire().promise,
    connectionOf: (connection) => connection,
    release: (connection) => void pool.release(connection),
    // tarn has no such verb: a connection that does not validate is closed.
    discard: (connection) => {
      connection.isDoomed = true;
      pool.release(connection);
    },
    close: async () => {
      await pool.destroy();
    },
  };
  return { ...verbs, use: useOf(verbs) };
}
