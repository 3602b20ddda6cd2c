import type { Scenario } from './scenario.js';

/** A line of the table: a scenario, without an AsyncLocalStorage or with one, and who takes part. */
export interface Row {
  readonly name: string;
  readonly scenario: Scenario;
  readonly als: boolean;
  /** The reference first. */
  readonly contestants: readonly string[];
}

/** Which rows are wanted. */
export interface Selection {
  /** Parts of scenarios' names; empty: all. */
  readonly only: readonly string[];
  /** Besides the reference; undefined: all. */
  readonly contestants: readonly string[] | undefined;
  /** Whether those that take long are left out, unless they are asked for by name. */
  readonly isShort: boolean;
  /** Without an AsyncLocalStorage, with one, or both. */
  readonly als: readonly boolean[];
}

/** A scenario in which nobody who is asked for takes part makes no row. */
export function rowsOf(scenarios: readonly Scenario[], { only, contestants, isShort, als }: Selection): Row[] {
  const chosen = scenarios.filter(({ name, isLong }) =>
    only.length === 0 ? !(isShort && isLong) : only.some((text) => name.includes(text)),
  );
  return chosen.flatMap((scenario) => {
    const names = Object.keys(scenario.contestants);
    const asked = names.filter((name) => contestants?.includes(name) ?? true);
    if (asked.length === 0) return [];
    const { reference } = scenario;
    const entrants = [reference, ...asked.filter((name) => name !== reference)];
    return als
      .filter((active) => !active || scenario.als !== false)
      .map((active) => ({ name: rowName(scenario.name, active), scenario, als: active, contestants: entrants }));
  });
}

export function rowName(scenario: string, als: boolean): string {
  return als ? `${scenario} [ALS]` : scenario;
}

/** All who take part in any of them, each once. */
export function contestantsOf(scenarios: readonly Scenario[]): string[] {
  return [...new Set(scenarios.flatMap(({ contestants }) => Object.keys(contestants)))];
}
