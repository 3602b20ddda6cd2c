import { connect, fill, poolScenario } from '../pool-scenario.js';
import { timed, type Scenario } from '../scenario.js';
import type { Subject } from '../subject.js';
import type { SubjectName } from '../subjects.js';
import { litter, many, microtask, one } from './leases.js';

/** What callers may ask for besides a connection; the floor, which is the reference, knows none of it. */
interface Option {
  readonly name: string;
  /** Of the whole pool, in milliseconds. */
  readonly acquireTimeout?: number;
  /** Who takes part, beside the floor; default: all. */
  readonly subjects?: readonly SubjectName[];
  /** How so many callers acquire. */
  acquire(subject: Subject, callers: number): Subject['acquire'];
}

const SIZE = 10;

function optionScenario({ name, acquireTimeout, subjects, acquire }: Option, callers: 1 | 100): Scenario {
  const [group, work, leases] =
    callers === 1 ? (['one caller', one, 2_000] as const) : (['100 on 10', many(callers, microtask), 5_000] as const);
  return poolScenario({ name: `${group}, ${name}`, unit: 'ns', per: 'lease', subjects }, async (make, check) => {
    const subject = make({ size: SIZE, connect, acquireTimeout });
    await fill(subject, SIZE);
    const asking = { ...subject, acquire: acquire(subject, callers) };
    return {
      batch: () => {
        litter();
        return timed(leases, () => work(asking, check, leases));
      },
    };
  });
}

/** Other than the pool's own, so that callers with another time-out than all others' are what is measured. */
const TIMEOUT = 10_000;

const OFFERED: readonly Option[] = [
  {
    name: 'with a time-out',
    // For pools that know only one time-out for all. Ours has this one by itself.
    acquireTimeout: 30_000,
    acquire: ({ acquire, acquireWithin }) =>
      acquireWithin === undefined ? acquire : (): PromiseLike<unknown> => acquireWithin(TIMEOUT),
  },
  {
    name: 'no time-out',
    subjects: ['floor', 'ours'],
    acquireTimeout: Infinity,
    acquire: ({ acquire }) => acquire,
  },
  {
    name: 'with a signal',
    // No peer knows signals.
    subjects: ['floor', 'ours'],
    acquire: ({ acquire, acquireUnless }, callers) => {
      if (acquireUnless === undefined) return acquire;
      // Nobody waits twice at once, and each has a signal of his own: what Node takes to make one is not the pool's.
      const signals = Array.from({ length: callers }, () => new AbortController().signal);
      let next = 0;
      return () => {
        next = (next + 1) % callers;
        return acquireUnless(signals[next]!);
      };
    },
  },
];

export const OPTIONS: readonly Scenario[] = OFFERED.flatMap((option) => [
  optionScenario(option, 1),
  optionScenario(option, 100),
]);
