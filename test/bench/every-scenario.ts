import type { Scenario } from './scenario.js';
import { HTTP } from './scenarios/http.js';
import { LEASES } from './scenarios/leases.js';
import { POSTGRES } from './scenarios/postgres.js';
import { TCP_ECHO } from './scenarios/tcp-echo.js';

/** Whether or not this machine has what they need. */
export const EVERY_SCENARIO: readonly Scenario[] = [...LEASES, TCP_ECHO, HTTP, POSTGRES];

export function scenarioNamed(name: string): Scenario {
  const found = EVERY_SCENARIO.find((each) => each.name === name);
  if (found === undefined) throw new Error(`There is no scenario "${name}"`);
  return found;
}
