import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { Check } from './check.js';
import { Connection } from './connection.js';
import { scenarioNamed } from './every-scenario.js';
import { EVERY_SCENARIO } from './every-scenario.js';
import { useOf, type MakeSubject, type Subject } from './subject.js';
import { SUBJECTS } from './subjects.js';

/** How a pool chooses who is next, and what he gets. */
interface Cheat {
  next(callers: Array<(connection: Connection) => void>): ((connection: Connection) => void) | undefined;
  /** Whether a connection is lent while somebody has it. */
  readonly lendsTwice?: true;
}

/** A pool of a few lines. */
function poolThat({ next, lendsTwice }: Cheat): MakeSubject {
  const make = ({ size }: { readonly size: number }): Subject<Connection, Connection> => {
    const idle = Array.from({ length: size }, () => new Connection());
    const callers: Array<(connection: Connection) => void> = [];
    const verbs = {
      acquire: (): Promise<Connection> => {
        const connection = lendsTwice ? idle[0] : idle.pop();
        if (connection !== undefined) return Promise.resolve(connection);
        return new Promise((resolve) => callers.push(resolve));
      },
      connectionOf: (connection: Connection) => connection,
      release: (connection: Connection): void => {
        if (lendsTwice) return;
        const caller = next(callers);
        if (caller === undefined) idle.push(connection);
        else caller(connection);
      },
    };
    return { ...verbs, discard: () => void idle.push(new Connection()), close: async () => {}, use: useOf(verbs) };
  };
  return make as unknown as MakeSubject;
}

/** Runs a batch of the scenario with such a pool in the floor's place. */
async function verdictOn(make: MakeSubject, scenario = '100 on 10, for a microtask'): Promise<string | undefined> {
  jest.spyOn(SUBJECTS, 'floor').mockImplementation(() => Promise.resolve(make));
  const check = new Check();
  const run = await scenarioNamed(scenario).contestants['floor']!(check, '');
  await run.batch();
  return check.verdict;
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('The check', () => {
  test('finds nothing wrong with a pool that serves the first who came', async () => {
    expect(await verdictOn(poolThat({ next: (callers) => callers.shift() }))).toBeUndefined();
  });

  test('voids a pool that serves the last who came', async () => {
    expect(await verdictOn(poolThat({ next: (callers) => callers.pop() }))).toMatch(
      /^callers were overtaken \(\d+ of 5000\)$/,
    );
  });

  test('voids a pool that lends a connection to two', async () => {
    const verdict = await verdictOn(poolThat({ next: (callers) => callers.shift(), lendsTwice: true }));
    expect(verdict).toMatch(/^a connection was lent twice \(\d+ times\)$/);
  });

  test('voids a pool that lends again what somebody holds while others come and go', async () => {
    const verdict = await verdictOn(
      poolThat({ next: (callers) => callers.shift(), lendsTwice: true }),
      'one caller, 10 half leased',
    );
    expect(verdict).toMatch(/^a connection was lent twice/);
  });

  test('voids a pool that serves some and forgets others', () => {
    const check = new Check();
    check.arrive();
    check.serve(check.arrive(), new Connection());
    expect(check.verdict).toBe('callers were overtaken (1 of 1), callers were forgotten (1)');
  });
});

describe('A scenario', () => {
  test('has a name of its own, and a reference that takes part', () => {
    const names = EVERY_SCENARIO.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    for (const { contestants, reference } of EVERY_SCENARIO) expect(Object.keys(contestants)).toContain(reference);
  });
});
