import type { Check } from '../check.js';
import { Connection } from '../connection.js';
import { Allocations, heapInUse } from '../heap.js';
import { connect, fill, poolScenario } from '../pool-scenario.js';
import type { Reading, Scenario } from '../scenario.js';
import type { MakeSubject } from '../subject.js';
import { SUBJECTS, type SubjectName } from '../subjects.js';
import { one } from './leases.js';

const SIZE = 10;
const LEASES = 20_000;
const IDLE = 10_000;
const WAITING = 10_000;

/** What one caller, who never waits, makes of garbage: all of it has to be collected some time. */
const ALLOCATED = poolScenario(
  { name: 'heap allocated for a lease', unit: 'bytes', per: 'lease', goal: { times: 1.35 } },
  async (make, check) => {
    const subject = make({ size: SIZE, connect });
    await fill(subject, SIZE);
    const allocations = new Allocations();
    return {
      batch: async () => ({ cost: await allocations.during(() => one(subject, check, LEASES)), count: LEASES }),
    };
  },
);

/** pg-pool's part would be the client that stands in for a real one, which belongs to no pool. */
const WITHOUT_CLIENTS = (Object.keys(SUBJECTS) as SubjectName[]).filter((name) => name !== 'pg-pool');

const PER_IDLE_CONNECTION = poolScenario(
  {
    name: 'heap for an idle connection',
    unit: 'bytes',
    per: 'connection',
    goal: { units: 400 },
    als: false,
    subjects: WITHOUT_CLIENTS,
  },
  async (make) => {
    // There before, so that only what the pool adds is counted.
    const connections = Array.from({ length: IDLE }, () => new Connection());
    return { batch: () => heapOfIdle(make, connections) };
  },
);

async function heapOfIdle(make: MakeSubject, connections: readonly Connection[]): Promise<Reading> {
  let next = 0;
  const before = await heapInUse();
  const subject = make({ size: IDLE, connect: () => Promise.resolve(connections[next++]!) });
  await fill(subject, IDLE);
  const cost = (await heapInUse()) - before;
  await subject.close();
  return { cost, count: IDLE };
}

const PER_WAITING_CALLER = poolScenario(
  { name: 'heap for a waiting caller', unit: 'bytes', per: 'caller', goal: { units: 300 } },
  async (make, check) => ({ batch: () => heapOfWaiting(make, check) }),
);

/** A pool each time: one that had as many callers before may have kept the room for them. */
async function heapOfWaiting(make: MakeSubject, check: Check): Promise<Reading> {
  const subject = make({ size: SIZE, connect });
  const held = await Promise.all(Array.from({ length: SIZE }, () => subject.acquire()));
  const waiting = Array.from({ length: WAITING }, (): PromiseLike<unknown> | undefined => undefined);
  const before = await heapInUse();
  for (let index = 0; index < WAITING; index++) waiting[index] = subject.acquire();
  const cost = (await heapInUse()) - before;
  for (const handle of held) subject.release(handle);
  for (const promise of waiting) {
    const place = check.arrive();
    const handle = await promise;
    const connection = subject.connectionOf(handle);
    check.serve(place, connection);
    check.giveBack(connection);
    subject.release(handle);
  }
  await subject.close();
  return { cost, count: WAITING };
}

export const MEMORY: readonly Scenario[] = [ALLOCATED, PER_IDLE_CONNECTION, PER_WAITING_CALLER];
