import type { Pooled } from '../connection.js';
import { FloorWithTimers } from '../floor-with-timers.js';
import type { Subject, SubjectConfig } from '../subject.js';
import { plainSubject } from './plain.js';

/** As long as ours waits by itself. */
const USUAL_TIMEOUT = 30_000;

export function makeFloorWithTimers<C extends Pooled>(config: SubjectConfig<C>): Subject<C> {
  const { size, connect, acquireTimeout = USUAL_TIMEOUT } = config;
  return plainSubject(new FloorWithTimers<C>(size, connect, acquireTimeout));
}
