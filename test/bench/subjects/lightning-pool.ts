import { Pool } from 'lightning-pool';
import type { Pooled } from '../connection.js';
import { useOf, type Subject, type SubjectConfig } from '../subject.js';

export function makeLightningPool<C extends Pooled>({ size, connect, acquireTimeout }: SubjectConfig<C>): Subject<C> {
  const pool = new Pool<C>(
    { create: connect, destroy: () => {} },
    { min: size, max: size, maxQueue: 1_000_000, acquireTimeoutMillis: acquireTimeout },
  );
  const verbs: Omit<Subject<C, C>, 'use'> = {
    acquire: () => pool.acquire(),
    connectionOf: (connection) => connection,
    release: (connection) => pool.release(connection),
    discard: (connection) => void pool.destroy(connection),
    close: () => pool.closeAsync(true),
  };
  return { ...verbs, use: useOf(verbs) };
}
