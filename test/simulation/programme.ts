import * as fc from 'fast-check';
import { BEHAVIOUR, HEALTHY, HOOKS } from './behaviour.js';
import { either, object, oneOf, optional, whole, type Field, type ValueOf } from './fields.js';
import { STEPS, type Step, type StepName } from './steps.js';

/** The longest that something may take; now and then for ever. */
function timeout(least: number, drawn: number[]): Field<number | 'Infinity'> {
  const field = either(whole(least, 100_000, drawn), oneOf('Infinity'));
  return {
    ...field,
    arbitrary: fc.oneof(
      ...drawn.map((each) => ({ weight: 4, arbitrary: fc.constant(each) })),
      fc.constant('Infinity' as const),
    ),
  };
}

/** The settings of the simulated pool. What is undefined has its default. */
export const SETTINGS = object({
  size: either(
    whole(1, 1_000, [1, 2, 3, 5]),
    object({ min: whole(0, 1_000, [0, 1, 2]), max: whole(1, 1_000, [2, 3, 4]) }),
  ),
  maxConnecting: optional(whole(1, 1_000, [1, 2, 3])),
  connectTimeout: timeout(1, [20, 100]),
  reconnect: object({
    delay: whole(0, 100_000, [1, 10, 50]),
    maxDelay: whole(0, 100_000, [50, 200]),
    jitter: oneOf('none', 'full', 'equal', 'decorrelated'),
  }),
  acquireTimeout: optional(either(whole(0, 100_000, [0, 20, 100, 1_000]), oneOf('Infinity'))),
  maxWaiting: optional(whole(0, 1_000, [0, 1, 3]), 2),
  keepalive: optional(whole(1, 100_000, [50, 300])),
  keepaliveTimeout: timeout(1, [5, 50]),
  checkAfterIdle: optional(whole(0, 100_000, [0, 20, 100]), 4),
  resetTimeout: timeout(1, [5, 50]),
  connectionErrors: optional(oneOf('class', 'code', 'predicate', 'throws'), 3),
  siblingsOnBreak: optional(oneOf('check', 'recycle', 'keep')),
  maxLifetime: optional(whole(1, 100_000, [100, 500]), 3),
  maxUses: optional(whole(1, 1_000, [1, 2, 5]), 3),
  idleTimeout: optional(whole(1, 100_000, [50, 300])),
  order: optional(oneOf('fifo', 'lifo'), 3),
  closeTimeout: timeout(0, [0, 20, 100]),
  shutdownTimeout: timeout(0, [0, 50, 1_000]),
  leakDetection: optional(whole(1, 100_000, [50]), 2),
});

export type SimulatedSettings = ValueOf<typeof SETTINGS>;

/** What kind of factory and of connections the pool has. */
export const FACTORY = object({
  /** Whether it has the hook keepalive, reset, isUsable. */
  keepalive: oneOf(true, false),
  reset: oneOf(false, true),
  isUsable: oneOf(false, true),
  /** What its hook isConnectionError says of an error that only it knows, if it has the hook. */
  knowsErrors: optional(oneOf<boolean | 'throws' | 'rejects'>(true, false, 'throws', 'rejects'), 3),
  /** What a connection is. What tells by events or is closed by methods of its own is an object in any case. */
  kind: oneOf('object', 'function', 'number', 'stream'),
  /** How a connection tells of its death: by an EventEmitter's events, through the hook watch, or not at all. */
  tells: oneOf('events', 'watch', 'nothing'),
  /** How a connection is closed: by the factory's hook, or by methods of its own that the pool finds. */
  closedBy: oneOf('hook', 'methods'),
});

export type SimulatedFactoryShape = ValueOf<typeof FACTORY>;

/** How the backend behaves until a step changes it. */
export const BACKEND = object({
  connect: BEHAVIOUR,
  keepalive: BEHAVIOUR,
  reset: BEHAVIOUR,
  close: BEHAVIOUR,
});

/** Everything that decides a run: the same programme, the same run. */
export interface Programme {
  /** Seeds the randomness of the pool (jitter, spreads) and the order of what happens at the same time. */
  readonly seed: number;
  readonly settings: SimulatedSettings;
  readonly factory: SimulatedFactoryShape;
  readonly backend: ValueOf<typeof BACKEND>;
  readonly steps: readonly Step[];
}

/** How often each step is drawn, in moods that look for different trouble. Steps that are not named are drawn once. */
const MOODS: ReadonlyArray<{ readonly weights: Partial<Record<StepName, number>>; readonly healthy: number }> = [
  // Callers and nothing else, of a backend that is mostly well.
  {
    healthy: 8,
    weights: {
      acquire: 12,
      use: 12,
      release: 16,
      try: 4,
      usable: 3,
      settle: 6,
      ticks: 6,
      advance: 6,
      close: 0,
      resize: 0,
    },
  },
  // Connections die all the time.
  {
    healthy: 5,
    weights: { acquire: 8, use: 10, release: 8, die: 8, restart: 2, usable: 4, advance: 10, settle: 4, close: 0 },
  },
  // Hooks misbehave.
  {
    healthy: 2,
    weights: { use: 10, next: 10, backend: 3, usable: 3, stall: 3, advance: 12, settle: 4, release: 5, close: 0 },
  },
  // The pool is pushed about.
  {
    healthy: 5,
    weights: { acquire: 8, use: 6, release: 6, usable: 3, resize: 5, recycle: 3, advance: 8, ticks: 4, close: 0 },
  },
  // Everybody is impatient.
  {
    healthy: 5,
    weights: { acquire: 12, abort: 8, release: 6, discard: 4, usable: 3, stall: 8, advance: 8, ticks: 4, close: 0 },
  },
  // It ends early.
  { healthy: 5, weights: { acquire: 6, use: 6, release: 4, ready: 3, usable: 2, advance: 6, close: 3 } },
];

/** @param length the most steps of one programme */
export function programmes(length: number): fc.Arbitrary<Programme> {
  return fc.oneof(...MOODS.map((mood) => programmesOf(mood, length)));
}

function programmesOf({ weights, healthy }: (typeof MOODS)[number], length: number): fc.Arbitrary<Programme> {
  const steps = Object.entries(STEPS).map(([name, { fields }]) => ({
    weight: weights[name as StepName] ?? 1,
    arbitrary: fields.arbitrary.map((values) => ({ do: name, ...values }) as unknown as Step),
  }));
  const behaviour = fc.oneof(
    { withCrossShrink: true },
    { weight: healthy, arbitrary: fc.constantFrom(...HEALTHY) },
    { weight: 10 - healthy, arbitrary: BEHAVIOUR.arbitrary },
  );
  return fc.record({
    seed: fc.nat(999_999),
    settings: SETTINGS.arbitrary,
    factory: FACTORY.arbitrary,
    backend: fc.record(Object.fromEntries(HOOKS.map((hook) => [hook, behaviour]))) as fc.Arbitrary<
      Programme['backend']
    >,
    steps: fc.array(fc.oneof(...steps), { minLength: 1, maxLength: length, size: 'max' }),
  });
}
