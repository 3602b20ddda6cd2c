import type { Pooled } from '../connection.js';
import { useOf, type Subject } from '../subject.js';

/** A pool that lends connections as they are, and never closes. */
interface PlainPool<C> {
  acquire(): Promise<C>;
  release(connection: C): void;
  discard(): void;
}

export function plainSubject<C extends Pooled>(pool: PlainPool<C>): Subject<C> {
  const verbs: Omit<Subject<C, C>, 'use'> = {
    acquire: () => pool.acquire(),
    connectionOf: (connection) => connection,
    release: (connection) => pool.release(connection),
    discard: () => pool.discard(),
    close: () => Promise.resolve(),
  };
  return { ...verbs, use: useOf(verbs) };
}
