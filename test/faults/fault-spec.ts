import { PoolSettingsError } from '../../src/pool/errors.js';
import { describeValue, isPlainObject, readObject, type Reading } from '../../src/pool/rules.js';
import { TIMING_RULES, type Fault, type GivenOf, type ReadTiming, type Timing, type ValuesOf } from './fault.js';
import { FAULTS } from './faults.js';

type Registry = typeof FAULTS;
export type FaultName = keyof Registry;

/** A fault by its name alone, with its usual options; or with options, and with when it begins. */
export type FaultSpec = {
  [N in FaultName]: N | ({ readonly fault: N } & GivenOf<Registry[N]['options']> & Timing);
}[FaultName];

/** What is wrong with one connection: nothing (`[]`), one thing, or several, which act in this order. */
export type FaultSpecs = FaultSpec | readonly FaultSpec[];

/** A fault with all its options, ready to be applied. */
export interface ReadFault {
  readonly name: FaultName;
  readonly fault: Fault;
  readonly options: ValuesOf<Fault['options']>;
  readonly timing: ReadTiming;
}

export const FAULT_NAMES = Object.keys(FAULTS) as FaultName[];

/** What may stand for a fault, in words. */
export const ALLOWED_FAULTS =
  `one of ${FAULT_NAMES.map((name) => `'${name}'`).join(', ')}, or { fault: <one of these>, …options }; ` +
  'to refuse connections, take the listener down: proxy.down()';

/**
 * Reads what is wrong with each of some connections, each at its place of `path`.
 * @throws PoolSettingsError which names everything that is wrong, what was received, and what is allowed
 */
export function readSpecs(given: readonly unknown[], path: string): ReadFault[][] {
  return reading('the fault proxy', (reading) =>
    given.map((specs, index) => readConnection(specs, `${path}[${index}]`, reading)),
  );
}

/** Reads something, and throws if anything was wrong with it. */
export function reading<T>(subject: string, read: (reading: Reading) => T): T {
  const reading: Reading = { faults: [], fromText: false };
  const result = read(reading);
  if (reading.faults.length > 0) throw new PoolSettingsError(subject, reading.faults);
  return result;
}

/** One spec or a list of them. */
export function readConnection(given: unknown, path: string, reading: Reading): ReadFault[] {
  if (!Array.isArray(given)) return readSpec(given, path, reading);
  return given.flatMap((spec, index) => readSpec(spec, `${path}[${index}]`, reading));
}

/** None if something is wrong with it, which is noted. */
function readSpec(given: unknown, path: string, reading: Reading): ReadFault[] {
  const { fault: named, ...rest } = isPlainObject(given) ? given : { fault: given };
  const name = FAULT_NAMES.find((each) => each === named);
  if (name === undefined) {
    reading.faults.push({ path, received: describeValue(given), allowed: ALLOWED_FAULTS });
    return [];
  }
  const fault: Fault = FAULTS[name];
  const rules = Object.entries(fault.options).map(([key, { rule }]) => [key, rule] as const);
  const read = readObject(rest, { ...Object.fromEntries(rules), ...TIMING_RULES }, path, reading);
  const { after, afterBytes, afterIdle, way, ...options } = read as ReadTiming & Record<string, unknown>;
  const usual = Object.entries(fault.options).map(([key, option]) => [key, option.usual] as const);
  return [
    {
      name,
      fault,
      options: { ...Object.fromEntries(usual), ...options },
      timing: { after, afterBytes, afterIdle, way },
    },
  ];
}
