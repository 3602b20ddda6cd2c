import type { Row } from './rows.js';

/**
 * Those rows for which this machine has what they need.
 *
 * @param say told of each scenario that is left out, and what it lacks
 * @throws Error if there is none
 */
export async function possible(rows: readonly Row[], say: (line: string) => void): Promise<Row[]> {
  const lacking = new Map<string, string | undefined>();
  for (const { scenario } of rows) {
    if (lacking.has(scenario.name)) continue;
    const missing = await scenario.whatIsMissing?.();
    lacking.set(scenario.name, missing);
    if (missing !== undefined) say(`Left out: ${scenario.name}: ${missing}`);
  }
  const found = rows.filter(({ scenario }) => lacking.get(scenario.name) === undefined);
  if (found.length === 0) throw new Error('Nothing that was asked for can be measured on this machine');
  return found;
}
