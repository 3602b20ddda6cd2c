import { BEHAVIOUR, CALLS, HOOKS, TIMES } from './behaviour.js';
import {
  either,
  object,
  oneOf,
  optional,
  whole,
  type Field,
  type Fields,
  type ValueOf,
  type Values,
} from './fields.js';
import { FAILURES, WORK } from './work.js';
import type { World } from './world.js';

/** Which of several: counted round, so that a script that loses a step still means something. */
const which = whole(0, 999_999, [0, 1, 2, 3, 4, 5, 6, 7]);
/** Three signals, so that callers share them; and one that was aborted before anybody came with it. */
const signal = optional(whole(0, 3, [0, 0, 1, 1, 2, 2, 3]), 3);
const wait = optional(either(whole(0, 100_000, TIMES), oneOf('Infinity')), 4);
const failure = oneOf(...FAILURES);

interface StepKind<T> {
  readonly fields: Field<T>;
  /** Does it, now; what it sets off comes when a later step lets it. */
  perform(world: World, values: T): void | Promise<void>;
}

function step<F extends Fields>(
  fields: F,
  perform: (world: World, values: Values<F>) => void | Promise<void>,
): StepKind<Values<F>> {
  return { fields: object(fields), perform };
}

/** All that can happen, one entry each. */
export const STEPS = {
  // Callers
  acquire: step({ timeout: wait, signal }, (world, options) => world.callers.acquire(options)),
  use: step({ timeout: wait, signal, work: WORK }, (world, { work, ...wait }) => world.callers.use(work, wait)),
  try: step({}, (world) => world.callers.tryAcquire()),
  abort: step({ signal: whole(0, 2) }, (world, { signal }) => world.callers.abort(signal)),
  release: step({ lease: which, failure: optional(failure, 3) }, (world, { lease, failure }) =>
    world.callers.release(lease, failure),
  ),
  dispose: step({ lease: which }, (world, { lease }) => world.callers.dispose(lease)),
  discard: step({ lease: which, failure: optional(failure) }, (world, { lease, failure }) =>
    world.callers.discard(lease, failure),
  ),
  /** A lease that is over is released, discarded, and used. */
  again: step({ lease: which }, (world, { lease }) => world.callers.again(lease)),

  // The owner
  start: step({}, (world) => world.start()),
  ready: step({ signal, connections: optional(whole(1, 1_000, [1, 2])) }, (world, options) => world.ready(options)),
  resize: step({ min: whole(0, 1_000, [0, 1, 2, 3, 5]), max: whole(1, 1_000, [1, 2, 3, 5]) }, (world, { min, max }) =>
    world.resize(Math.min(min, max), max),
  ),
  recycle: step({}, (world) => world.recycle()),
  close: step({ timeout: wait }, (world, { timeout }) => world.close(timeout)),

  // The backend
  /** From now on. */
  backend: step({ hook: oneOf(...HOOKS), behaviour: BEHAVIOUR }, (world, { hook, behaviour }) =>
    world.backend.always(hook, behaviour),
  ),
  /** Once. */
  next: step({ hook: oneOf(...HOOKS), behaviour: BEHAVIOUR }, (world, { hook, behaviour }) =>
    world.backend.next(hook, behaviour),
  ),
  /**
   * What isUsable() says of a connection from now on, and what it does to the pool when it is asked next. A stream says it
   * by itself: it ends, or gets bytes that nobody has asked for.
   */
  usable: step(
    { connection: which, answer: oneOf('yes', 'no', 'throws', 'rejects'), calls: optional(oneOf(...CALLS), 4) },
    (world, { connection, answer, calls }) => world.backend.answer(connection, answer, calls),
  ),
  die: step({ connection: which, error: oneOf(true, false) }, (world, { connection, error }) =>
    world.backend.kill(connection, error),
  ),
  /** One that is closed already has a last word. */
  lastWord: step({ connection: which }, (world, { connection }) => world.backend.lastWord(connection)),
  /** All connections die. */
  restart: step({ error: oneOf(true, false) }, (world, { error }) => world.backend.restart(error)),

  // Time
  /** So many promise jobs, which leaves things half done. */
  ticks: step({ count: whole(1, 1_000, [1, 2, 3, 5]) }, (world, { count }) => world.ticks(count)),
  /** Everything that needs no time. */
  settle: step({}, (world) => world.settle()),
  advance: step({ ms: whole(0, 10_000_000, [1, 5, 20, 50, 100, 500, 2_000]) }, (world, { ms }) => world.advance(ms)),
  /** The event loop stands still for so long; then all that fell due comes at once. */
  stall: step({ ms: whole(0, 10_000_000, [5, 50, 200, 1_000]) }, (world, { ms }) => world.stall(ms)),
} as const;

export type StepName = keyof typeof STEPS;
export type Step = { [N in StepName]: { readonly do: N } & ValueOf<(typeof STEPS)[N]['fields']> }[StepName];

/** Does the step; a promise only if it takes time, or lets others do something. */
export function perform(world: World, step: Step): void | Promise<void> {
  return (STEPS[step.do] as StepKind<Step>).perform(world, step);
}
