import { connect } from '../pool-scenario.js';
import type { Open, Reading, Run, Scenario } from '../scenario.js';
import type { MakeSubject, Subject } from '../subject.js';
import { SUBJECTS, type SubjectName } from '../subjects.js';

/** Milliseconds: longer than it takes to come for all who come. */
const TIMEOUT = 50;

/** All but the floor, whose callers wait for ever. */
const POOLS = (Object.keys(SUBJECTS) as SubjectName[]).filter((name) => name !== 'floor');

/** sequelize-pool copies its queue for each who leaves: with three times as many callers a burst takes it seconds. */
const ITS_MOST = 10_000;

/** Callers that a short run may have. */
const MOST_IN_SHORT = 1_000;

/** All connections are held, and so many callers come at once, wait, and are refused. */
function timeoutScenario(callers: number): Scenario {
  const reference: Open = async () =>
    bursts((await import('../subjects/floor-with-timers.js')).makeFloorWithTimers, callers);
  const pools = POOLS.filter((name) => !(name === 'sequelize-pool' && callers > ITS_MOST)).map(
    (name): [string, Open] => [name, async () => bursts(await SUBJECTS[name](), callers)],
  );
  return {
    name: `${callers} timing out`,
    isLong: callers > MOST_IN_SHORT ? true : undefined,
    unit: 'ns',
    per: 'caller',
    reference: 'floor with timers',
    goal: { times: 0.7 },
    contestants: { 'floor with timers': reference, ...Object.fromEntries(pools) },
  };
}

async function bursts(make: MakeSubject, callers: number): Promise<Run> {
  const subject = make({ size: 1, connect, acquireTimeout: TIMEOUT });
  // Never given back.
  await subject.acquire();
  return { batch: () => burst(subject, callers) };
}

/** How long the event loop is busy with it: waiting for the time to come costs nobody anything. */
async function burst(subject: Subject, callers: number): Promise<Reading> {
  const before = performance.eventLoopUtilization();
  await new Promise<void>((resolve, reject) => {
    let left = callers;
    const served = (): void => reject(new Error('what somebody holds was lent'));
    const refused = (error: unknown): void => {
      if (!(error instanceof Error)) reject(new Error(`a caller was refused with ${String(error)}, which is no error`));
      else if (--left === 0) resolve();
    };
    for (let count = 0; count < callers; count++) void subject.acquire().then(served, refused);
  });
  return { cost: performance.eventLoopUtilization(before).active * 1e6, count: callers };
}

export const TIMEOUTS: readonly Scenario[] = [1_000, 10_000, 30_000].map(timeoutScenario);
