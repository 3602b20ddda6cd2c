import { systemClock, type Clock, type Timer } from '../../src/pool/clock.js';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import type { PoolSettings } from '../../src/pool/settings.js';
import type { PoolStats } from '../../src/pool/stats.js';
import type { Random } from './fault.js';
import { FaultProxy, seededRandom } from './fault-proxy.js';
import type { Address, LineClient } from './line-client.js';
import { LineFactory, type LineFactoryOptions } from './line-factory.js';
import { LineServer, type LineServerOptions } from './line-server.js';
import { complain, leftovers, resources } from './resources.js';
import { until } from '../until.js';

/** The system's clock with seeded numbers, which knows the timers that are pending: also those that hold no process up. */
export class CountingClock implements Clock {
  private readonly timers = new Set<Timer>();
  readonly random: Random;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  get pending(): number {
    return this.timers.size;
  }

  now(): number {
    return systemClock.now();
  }

  setTimeout(callback: () => void, delay: number): Timer {
    const timer = systemClock.setTimeout(() => {
      this.timers.delete(timer);
      callback();
    }, delay);
    this.timers.add(timer);
    return timer;
  }

  clearTimeout(timer: Timer): void {
    this.timers.delete(timer);
    systemClock.clearTimeout(timer);
  }

  setImmediate(callback: () => void): unknown {
    return systemClock.setImmediate(callback);
  }
}

export interface FaultBenchOptions extends LineServerOptions, LineFactoryOptions, PoolSettings {
  /** Seeds what is random in the proxy and in the pool. Default: 1. */
  readonly seed?: number;
  /** As the proxy's. */
  readonly linger?: number;
}

/** A pool of clients of a line server, with a bad network between them. What the pool logs is in `lines`. */
export class FaultBench {
  readonly lines: string[] = [];
  readonly clock: CountingClock;
  readonly factory: LineFactory;
  readonly settings: PoolSettings;
  readonly pool: ConnectionPool<LineClient>;

  private constructor(
    readonly server: LineServer,
    readonly proxy: FaultProxy,
    options: FaultBenchOptions,
  ) {
    const {
      tls: _,
      maxSessions: _max,
      idleLimit: _limit,
      hooks,
      user,
      seed = 1,
      linger: _linger,
      ...settings
    } = options;
    const write = (message: unknown): void => void this.lines.push(String(message));
    this.clock = new CountingClock(seed);
    this.factory = new LineFactory(this.address, { hooks, user });
    this.settings = {
      // Short, for tests wait in real time.
      reconnect: { delay: 20, maxDelay: 100 },
      closeTimeout: 200,
      clock: this.clock,
      logger: { log: write, warn: write, error: write },
      ...settings,
    };
    this.pool = new ConnectionPool(this.factory, this.settings);
  }

  static async launch(options: FaultBenchOptions = {}): Promise<FaultBench> {
    const { seed, linger } = options;
    const server = await LineServer.launch(options);
    const proxy = await FaultProxy.launch({ upstream: server.port, seed, linger });
    return new FaultBench(server, proxy, options);
  }

  /** How the server is reached through the proxy. */
  get address(): Address {
    const { host, port } = this.proxy;
    return { host, port, certificate: this.server.certificate };
  }

  /** Asks for an echo over a borrowed client. */
  echo(text: string): Promise<string> {
    return this.pool.use((client) => client.request('ECHO', text));
  }

  /** Whether the pool has as many connections as it should, and the proxy and the server know of as many. */
  get isFull(): boolean {
    const { size, open } = this.pool.stats();
    return open === size && this.proxy.open === size && this.server.sessions.length === size;
  }

  /** Starts the pool, and waits until it is full and no connection is being checked. Not while there is load. */
  async full(): Promise<void> {
    this.pool.start();
    const isAtRest = (): boolean => this.isFull && this.pool.stats().checking === 0;
    await until(isAtRest, () => `the pool is full: ${this.describe()}`);
  }

  /** What is wrong with the books right now. */
  audit(): string[] {
    const stats = this.pool.stats();
    const { size, idle, leased, checking, connecting, closing } = stats;
    const faults: string[] = [];
    if (idle + leased + checking + connecting + closing > size) faults.push('more connections than there may be');
    if (closedOf(stats) + stats.open !== stats.totals.connected) faults.push('opened is not closed + live');
    if (this.factory.opened.length !== stats.totals.connected) faults.push('the factory opened another number');
    if (this.factory.closed.length !== closedOf(stats)) faults.push('the factory closed another number');
    const twice = this.factory.closed.length - new Set(this.factory.closed.map(({ client }) => client)).size;
    if (twice > 0) faults.push(`${twice} connections were closed twice`);
    for (const { stale } of this.factory.opened) faults.push(...stale.map((what) => `a stale reply: ${what}`));
    return faults.map((fault) => `${fault}; ${this.describe()}`);
  }

  /** Closes everything. Yields what was wrong with the books, and what the pool left open. */
  async close(): Promise<string[]> {
    await this.pool.close({ timeout: 1_000 });
    const faults = this.audit();
    const { pool, proxy, server, factory, clock } = this;
    const { open, connecting, closing, waiting } = pool.stats();
    if (open + connecting + closing + waiting > 0) faults.push(`the pool is not empty: ${this.describe()}`);
    if (clock.pending > 0) faults.push(`the pool left ${clock.pending} timers`);
    const isOver = (): boolean => factory.live.length + proxy.open + server.connections === 0;
    await until(isOver, 'nobody has a connection', 5_000).catch(() => faults.push(`still open: ${this.describe()}`));
    await proxy.close();
    await server.close();
    return faults;
  }

  describe(): string {
    const { lastConnectError: _, totals, ...counts } = this.pool.stats();
    const { proxy, server, factory } = this;
    return JSON.stringify({
      pool: { ...counts, ...totals },
      factory: { attempts: factory.attempts, live: factory.live.length },
      proxy: {
        accepted: proxy.accepted,
        open: proxy.open,
        faults: proxy.connections.map(({ faults }) => faults.join()),
      },
      server: { connections: server.connections, sessions: server.sessions.length, logins: server.logins },
    });
  }
}

/** The benches of one test, and what must be left of them: nothing. */
export class Benches {
  private benches: FaultBench[] = [];
  private before: ReadonlyMap<string, number> = new Map();

  begin(): void {
    this.before = resources();
  }

  async launch(options?: FaultBenchOptions): Promise<FaultBench> {
    const bench = await FaultBench.launch(options);
    this.benches.push(bench);
    return bench;
  }

  /** A bench whose pool is full. */
  async full(options?: FaultBenchOptions): Promise<FaultBench> {
    const bench = await this.launch(options);
    await bench.full();
    return bench;
  }

  /**
   * Closes them all.
   * @throws with all that is wrong with their books, and all that they left
   */
  async end(): Promise<void> {
    const faults = (await Promise.all(this.benches.map((bench) => bench.close()))).flat();
    this.benches = [];
    complain([...faults, ...(await leftovers(this.before))]);
  }
}

export function closedOf({ totals }: PoolStats): number {
  return Object.values(totals.closed).reduce((sum, count) => sum + count, 0);
}
