import { Pool } from 'sequelize-pool';
import type { Pooled } from '../connection.js';
import { useOf, type Subject, type SubjectConfig } from '../subject.js';

export function makeSequelizePool<C extends Pooled>({ size, connect, acquireTimeout }: SubjectConfig<C>): Subject<C> {
  const pool = new Pool<C>({
    create: connect,
    destroy: () => {},
    validate: () => true,
    min: size,
    max: size,
    acquireTimeoutMillis: acquireTimeout,
  });
  const verbs: Omit<Subject<C, C>, 'use'> = {
    acquire: () => pool.acquire(),
    connectionOf: (connection) => connection,
    release: (connection) => pool.release(connection),
    discard: (connection) => void pool.destroy(connection),
    close: async () => {
      await pool.drain();
      await pool.destroyAllNow();
    },
  };
  return { ...verbs, use: useOf(verbs) };
}
