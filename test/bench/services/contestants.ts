import type { Check } from '../check.js';
import type { Pooled } from '../connection.js';
import { fill } from '../pool-scenario.js';
import type { Open, Run } from '../scenario.js';
import type { Subject } from '../subject.js';
import { SUBJECTS, type SubjectName } from '../subjects.js';
import { callersThatComeAgain, type Ask } from './callers.js';

/** What all contestants of a scenario have in common. */
export interface Traffic {
  /** Connections. */
  readonly size: number;
  readonly callers: number;
  /** In a batch: so many that it hardly counts that all callers come at once when it begins. */
  readonly requests: number;
}

/** A connection that takes one request at a time. */
export interface Askable extends Pooled {
  ask(number: number): Promise<void>;
}

/** Loads a client, in the processes of those contestants that need it, and yields what connects it to an address. */
export type LoadConnect = () => Promise<(address: string) => Promise<Askable>>;

/** No pool: each connection has a caller of its own, so that nobody waits for anybody. */
export function withoutPool({ size, requests }: Traffic, load: LoadConnect): Open {
  return async (_check, address) => {
    const connect = await load();
    const connections = await Promise.all(Array.from({ length: size }, () => connect(address)));
    const callers = connections.map(
      (connection): Ask =>
        (number) =>
          connection.ask(number),
    );
    return callersThatComeAgain(callers, requests);
  };
}

/** These pools, by their names. */
export function withPools(
  names: readonly SubjectName[],
  traffic: Traffic,
  load: LoadConnect,
): Readonly<Record<string, Open>> {
  const contestants = names.map((name): [string, Open] => [
    name,
    async (check, address) => {
      const [make, connect] = await Promise.all([SUBJECTS[name](), load()]);
      return borrowers(make({ size: traffic.size, connect: () => connect(address) }), check, traffic);
    },
  ]);
  return Object.fromEntries(contestants);
}

/** Callers who borrow a connection for one request each. */
export async function borrowers(
  subject: Subject<Askable>,
  check: Check,
  { size, callers, requests }: Traffic,
): Promise<Run> {
  await fill(subject, size);
  const ask: Ask = async (number) => {
    const place = check.arrive();
    const handle = await subject.acquire();
    const connection = subject.connectionOf(handle);
    check.serve(place, connection);
    try {
      await connection.ask(number);
    } finally {
      check.giveBack(connection);
      subject.release(handle);
    }
  };
  return callersThatComeAgain(
    Array.from({ length: callers }, () => ask),
    requests,
  );
}
