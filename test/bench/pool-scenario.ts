import type { Check } from './check.js';
import { Connection } from './connection.js';
import type { Open, Run, Scenario } from './scenario.js';
import type { MakeSubject, Subject } from './subject.js';
import { SUBJECTS, type SubjectName } from './subjects.js';

/** A scenario in which pools take part, as times the floor. */
export function poolScenario(
  scenario: Pick<Scenario, 'name' | 'unit' | 'per' | 'goal' | 'isLong' | 'als'> & {
    readonly subjects?: readonly SubjectName[] | undefined;
  },
  open: (make: MakeSubject, check: Check) => Promise<Run>,
): Scenario {
  const { subjects, ...rest } = scenario;
  const names = subjects ?? (Object.keys(SUBJECTS) as SubjectName[]);
  const contestants = names.map((name): [string, Open] => [name, async (check) => open(await SUBJECTS[name](), check)]);
  return { ...rest, reference: names[0]!, contestants: Object.fromEntries(contestants) };
}

export function connect(): Promise<Connection> {
  return Promise.resolve(new Connection());
}

/** Opens all connections, also those of a pool that opens none before it is asked. */
export async function fill(subject: Subject, size: number): Promise<void> {
  const handles = await Promise.all(Array.from({ length: size }, () => subject.acquire()));
  for (const handle of handles) subject.release(handle);
}
