import type { Scenario } from './scenario.js';
import { LEASES } from './scenarios/leases.js';

export const SCENARIOS: readonly Scenario[] = [...LEASES];

export function scenarioNamed(name: string): Scenario {
  const found = SCENARIOS.find((each) => each.name === name);
  if (found === undefined) throw new Error(`There is no scenario "${name}"`);
  return found;
}
