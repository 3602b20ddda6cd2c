import { describe, expect, test } from '@jest/globals';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import { type Behaviour, ScriptedFactory, VirtualClock, type ScriptedConnection } from '../../src/testing/index.js';
import { fateOf } from './workbench.js';

/*
 * Every outcome of every hook with every other: one story, told 768 times. A pool of one connection is started; a caller
 * borrows it at 500, works for 10 ms and returns it; then nobody comes until its ping has been due; at 2,800 the pool is
 * closed. Each hook behaves as its column says all along; what slow hooks yield comes 50 ms after their time is up.
 *
 *     0 connect      500 lease, 510 reset      2,090 to 2,610 ping      2,800 close
 */
const OUTCOMES = ['ok', 'fails', 'slow', 'hangs'] as const;
type Outcome = (typeof OUTCOMES)[number];
const ANSWERS = ['true', 'false', 'throws'] as const;
type Answer = (typeof ANSWERS)[number];

/** Of every hook. */
const LIMIT = 100;
const SLOW = 150;
const COMES_AT = 500;
const WORKS_FOR = 10;
/** Of which up to a fifth comes early. Long enough for a connection that has waited for it to be no newcomer. */
const KEEPALIVE = 2_000;
const CLOSES_AT = 2_800;

const silent = (): void => {};

interface Account {
  /** What each connection that was opened was closed for, in the order in which they were opened. */
  readonly closed: ReadonlyArray<readonly string[]>;
  /** Which connections the caller was given. */
  readonly served: readonly number[];
  readonly resets: number;
  readonly pings: number;
  readonly connectFailures: number;
  readonly acquireTimeouts: number;
  /** How long the pool's close took. */
  readonly closedWithin: number;
}

/** The contract as arithmetic: what the story must come to. */
function expected(connect: Outcome, keepalive: Outcome, reset: Outcome, close: Outcome, usable: Answer): Account {
  const vain = { served: [], resets: 0, pings: 0, connectFailures: 1, acquireTimeouts: 1, closedWithin: 0 };
  // P1: a failed connect begins a pause, which is longer than the story.
  if (connect === 'fails' || connect === 'hangs') return { ...vain, closed: [] };
  // P1: the late result is closed; P16: as superfluous.
  if (connect === 'slow') return { ...vain, closed: [['surplus']] };
  // Asked when the caller comes. P1: lost before its first lease and within its first second, it was a failed connect.
  if (usable !== 'true') return { ...vain, closed: [['broken']] };
  // P15: a reset that fails or takes too long costs the connection, which has served and is replaced at once. A ping
  // that fails or takes too long is a break (P9); what it costs is old enough to be replaced at once as well. So the
  // last in the row is there when the pool closes, whatever came before.
  const broken = [reset, keepalive].filter((outcome) => outcome !== 'ok').map(() => ['broken']);
  return {
    closed: [...broken, ['shutdown']],
    served: [1],
    resets: 1,
    pings: 1,
    connectFailures: 0,
    acquireTimeouts: 0,
    // A close that fails is over at once; one without an end is given its time.
    closedWithin: close === 'ok' || close === 'fails' ? 0 : LIMIT,
  };
}

/** What it came to. */
async function account(
  connect: Outcome,
  keepalive: Outcome,
  reset: Outcome,
  close: Outcome,
  usable: Answer,
): Promise<Account> {
  const clock = new VirtualClock();
  const factory = new ScriptedFactory({ clock, hooks: ['keepalive', 'reset'] });
  factory.isUsable = () => {
    if (usable === 'throws') throw new Error('isUsable() throws');
    return usable === 'true';
  };
  for (const [hook, outcome] of Object.entries({ connect, keepalive, reset, close })) {
    factory.always(hook as 'connect', BEHAVIOURS[outcome]);
  }
  const pool = new ConnectionPool(factory, {
    size: 1,
    clock,
    logger: { log: silent, warn: silent, error: silent },
    connectTimeout: LIMIT,
    keepaliveTimeout: LIMIT,
    resetTimeout: LIMIT,
    closeTimeout: LIMIT,
    acquireTimeout: 50,
    keepalive: KEEPALIVE,
    reconnect: { delay: 1_000_000, maxDelay: 1_000_000, jitter: 'none' },
  });
  const served: number[] = [];
  const work = async (connection: ScriptedConnection): Promise<void> => {
    served.push(connection.id);
    await new Promise<void>((resolve) => clock.setTimeout(resolve, WORKS_FOR));
  };
  pool.start();
  await clock.advance(COMES_AT);
  const call = fateOf(pool.use(work));
  await clock.advance(CLOSES_AT - COMES_AT);
  expect(call.state).toBe(served.length > 0 ? 'resolved' : 'rejected');
  const closed = fateOf(pool.close());
  await clock.settle();
  const closedWithin = closed.state === 'resolved' ? 0 : LIMIT;
  await clock.advance(closedWithin);
  expect(closed.state).toBe('resolved');
  expect(clock.pending - LATE_TIMERS[close] * (closedWithin === 0 ? 0 : 1)).toBe(0);
  const { totals, open, connecting, closing, waiting } = pool.stats();
  expect({ open, connecting, closing, waiting }).toEqual({ open: 0, connecting: 0, closing: 0, waiting: 0 });
  expect(totals).toMatchObject({
    acquired: served.length,
    connected: factory.opened.length,
    pings: factory.calls.keepalive,
  });
  const counted = Object.values(totals.closed).reduce((sum, count) => sum + count, 0);
  expect(counted).toBe(factory.closed.length);
  return {
    closed: factory.opened.map(({ closedFor }) => closedFor),
    served,
    resets: factory.calls.reset,
    pings: factory.calls.keepalive,
    connectFailures: totals.connectFailures,
    acquireTimeouts: totals.acquireTimeouts,
    closedWithin,
  };
}

const BEHAVIOURS: Record<Outcome, Behaviour> = {
  ok: 'succeed',
  fails: { fail: new Error('the hook fails') },
  slow: { after: SLOW },
  hangs: 'hang',
};

/** The factory's own timer runs on after the pool has ceased to wait for a slow close. */
const LATE_TIMERS: Record<Outcome, number> = { ok: 0, fails: 0, slow: 1, hangs: 0 };

describe.each(OUTCOMES)('F5: where connect %s', (connect) => {
  describe.each(ANSWERS)('and isUsable says %s', (usable) => {
    test.each(OUTCOMES)(
      'and a ping %s, whatever reset and close do, everything is accounted for',
      async (keepalive) => {
        for (const reset of OUTCOMES) {
          for (const close of OUTCOMES) {
            const found = await account(connect, keepalive, reset, close, usable);
            const outcomes = { reset, close };
            expect({ ...outcomes, ...found }).toEqual({
              ...outcomes,
              ...expected(connect, keepalive, reset, close, usable),
            });
          }
        }
      },
    );
  });
});
