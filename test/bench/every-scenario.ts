import type { Scenario } from './scenario.js';
import { FILLING } from './scenarios/filling.js';
import { HTTP } from './scenarios/http.js';
import { LEASES } from './scenarios/leases.js';
import { MEMORY } from './scenarios/memory.js';
import { OPTIONS } from './scenarios/options.js';
import { MYSQL } from './scenarios/mysql.js';
import { POSTGRES } from './scenarios/postgres.js';
import { RETRYABLE } from './scenarios/retryable.js';
import { TCP_ECHO } from './scenarios/tcp-echo.js';
import { TIMEOUTS } from './scenarios/timeouts.js';

/** Whether or not this machine has what they need. */
export const EVERY_SCENARIO: readonly Scenario[] = [
  ...LEASES,
  ...OPTIONS,
  ...TIMEOUTS,
  ...MEMORY,
  FILLING,
  TCP_ECHO,
  HTTP,
  POSTGRES,
  MYSQL,
  ...RETRYABLE,
];

export function scenarioNamed(name: string): Scenario {
  const found = EVERY_SCENARIO.find((each) => each.name === name);
  if (found === undefined) throw new Error(`There is no scenario "${name}"`);
  return found;
}
