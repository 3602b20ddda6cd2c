import { describeValue, duration, isPlainObject, oneOf, readObject } from '../../src/pool/rules.js';
import type { Reading, Rule } from '../../src/pool/rules.js';
import { wholeBetween, type Random, type Timing } from './fault.js';
import type { FaultProxy } from './fault-proxy.js';
import { FAULT_NAMES, readConnection, reading, type FaultName, type FaultSpec, type FaultSpecs } from './fault-spec.js';
import { FAULTS } from './faults.js';

/** Something that happens to a proxy. Plain data, so that a script can be written down, printed and played again. */
export type Step =
  | { readonly do: 'wait'; readonly for: number }
  | { readonly do: 'next'; readonly faults: readonly FaultSpecs[] }
  | { readonly do: 'always'; readonly faults: readonly FaultSpec[] }
  /** `'one'` is the connection that has been open for longest. */
  | { readonly do: 'apply'; readonly to: 'all' | 'one'; readonly faults: readonly FaultSpec[] }
  | { readonly do: 'down' }
  | { readonly do: 'up' }
  | { readonly do: 'heal' };

type Verb = Step['do'];
type StepOf<V extends Verb> = Extract<Step, { do: V }>;

/** A kind of step: what must stand in it, what it does, and how a random script draws one. */
interface Kind<S> {
  readonly rules: { readonly [K in Exclude<keyof S, 'do'>]-?: Rule<unknown> };
  play(proxy: FaultProxy, step: S): unknown;
  /** Without it, random scripts do not have it. */
  draw?(random: Random, names: readonly FaultName[]): Omit<S, 'do'>;
}

const faults: Rule<readonly unknown[]> = {
  allowed: 'a list of faults',
  read(value, path, reading) {
    if (!Array.isArray(value)) reading.faults.push({ path, received: describeValue(value), allowed: this.allowed });
    else for (const [index, given] of value.entries()) readConnection(given, `${path}[${index}]`, reading);
    return value as unknown[];
  },
};

/** Longer than this is no test; and of more than 24 days Node's timers make a millisecond. */
const LONGEST_PAUSE = 3_600_000;

const PAUSE: Rule<unknown> = {
  allowed: 'a duration of no more than an hour',
  read(value, path, reading) {
    const read = duration().read(value, path, reading);
    if (read === undefined || read <= LONGEST_PAUSE) return read;
    reading.faults.push({ path, received: describeValue(value), allowed: this.allowed });
    return undefined;
  },
};

const KINDS: { readonly [V in Verb]: Kind<StepOf<V>> } = {
  wait: {
    rules: { for: PAUSE },
    play: (_proxy, step) => new Promise((resolve) => setTimeout(resolve, step.for)),
    draw: (random) => ({ for: wholeBetween(1, 40, random) }),
  },
  next: {
    rules: { faults },
    play: (proxy, step) => proxy.next(...step.faults),
    draw: (random, names) => ({ faults: several(3, random, () => several(2, random, () => drawFault(random, names))) }),
  },
  always: {
    rules: { faults },
    play: (proxy, step) => proxy.always(...step.faults),
    draw: (random, names) => ({ faults: several(2, random, () => drawFault(random, names)) }),
  },
  apply: {
    rules: { to: oneOf('all', 'one'), faults },
    play: (proxy, step) => (step.to === 'one' ? proxy.connections[0] : proxy)?.apply(...step.faults),
    draw: (random, names) => ({ to: random() < 0.7 ? 'one' : 'all', faults: [drawFault(random, names)] }),
  },
  down: { rules: {}, play: (proxy) => proxy.down(), draw: () => ({}) },
  up: { rules: {}, play: (proxy) => proxy.up(), draw: () => ({}) },
  heal: { rules: {}, play: (proxy) => proxy.heal() },
};

const VERBS = Object.keys(KINDS) as Verb[];

/**
 * Reads a script that came from elsewhere, such as a file.
 * @throws PoolSettingsError which names everything that is wrong, what was received, and what is allowed
 */
export function readScript(given: unknown): Step[] {
  return reading('the fault script', (reading) => {
    if (!Array.isArray(given)) {
      reading.faults.push({ path: 'script', received: describeValue(given), allowed: 'a list of steps' });
      return [];
    }
    return given.flatMap((step, index) => readStep(step, `[${index}]`, reading));
  });
}

/** Plays the script from its beginning to its end, or until the signal is aborted. What is wrong with it is found first. */
export async function playScript(proxy: FaultProxy, script: readonly Step[], signal?: AbortSignal): Promise<void> {
  for (const step of readScript(script)) {
    if (signal?.aborted === true) return;
    const { play } = KINDS[step.do] as Kind<Step>;
    await play(proxy, step);
  }
}

/** A script of so many acts, each followed by a wait: the same for the same random numbers. @param names its faults */
export function drawScript(acts: number, random: Random, names: readonly FaultName[] = FAULT_NAMES): Step[] {
  const drawn = VERBS.filter((verb) => verb !== 'wait' && KINDS[verb].draw !== undefined);
  return Array.from({ length: acts }, () => [
    drawStep(pick(drawn, random), random, names),
    drawStep('wait', random, names),
  ]).flat();
}

/** None if something is wrong with it, which is noted. */
function readStep(given: unknown, path: string, reading: Reading): Step[] {
  const verb = isPlainObject(given) ? VERBS.find((each) => each === given['do']) : undefined;
  if (verb === undefined) {
    const allowed = `{ do: one of ${VERBS.map((each) => `'${each}'`).join(', ')}, … }`;
    reading.faults.push({ path, received: describeValue(given), allowed });
    return [];
  }
  const { do: _, ...rest } = given as Record<string, unknown>;
  const rules: Record<string, Rule<unknown>> = KINDS[verb].rules;
  const step = readObject(rest, rules, path, reading);
  for (const [name, rule] of Object.entries(rules)) {
    if (rest[name] === undefined) rule.read(undefined, `${path}.${name}`, reading);
  }
  return [{ do: verb, ...step } as Step];
}

function drawStep(verb: Verb, random: Random, names: readonly FaultName[]): Step {
  return { do: verb, ...KINDS[verb].draw?.(random, names) } as Step;
}

/** A fault with some of its options, at once or later, on both ways or one. */
function drawFault(random: Random, names: readonly FaultName[]): FaultSpec {
  const name = pick(
    names.filter((each) => !('corrupts' in FAULTS[each])),
    random,
  );
  const options = Object.entries(FAULTS[name].options).flatMap(([key, option]) =>
    random() < 0.5 ? [[key, option.draw(random)]] : [],
  );
  const later: Timing[] = [
    { after: wholeBetween(0, 100, random) },
    { afterBytes: wholeBetween(1, 300, random) },
    { afterIdle: wholeBetween(5, 60, random) },
  ];
  const when = random() < 0.5 ? pick(later, random) : {};
  const way = random() < 0.3 ? { way: pick(['up', 'down'] as const, random) } : {};
  return { fault: name, ...Object.fromEntries(options), ...when, ...way } as FaultSpec;
}

function several<T>(most: number, random: Random, draw: () => T): T[] {
  return Array.from({ length: wholeBetween(1, most, random) }, draw);
}

function pick<T>(choices: readonly T[], random: Random): T {
  return choices[Math.floor(random() * choices.length)]!;
}
