import { Floor } from '../floor.js';
import type { Pooled } from '../connection.js';
import { useOf, type Subject, type SubjectConfig } from '../subject.js';

export function makeFloor<C extends Pooled>({ size, connect }: SubjectConfig<C>): Subject<C> {
  const pool = new Floor<C>(size, connect);
  const verbs: Omit<Subject<C, C>, 'use'> = {
    acquire: () => pool.acquire(),
    connectionOf: (connection) => connection,
    release: (connection) => pool.release(connection),
    discard: () => pool.discard(),
    close: () => Promise.resolve(),
  };
  return { ...verbs, use: useOf(verbs) };
}
