import { Entry, type Entrant, type Result } from './entry.js';
import type { Scenario, Service } from './scenario.js';
import { within } from './within.js';

export interface MeasureOptions {
  /** How often everybody's turn comes. */
  readonly rounds: number;
  /** Rounds before those, whose samples are thrown away: V8 has yet to compile what is measured. */
  readonly warmUp: number;
  /** How long a sample takes, in milliseconds. */
  readonly sample: number;
  /** Whether an AsyncLocalStorage is active. */
  readonly als: boolean;
  /** No sample takes longer than this, whatever the machine does, in milliseconds. */
  readonly patience: number;
}

/** So long that V8 has compiled all that is measured after a few of them, in milliseconds. */
const WARM_UP_SAMPLE = 200;

/** Lets all entrants have their turn, again and again: A B A B, so that what disturbs the machine disturbs all. */
export async function measure(
  scenario: Scenario,
  entrants: readonly Entrant[],
  { rounds, warmUp, sample, als, patience }: MeasureOptions,
): Promise<Map<string, Result>> {
  let service: Service | undefined;
  try {
    service = await within(patience, 'the service did not start', Promise.resolve(scenario.startService?.()));
  } catch (error) {
    return new Map(entrants.map(({ name }) => [name, { void: `without a service: ${(error as Error).message}` }]));
  }
  const address = service?.address ?? '';
  const entries: Entry[] = [];
  try {
    for (const entrant of entrants) entries.push(new Entry(scenario, entrant, { address, als, patience }));
    // Those who are still loading would disturb those who are measured.
    for (const entry of entries) await entry.ready();
    for (let round = -warmUp; round < rounds; round++) {
      const milliseconds = round < 0 ? Math.max(sample, WARM_UP_SAMPLE) : sample;
      for (const entry of entries) await entry.sample(milliseconds, round >= 0);
    }
    return new Map(entries.map((entry) => [entry.name, entry.result]));
  } finally {
    for (const entry of entries) entry.end();
    await within(patience, 'the service did not stop', Promise.resolve(service?.stop()));
  }
}
