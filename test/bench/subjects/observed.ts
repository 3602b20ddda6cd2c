import { subscribe, tracingChannel } from 'node:diagnostics_channel';
import type { Pooled } from '../connection.js';
import type { Subject, SubjectConfig } from '../subject.js';
import { makeOurs } from './ours.js';

const PLAIN = ['discard', 'keepalive', 'resize', 'retry', 'give-up'];
const TRACING = ['acquire', 'use', 'connect'];

/** What somebody who only counts does with an event. */
let heard = 0;
const count = (): void => void heard++;

// Once in a process: a scenario may make many pools.
for (const name of PLAIN) subscribe(`nestjs-connection-pool:${name}`, count);
for (const name of TRACING) {
  const all = { start: count, end: count, asyncStart: count, asyncEnd: count, error: count };
  tracingChannel(`nestjs-connection-pool:${name}`).subscribe(all);
}

/** Ours, with an observer on each of its channels. */
export const makeObserved: <C extends Pooled>(config: SubjectConfig<C>) => Subject<C> = makeOurs;
