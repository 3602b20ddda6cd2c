import { FloorWithTimers } from '../floor-with-timers.js';
import type { Pooled } from '../connection.js';
import { useOf, type Subject, type SubjectConfig } from '../subject.js';

/** As long as ours waits by itself. */
const USUAL_TIMEOUT = 30_000;

export function makeFloorWithTimers<C extends Pooled>({
  size,
  connect,
  acquireTimeout = USUAL_TIMEOUT,
}: SubjectConfig<C>): Subject<C> {
  const pool = new FloorWithTimers<C>(size, connect, acquireTimeout);
  const verbs: Omit<Subject<C, C>, 'use'> = {
    acquire: () => pool.acquire(),
    connectionOf: (connection) => connection,
    release: (connection) => pool.release(connection),
    discard: () => pool.discard(),
    close: () => Promise.resolve(),
  };
  return { ...verbs, use: useOf(verbs) };
}
