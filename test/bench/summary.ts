import type { Result } from './entry.js';
import type { Goal } from './scenario.js';

/** The contestant that the goals are for. */
export const OURS = 'ours';

/** Those whom nobody would choose instead of it: itself with observers, and what no pool could do without. */
const NO_PEERS = [OURS, 'observed', 'floor'];

/** A median, and the quartiles beside it. */
export interface Spread {
  readonly median: number;
  readonly quartiles: readonly [lower: number, upper: number];
}

/** What becomes of a contestant's costs. */
export type Standing =
  | {
      readonly costs: readonly number[];
      readonly cost: Spread;
      /** Each round's cost, as times what the reference cost in that round: what disturbs the machine disturbs both. */
      readonly ratio: Spread;
      /** Each round's cost, less what the reference cost in that round. */
      readonly more: Spread;
      /** What else was seen, such as percentiles, by its name. */
      readonly also: Readonly<Record<string, Spread>>;
    }
  | { readonly void: string };

export interface Summary {
  readonly standings: Readonly<Record<string, Standing>>;
  /** Whether ours reaches the goal; undefined where there is no goal, or nothing to compare. */
  readonly goalMet: boolean | undefined;
  /** What ours comes to, in the terms of the goal; undefined as above. */
  readonly reached: number | undefined;
  /** The peers (all but ours, observed or not, the floor and the reference) whose median ratio is not above ours; undefined as above. */
  readonly ahead: readonly string[] | undefined;
  /** Why the benchmark itself failed here, if it did: the reference or ours is void. */
  readonly broken: string | undefined;
}

export function summarise(results: ReadonlyMap<string, Result>, reference: string, goal?: Goal): Summary {
  const base = results.get(reference);
  const standings: Record<string, Standing> = {};
  for (const [name, result] of results) standings[name] = standingOf(result, base);
  const broken = [reference, OURS].find((name) => name in standings && 'void' in standings[name]!);
  const ours = standings[OURS];
  const isMeasured = ours !== undefined && 'cost' in ours;
  const reached = isMeasured && goal !== undefined ? judgedBy(goal, ours) : undefined;
  return {
    standings,
    goalMet: reached === undefined ? undefined : reached <= limitOf(goal!),
    reached,
    ahead: isMeasured ? aheadOf(ours.ratio.median, standings, reference) : undefined,
    broken: broken === undefined ? undefined : `${broken} is void: ${(standings[broken] as { void: string }).void}`,
  };
}

function standingOf(result: Result, reference: Result | undefined): Standing {
  if ('void' in result) return result;
  if (reference === undefined || 'void' in reference) return { void: 'there is nothing to compare it with' };
  const { costs, also = {} } = result;
  return {
    costs,
    cost: spreadOf(costs),
    ratio: spreadOf(ratiosOf(costs, reference.costs)),
    more: spreadOf(costs.map((cost, round) => cost - reference.costs[round]!)),
    also: Object.fromEntries(Object.entries(also).map(([name, figures]) => [name, spreadOf(figures)])),
  };
}

function judgedBy(goal: Goal, { cost, ratio, more }: Exclude<Standing, { void: string }>): number {
  if ('times' in goal) return ratio.median;
  return 'units' in goal ? cost.median : more.median;
}

function limitOf(goal: Goal): number {
  if ('times' in goal) return goal.times;
  return 'units' in goal ? goal.units : goal.more;
}

function aheadOf(ours: number, standings: Summary['standings'], reference: string): readonly string[] | undefined {
  const peers = Object.entries(standings).filter(([name]) => !NO_PEERS.includes(name) && name !== reference);
  const valid = peers.filter(([, standing]) => 'ratio' in standing);
  if (valid.length === 0) return undefined;
  return valid.filter(([, standing]) => 'ratio' in standing && standing.ratio.median <= ours).map(([name]) => name);
}

/** Round by round. */
export function ratiosOf(costs: readonly number[], reference: readonly number[]): number[] {
  return costs.map((cost, round) => cost / reference[round]!);
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: quantile(sorted, 0.5), quartiles: [quantile(sorted, 0.25), quantile(sorted, 0.75)] };
}

/** Between two values it lies as far as the quantile does between their places. */
function quantile(sorted: readonly number[], part: number): number {
  const place = (sorted.length - 1) * part;
  const below = sorted[Math.floor(place)]!;
  const above = sorted[Math.ceil(place)]!;
  return below + (above - below) * (place - Math.floor(place));
}
