import { HOOKS } from './behaviour.js';
import { fault, whole } from './fields.js';
import { BACKEND, FACTORY, SETTINGS, type Programme } from './programme.js';
import { STEPS, type StepName } from './steps.js';

/** A programme as text: JSON, a line for each step, which {@link readScript} reads again. */
export function printScript({ seed, settings, factory, backend, steps }: Programme): string {
  const lines = Object.entries({ seed, settings, factory, backend }).map(
    ([key, value]) => `  "${key}": ${json(value)},`,
  );
  const stepLines = steps.map((step) => `    ${json(step)}`).join(',\n');
  return `{\n${lines.join('\n')}\n  "steps": [\n${stepLines}\n  ]\n}\n`;
}

function json(value: unknown): string {
  return JSON.stringify(value, undefined, 1).replaceAll(/\n\s*/g, ' ');
}

/** What a script that was written by hand may leave out. */
const DEFAULTS = {
  seed: 0,
  settings: {
    size: 1,
    connectTimeout: 100,
    reconnect: { delay: 10, maxDelay: 50, jitter: 'none' },
    keepaliveTimeout: 50,
    resetTimeout: 50,
    closeTimeout: 20,
    shutdownTimeout: 50,
  },
  factory: { keepalive: false, reset: false, isUsable: false, kind: 'object', tells: 'events', closedBy: 'hook' },
  backend: Object.fromEntries(HOOKS.map((hook) => [hook, { outcome: 'ok' }])),
};

/**
 * Reads a script, as it was printed or as somebody wrote it; what is left out has its default.
 *
 * @throws Error with a line for each fault: where, what was received, and what is allowed
 */
export function readScript(text: string): Programme {
  let script: unknown;
  try {
    script = JSON.parse(text);
  } catch (error) {
    throw new Error(`The script is no JSON: ${(error as Error).message}`, { cause: error });
  }
  const complete = laidOver(DEFAULTS, script);
  const faults = faultsOf(complete);
  if (faults.length > 0) {
    throw new Error(`The script cannot be run:\n${faults.map((each) => `  - ${each}`).join('\n')}`);
  }
  return complete as Programme;
}

/** An object's fields over those of the defaults, to a depth of two; anything else as it is. */
function laidOver(defaults: object, given: unknown, depth = 2): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given) || depth === 0) return given;
  const parts = Object.entries(defaults).map(([key, value]) => {
    const part = given[key as never];
    return [
      key,
      part === undefined ? value : typeof value === 'object' ? laidOver(value as object, part, depth - 1) : part,
    ];
  });
  return { ...given, ...Object.fromEntries(parts) };
}

const PARTS = { seed: whole(0, 2 ** 31 - 1), settings: SETTINGS, factory: FACTORY, backend: BACKEND } as const;

function faultsOf(script: unknown): string[] {
  if (typeof script !== 'object' || script === null || Array.isArray(script)) {
    return [fault('script', script, `an object with ${Object.keys(PARTS).join(', ')}, steps`)];
  }
  const given = script as Record<string, unknown>;
  const unknown = Object.keys(given).filter((key) => !(key in PARTS) && key !== 'steps');
  const steps = given['steps'];
  return [
    ...unknown.map((key) =>
      fault(key, given[key], `not there; what may be there is ${Object.keys(PARTS).join(', ')}, steps`),
    ),
    ...Object.entries(PARTS).flatMap(([key, field]) => field.faults(given[key], key)),
    ...(Array.isArray(steps) ? steps.flatMap(stepFaults) : [fault('steps', steps, 'a list of steps')]),
  ];
}

function stepFaults(step: unknown, index: number): string[] {
  const path = `steps[${index}]`;
  const names = Object.keys(STEPS).join(', ');
  if (typeof step !== 'object' || step === null) return [fault(path, step, `an object whose "do" is one of ${names}`)];
  const { do: name, ...values } = step as { do?: unknown };
  if (typeof name !== 'string' || !Object.hasOwn(STEPS, name)) return [fault(`${path}.do`, name, `one of ${names}`)];
  return STEPS[name as StepName].fields.faults(values, path);
}
