import { Pool } from 'sequelize-pool';
import type { Connection } from '../connection.js';
import { useOf, type MakeSubject, type Subject } from '../subject.js';

export const makeSequelizePool: MakeSubject = ({ size, connect, acquireTimeout }) => {
  const pool = new Pool<Connection>({
    create: connect,
    destroy: () => {},
    validate: () => true,
    min: size,
    max: size,
    acquireTimeoutMillis: acquireTimeout,
  });
  const verbs: Omit<Subject<Connection>, 'use'> = {
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
};
