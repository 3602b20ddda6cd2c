import { PoolSettingsError } from '../pool/errors.js';
import { describeValue, isGiven, isPlainObject, parseJson, readObject, rule } from '../pool/rules.js';
import type { Reading, Rule, RulesFor } from '../pool/rules.js';

/** How large a {@link RetryBudget} is and how fast it fills again. */
export interface RetryBudgetOptions {
  /** What the budget holds when full, as it is at first. Retries are made while more than half of it is left. */
  readonly maxTokens: number;
  /** What each success gives back. A failure takes 1, so 0.1 allows about one retry for ten successes. */
  readonly tokenRatio: number;
}

const aboveZero = (): Rule<number> =>
  rule(
    'a number above 0',
    (value) => (typeof value === 'number' && value > 0 && value < Infinity ? value : undefined),
    (text) => (text.trim() === '' ? text : Number(text)),
  );

const BUDGET_RULES = {
  maxTokens: aboveZero(),
  tokenRatio: aboveZero(),
} as const satisfies RulesFor<RetryBudgetOptions>;

/**
 * Keeps retries from multiplying an outage: a bucket of tokens that failures empty and successes fill. It starts full; a
 * failure that could be retried takes 1, a success gives `tokenRatio`, and retries are made only while more than half of
 * `maxTokens` is left. After gRPC's retry throttling (proposal A6). Give one object to several methods to have them
 * share it.
 *
 * @throws PoolSettingsError if an option is missing or not above 0
 */
export class RetryBudget {
  readonly maxTokens: number;
  readonly tokenRatio: number;
  private left: number;

  constructor(options: RetryBudgetOptions) {
    const reading: Reading = { faults: [], fromText: false };
    const read = readBudget(options, 'budget', reading);
    if (read === undefined) throw new PoolSettingsError('a RetryBudget', reading.faults);
    this.maxTokens = read.maxTokens;
    this.tokenRatio = read.tokenRatio;
    this.left = read.maxTokens;
  }

  /** What is left, from 0 to `maxTokens`. */
  get tokens(): number {
    return this.left;
  }

  /** Whether retries may be made. */
  get allowsRetry(): boolean {
    return this.left > this.maxTokens / 2;
  }

  /** Takes 1 for a failure that could be retried. */
  noteFailure(): void {
    this.left = Math.max(0, this.left - 1);
  }

  /** Gives `tokenRatio` for a success. */
  noteSuccess(): void {
    this.left = Math.min(this.maxTokens, this.left + this.tokenRatio);
  }
}

/** A budget of its own for whoever gives these options; an object that several share; or false for none. */
export const BUDGET_RULE: Rule<RetryBudgetOptions | RetryBudget | false> = {
  allowed: '{ maxTokens, tokenRatio }, both above 0; a RetryBudget; or false for none',
  read(value, path, reading) {
    const given = reading.fromText && typeof value === 'string' ? parseJson(value) : value;
    return given === false || given instanceof RetryBudget ? given : readBudget(given, path, reading);
  },
};

/** The budget that options stand for: a new one, the shared object, or none. */
export function budgetFrom(given: RetryBudgetOptions | RetryBudget | false | undefined): RetryBudget | undefined {
  if (given === undefined || given === false) return undefined;
  return given instanceof RetryBudget ? given : new RetryBudget(given);
}

function readBudget(value: unknown, path: string, reading: Reading): RetryBudgetOptions | undefined {
  if (!isPlainObject(value)) {
    reading.faults.push({ path, received: describeValue(value), allowed: BUDGET_RULE.allowed });
    return undefined;
  }
  const known = reading.faults.length;
  const { maxTokens, tokenRatio } = readObject<RetryBudgetOptions>(value, BUDGET_RULES, path, reading);
  for (const key of ['maxTokens', 'tokenRatio'] as const) {
    if (isGiven(value[key], reading)) continue;
    reading.faults.push({ path: `${path}.${key}`, received: 'none', allowed: BUDGET_RULES[key].allowed });
  }
  return reading.faults.length > known ? undefined : { maxTokens: maxTokens!, tokenRatio: tokenRatio! };
}
