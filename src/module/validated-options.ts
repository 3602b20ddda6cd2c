import { ValidateBy, validateSync } from 'class-validator';
import { describeValue, isGiven, isPlainObject, parseJson, type Reading, type Rule } from '../pool/rules.js';

/** Rules by the names of the options that they are for. */
export type Rules = Readonly<Record<string, Rule<unknown>>>;

/** Where the validated class leaves what it has read. */
interface Target {
  readonly path: string;
  readonly reading: Reading;
  readonly result: Record<string, unknown>;
}

const TARGET = Symbol('what has been read');

/** Options on their way through class-validator. Each kind has a class of its own, decorated from its rules. */
abstract class Options {
  // Under a symbol, so that no option of a user can have its name and class-validator does not take it for one.
  readonly [TARGET]: Target;

  constructor(target: Target) {
    this[TARGET] = target;
  }
}

/**
 * An object of options that class-validator checks: a class is made whose properties are decorated from the rules, so that
 * each rule stands once. The instances are built here and not by class-transformer, which copies loggers and turns a
 * union of number and object into NaN.
 *
 * @param elsewhere where an option that is unknown here belongs, to be added to what is allowed
 */
export function validatedOptions<T extends object>(
  rules: Rules,
  elsewhere = (_key: string): string => '',
): Rule<Partial<T>> {
  const Validated = class extends Options {};
  for (const [key, rule] of Object.entries(rules)) Obeys(rule)(Validated.prototype, key);
  const allowed = `an object of: ${Object.keys(rules).join(', ')}`;
  return {
    allowed,
    read(value, path, reading) {
      const given = reading.fromText && typeof value === 'string' ? parseJson(value) : value;
      if (!isPlainObject(given)) {
        reading.faults.push({ path, received: describeValue(value), allowed });
        return undefined;
      }
      const target: Target = { path, reading, result: {} };
      const known = Object.entries(given).filter(([key, each]) => Object.hasOwn(rules, key) && isGiven(each, reading));
      validateSync(Object.assign(new Validated(target), Object.fromEntries(known)), { skipUndefinedProperties: true });
      // Not by class-validator's whitelist, which a key such as `constructor` leads astray.
      for (const [key, each] of Object.entries(given)) {
        if (Object.hasOwn(rules, key)) continue;
        // Its value is not shown: what is unknown may be a secret that stands in the wrong place.
        const allowed = `nothing of this name; there are: ${Object.keys(rules).join(', ')}${elsewhere(key)}`;
        reading.faults.push({ path: join(path, key), received: `a value of type ${typeof each}`, allowed });
      }
      return target.result as Partial<T>;
    },
  };
}

/** An object whose keys are free (names of pools, of presets) and whose values all obey one rule. */
export function dictionary<T>(what: string, rule: Rule<T>): Rule<Readonly<Record<string, T>>> {
  const allowed = `an object of ${what}`;
  return {
    allowed,
    read(value, path, reading) {
      const given = reading.fromText && typeof value === 'string' ? parseJson(value) : value;
      if (!isPlainObject(given)) {
        reading.faults.push({ path, received: describeValue(value), allowed });
        return undefined;
      }
      const named = Object.entries(given).filter(([, each]) => isGiven(each, reading));
      return Object.fromEntries(named.map(([name, each]) => [name, rule.read(each, join(path, name), reading) as T]));
    },
  };
}

/** A decorator of class-validator that asks a rule, and keeps the value in the rule's normal form. */
function Obeys(rule: Rule<unknown>): PropertyDecorator {
  return ValidateBy({
    name: 'obeysItsRule',
    validator: {
      validate(value, args) {
        const { property, object } = args!;
        const { path, reading, result } = (object as Options)[TARGET];
        const before = reading.faults.length;
        result[property] = rule.read(value, join(path, property), reading);
        return reading.faults.length === before;
      },
      defaultMessage: () => rule.allowed,
    },
  });
}

function join(path: string, key: string): string {
  return path === '' ? key : `${path}.${key}`;
}
