import type { Pooled } from '../connection.js';
import { Floor } from '../floor.js';
import type { Subject, SubjectConfig } from '../subject.js';
import { plainSubject } from './plain.js';

export function makeFloor<C extends Pooled>({ size, connect }: SubjectConfig<C>): Subject<C> {
  return plainSubject(new Floor<C>(size, connect));
}
