import { Floor } from '../floor.js';
import type { Connection } from '../connection.js';
import { useOf, type MakeSubject, type Subject } from '../subject.js';

export const makeFloor: MakeSubject = ({ size, connect }) => {
  const pool = new Floor<Connection>(size, connect);
  const verbs: Omit<Subject<Connection>, 'use'> = {
    acquire: () => pool.acquire(),
    connectionOf: (connection) => connection,
    release: (connection) => pool.release(connection),
    discard: () => pool.discard(),
    close: () => Promise.resolve(),
  };
  return { ...verbs, use: useOf(verbs) };
};
