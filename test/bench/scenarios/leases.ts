import { setImmediate as turn } from 'node:timers/promises';
import type { Check } from '../check.js';
import { connect, fill, poolScenario } from '../pool-scenario.js';
import { timed, type Goal, type Scenario } from '../scenario.js';
import type { Subject } from '../subject.js';

/** A scenario of leases on one pool, which is full when time begins to be taken. */
interface LeaseScenario {
  readonly name: string;
  readonly size: number;
  /** Connections that somebody has all the time. */
  readonly held?: number;
  /** Leases in a batch. */
  readonly leases: number;
  readonly goal?: Goal;
  work(subject: Subject, check: Check, leases: number): Promise<void>;
  /** Done before each batch, without being timed. */
  before?(): void;
}

/** Without waiting, and with; the goals of the project, as times the floor. */
const GOAL = { free: { times: 1.2 }, waiting: { times: 1.35 } };

/** Leases in a batch that a short run may have. */
const MOST_IN_SHORT = 10_000;

function leaseScenario({ name, size, held = 0, leases, goal, work, before }: LeaseScenario): Scenario {
  const isLong = leases > MOST_IN_SHORT ? true : undefined;
  return poolScenario(
    { name, unit: 'ns', per: 'lease', goal, isLong, als: isLong ? false : undefined },
    async (make, check) => {
      const subject = make({ size, connect });
      await fill(subject, size);
      for (let count = 0; count < held; count++) check.lend(subject.connectionOf(await subject.acquire()));
      return {
        batch: () => {
          before?.();
          return timed(leases, () => work(subject, check, leases));
        },
      };
    },
  );
}

/** One caller, who never waits. */
export async function one(subject: Subject, check: Check, leases: number): Promise<void> {
  for (let count = 0; count < leases; count++) {
    const place = check.arrive();
    const handle = await subject.acquire();
    const connection = subject.connectionOf(handle);
    check.serve(place, connection);
    check.giveBack(connection);
    subject.release(handle);
  }
}

async function oneThatDiscards(subject: Subject, check: Check, leases: number): Promise<void> {
  for (let count = 0; count < leases; count++) {
    const place = check.arrive();
    const handle = await subject.acquire();
    const connection = subject.connectionOf(handle);
    check.serve(place, connection);
    check.giveBack(connection);
    if (count % 10 === 0) subject.discard(handle);
    else subject.release(handle);
  }
}

async function oneThatUses(subject: Subject, check: Check, leases: number): Promise<void> {
  let place = 0;
  // As users write it, a closure each.
  for (let count = 0; count < leases; count++) {
    place = check.arrive();
    await subject.use((connection) => {
      check.serve(place, connection);
      check.giveBack(connection);
      return DONE;
    });
  }
}

const DONE = Promise.resolve();

/** So many callers, each of whom comes again as soon as he has given back. */
export function many(callers: number, hold: () => Promise<unknown>): LeaseScenario['work'] {
  return async (subject, check, leases) => {
    let left = leases;
    const caller = async (): Promise<void> => {
      while (left-- > 0) {
        const place = check.arrive();
        const handle = await subject.acquire();
        const connection = subject.connectionOf(handle);
        check.serve(place, connection);
        await hold();
        check.giveBack(connection);
        subject.release(handle);
      }
    };
    await Promise.all(Array.from({ length: callers }, caller));
  };
}

/**
 * Makes garbage, now more and now less. Were all bursts alike, V8 would collect garbage always at the same moment of a burst,
 * with all callers waiting in the one contestant's and with none in the other's, and that would be all that is measured.
 */
export function litter(): void {
  for (let left = Math.random() * 10_000; left > 0; left--) {
    litters[Math.floor(left) % 8] = Array.from({ length: 100 }, () => left);
  }
}

const litters: unknown[] = [];

/** All come at once, and each gives back as soon as he is served. */
async function burst(subject: Subject, check: Check, leases: number): Promise<void> {
  const caller = async (): Promise<void> => {
    const place = check.arrive();
    const handle = await subject.acquire();
    const connection = subject.connectionOf(handle);
    check.serve(place, connection);
    check.giveBack(connection);
    subject.release(handle);
  };
  const all: Array<Promise<void>> = [];
  for (let count = 0; count < leases; count++) all.push(caller());
  await Promise.all(all);
}

export const microtask = (): Promise<void> => DONE;

export const LEASES: readonly Scenario[] = [
  leaseScenario({ name: 'one caller', size: 10, leases: 2_000, goal: GOAL.free, work: one }),
  leaseScenario({ name: 'one caller, use()', size: 10, leases: 2_000, goal: GOAL.free, work: oneThatUses }),
  ...[1, 10, 100, 1_000, 10_000].map((size) =>
    leaseScenario({
      name: `one caller, ${size} half leased`,
      size,
      held: Math.floor(size / 2),
      leases: 2_000,
      goal: GOAL.free,
      work: one,
    }),
  ),
  leaseScenario({ name: 'one lease in ten discarded', size: 10, leases: 2_000, work: oneThatDiscards }),
  leaseScenario({
    name: '100 on 10, for a microtask',
    size: 10,
    leases: 5_000,
    goal: GOAL.waiting,
    work: many(100, microtask),
  }),
  leaseScenario({ name: '100 on 10, for a turn', size: 10, leases: 2_000, goal: GOAL.waiting, work: many(100, turn) }),
  ...[1_000, 10_000, 100_000].map((leases) =>
    leaseScenario({ name: `${leases} at once`, size: 10, leases, goal: GOAL.waiting, work: burst, before: litter }),
  ),
];
