import { withCommas } from '../svg.js';
import type { Row } from './rows.js';
import type { Goal, Scenario } from './scenario.js';
import { OURS, type Spread, type Standing, type Summary } from './summary.js';

const NAME_WIDTH = 40;
const COST_WIDTH = 14;
const RATIO_WIDTH = 14;

/** The ratios of row after row, in columns; a new head where others take part. */
export class Table {
  private head = '';

  /** @returns the lines for one row */
  lines(row: Row, { standings, goalMet, reached, ahead }: Summary): string[] {
    const [reference, ...others] = row.contestants;
    const head = [
      'times the reference'.padEnd(NAME_WIDTH),
      reference!.padStart(COST_WIDTH),
      ...others.map((name) => name.padStart(widthOf(name))),
      '  goal',
    ].join('');
    const line = [
      row.name.padEnd(NAME_WIDTH),
      costOf(standings[reference!]!, row.scenario).padStart(COST_WIDTH),
      ...others.map((name) => ratioOf(standings[name]!).padStart(widthOf(name))),
      `  ${[goalOf(row.scenario, goalMet, reached), placeOf(ahead)].filter((text) => text !== '').join(', ')}`,
    ].join('');
    const isNew = head !== this.head;
    this.head = head;
    return [...(isNew ? [head] : []), line.trimEnd(), ...voidsOf(standings)];
  }
}

export function comparisonHead(): string {
  return [
    'head as times base'.padEnd(NAME_WIDTH),
    'base'.padStart(COST_WIDTH),
    'head'.padStart(COST_WIDTH),
    'ratio'.padStart(RATIO_WIDTH),
  ].join('');
}

/** Of a row with but two, of whom one is the reference. */
export function comparisonLines(row: Row, { standings }: Summary, base: string, head: string): string[] {
  const line = [
    row.name.padEnd(NAME_WIDTH),
    costOf(standings[base]!, row.scenario).padStart(COST_WIDTH),
    costOf(standings[head]!, row.scenario).padStart(COST_WIDTH),
    ratioOf(standings[head]!).padStart(RATIO_WIDTH),
  ].join('');
  return [line, ...voidsOf(standings)];
}

function voidsOf(standings: Summary['standings']): string[] {
  return Object.entries(standings).flatMap(([name, standing]) =>
    'void' in standing ? [`  ${name} is void: ${standing.void}`] : [],
  );
}

function widthOf(contestant: string): number {
  return Math.max(contestant.length + 2, RATIO_WIDTH);
}

function costOf(standing: Standing, { unit }: Scenario): string {
  return 'void' in standing ? 'void' : withUnit(standing.cost.median, unit);
}

function withUnit(value: number, unit: Scenario['unit']): string {
  return `${shown(value)} ${unit}`;
}

function shown(value: number): string {
  return value < 100 ? significant(value) : withCommas(Math.round(value));
}

function ratioOf(standing: Standing): string {
  return 'void' in standing ? 'void' : showSpread(standing.ratio);
}

/** The median, and half the distance between the quartiles: `1.13 ±0.04`. */
export function showSpread({ median, quartiles: [lower, upper] }: Spread): string {
  // What the reference does for nothing nobody does in times of it.
  if (!Number.isFinite(median)) return '-';
  const digits = digitsFor(median);
  return `${median.toFixed(digits)} ±${((upper - lower) / 2).toFixed(digits)}`;
}

/** Three digits, for more are noise. */
export function significant(value: number): string {
  return value.toFixed(digitsFor(value));
}

function digitsFor(value: number): number {
  if (Math.abs(value) >= 100) return 0;
  return Math.abs(value) >= 10 ? 1 : 2;
}

function goalOf({ goal, unit }: Scenario, goalMet: boolean | undefined, reached: number | undefined): string {
  if (goal === undefined) return '';
  if (goalMet === undefined || reached === undefined) return showGoal(goal, unit);
  // Ours as times the reference stands in the line already.
  const figure = 'times' in goal ? '' : ` at ${shown(reached)}`;
  return `${showGoal(goal, unit)} ${goalMet ? 'met' : 'MISSED'}${figure}`;
}

export function showGoal(goal: Goal, unit: Scenario['unit']): string {
  if ('times' in goal) return `≤ ${goal.times.toFixed(2)}`;
  return 'units' in goal ? `≤ ${withCommas(goal.units)} ${unit}` : `≤ ${withCommas(goal.more)} ${unit} more`;
}

function placeOf(ahead: Summary['ahead']): string {
  if (ahead === undefined) return '';
  return ahead.length === 0 ? `${OURS} is the best` : `behind ${ahead.join(' and ')}`;
}
