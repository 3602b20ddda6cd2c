import { Pool } from 'lightning-pool';
import type { Connection } from '../connection.js';
import { useOf, type MakeSubject, type Subject } from '../subject.js';

export const makeLightningPool: MakeSubject = ({ size, connect, acquireTimeout }) => {
  const pool = new Pool<Connection>(
    { create: connect, destroy: () => {} },
    { min: size, max: size, maxQueue: 1_000_000, acquireTimeoutMillis: acquireTimeout },
  );
  const verbs: Omit<Subject<Connection>, 'use'> = {
    acquire: () => pool.acquire(),
    connectionOf: (connection) => connection,
    release: (connection) => pool.release(connection),
    discard: (connection) => void pool.destroy(connection),
    close: () => pool.closeAsync(true),
  };
  return { ...verbs, use: useOf(verbs) };
};
