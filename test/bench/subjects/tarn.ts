import { Pool } from 'tarn';
import type { Connection } from '../connection.js';
import { useOf, type MakeSubject, type Subject } from '../subject.js';

export const makeTarn: MakeSubject = ({ size, connect, acquireTimeout }) => {
  const pool = new Pool<Connection>({
    create: connect,
    destroy: () => {},
    validate: (connection) => !connection.isDoomed,
    min: size,
    max: size,
    acquireTimeoutMillis: acquireTimeout,
  });
  const verbs: Omit<Subject<Connection>, 'use'> = {
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
};
