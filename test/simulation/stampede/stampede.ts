import { ConnectionFactory, type ConnectContext } from '../../../src/pool/connection-factory.js';
import { ConnectionPool } from '../../../src/pool/connection-pool.js';
import type { PoolSettings } from '../../../src/pool/settings.js';
import type { PoolStats } from '../../../src/pool/stats.js';
import { VirtualClock } from '../../../src/testing/index.js';
import { LoginServer, type Session } from './login-server.js';

/** How many processes lose their backend, each with one pool. */
export const PROCESSES = 100;
/** How many connections each of them has. */
export const SIZE = 20;
/** How long the backend is away, in milliseconds. */
export const OUTAGE = 60_000;
/** What the backend can take: 4 logins at a time of 20 ms each are 200 a second. */
const BACKEND = { desks: 4, loginTime: 20, refusalTime: 1 };
/** Longer than any run can take: what is not full again by then never will be. */
const PATIENCE = 300_000;

/** The two runs that are compared: as the pool is by default, and with what bounds and spreads its connects taken away. */
export const RUNS = {
  defaults: {},
  unbounded: { maxConnecting: SIZE, reconnect: { jitter: 'none' } },
} as const satisfies Record<string, PoolSettings>;

/** One connect that was begun after the backend had died. */
export interface Attempt {
  /** Which process began it, from 0. */
  readonly process: number;
  /** When it was begun, in milliseconds since the backend died. */
  readonly at: number;
  /** How long it took to get a session, in milliseconds; undefined if it got none. */
  took: number | undefined;
}

export interface Stampede {
  /** In the order in which they were begun. */
  readonly attempts: readonly Attempt[];
  /** When the last connection was open again, in milliseconds since the backend died. */
  readonly fullAt: number;
  /** How every process's pool stands at the end. */
  readonly stats: readonly PoolStats[];
  /** How many sessions the backend has at the end. */
  readonly sessions: number;
}

/** Notes every attempt, and when it was begun. */
class Notebook {
  readonly attempts: Attempt[] = [];
  private start = 0;

  constructor(private readonly clock: VirtualClock) {}

  /** Milliseconds since it was cleared. */
  get time(): number {
    return this.clock.now() - this.start;
  }

  clear(): void {
    this.start = this.clock.now();
    this.attempts.length = 0;
  }

  begin(process: number): Attempt {
    const attempt: Attempt = { process, at: this.time, took: undefined };
    this.attempts.push(attempt);
    return attempt;
  }
}

/** One process's way to the backend. */
class ProcessFactory extends ConnectionFactory<Session> {
  static override poolName = 'stampede';

  constructor(
    private readonly process: number,
    private readonly server: LoginServer,
    private readonly notebook: Notebook,
  ) {
    super();
  }

  override async connect({ signal }: ConnectContext): Promise<Session> {
    const attempt = this.notebook.begin(this.process);
    const session = await this.server.connect(signal);
    attempt.took = this.notebook.time - attempt.at;
    return session;
  }

  override close(session: Session): void {
    this.server.logOut(session);
  }
}

/**
 * 100 processes have 20 connections each to one backend, and lose all 2000 in the same instant. The backend stays away
 * for a minute, comes back, and all of them want in. The engine is the real one; time is virtual, and so is the backend.
 *
 * @param seed of everything that is random; the same seed gives the same run
 */
export async function stampede(settings: PoolSettings, seed = 1): Promise<Stampede> {
  const clock = new VirtualClock({ seed });
  const server = new LoginServer(clock, BACKEND);
  const notebook = new Notebook(clock);
  const pools = Array.from({ length: PROCESSES }, (_, process) => {
    return new ConnectionPool(new ProcessFactory(process, server, notebook), { ...settings, size: SIZE, clock });
  });
  for (const pool of pools) pool.start();
  await full(server, clock);
  // Older than its first second, no connection counts as one that the backend kicked out.
  await clock.advance(5_000);

  notebook.clear();
  server.die();
  await clock.advance(OUTAGE);
  server.rise();
  await full(server, clock);
  // For whoever should have begun too much.
  await clock.advance(5_000);
  const { attempts } = notebook;
  const ends = attempts.map(({ at, took }) => at + (took ?? -Infinity));
  const result = {
    attempts,
    fullAt: Math.max(...ends),
    stats: pools.map((pool) => pool.stats()),
    sessions: server.open,
  };
  await Promise.all(pools.map((pool) => pool.close()));
  return result;
}

/** Lets time pass until every process has its connections. */
async function full(server: LoginServer, clock: VirtualClock): Promise<void> {
  const end = clock.now() + PATIENCE;
  while (server.open < PROCESSES * SIZE && clock.now() < end) await clock.advance(100);
}

/** How many attempts were begun in each span of so many milliseconds since the backend died. */
export function attemptsPer(span: number, { attempts }: Stampede): number[] {
  const counts: number[] = [];
  for (const { at } of attempts) {
    const place = Math.floor(at / span);
    while (counts.length <= place) counts.push(0);
    counts[place]!++;
  }
  return counts;
}

/** The most attempts in one span of so many milliseconds that began at `from` or later, and before `to`. */
export function peak(span: number, run: Stampede, from: number, to = Infinity): number {
  return Math.max(0, ...attemptsPer(span, run).slice(from / span, to / span));
}

/** The slowest of the connects that got in, in milliseconds. */
export function slowestLogin({ attempts }: Stampede): number {
  return Math.max(...attempts.map(({ took }) => took ?? 0));
}
