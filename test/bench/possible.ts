import process from 'node:process';
import { EVERY_SCENARIO } from './every-scenario.js';
import type { Scenario } from './scenario.js';

/** Those for which this machine has what they need. */
export const SCENARIOS: readonly Scenario[] = await possible(EVERY_SCENARIO);

/** Says of each that is left out what it lacks. */
async function possible(scenarios: readonly Scenario[]): Promise<Scenario[]> {
  const found: Scenario[] = [];
  for (const scenario of scenarios) {
    const missing = await scenario.whatIsMissing?.();
    if (missing === undefined) found.push(scenario);
    else process.stderr.write(`Left out: ${scenario.name}: ${missing}\n`);
  }
  return found;
}
