import type { EventEmitter } from 'node:events';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import { FaultProxy, seededRandom } from '../faults/fault-proxy.js';
import { CountingClock, closedOf } from '../faults/fault-bench.js';
import { drawScript, playScript } from '../faults/fault-script.js';
import type { FaultName } from '../faults/fault-spec.js';
import type { LineClient } from '../faults/line-client.js';
import { LineServer } from '../faults/line-server.js';
import { resources } from '../faults/resources.js';
import { until } from '../until.js';
import { CountingFactory } from './counting-factory.js';
import { footprint, growth, type Footprint } from './footprint.js';
import { Load } from './load.js';

export interface SoakOptions {
  readonly seed: number;
  /** How long faults come, in milliseconds. */
  readonly duration: number;
  readonly callers: number;
  readonly size: number;
  readonly faults: readonly FaultName[];
}

/** What came of it. */
export interface SoakReport {
  /** What was wrong; none: everything was where it had been, and the counters added up. */
  readonly faults: readonly string[];
  /** After the warm-up, and at the end. */
  readonly before: Footprint;
  readonly after: Footprint;
  readonly acts: number;
  readonly calls: Load['counts'];
  readonly totals: ReturnType<ConnectionPool<LineClient>['stats']>['totals'];
}

/** What compiled code, caches and the books of the load may weigh in bytes; a connection that leaks weighs some 10 kB. */
const HEAP_LIMIT = 1_500_000;

/** Part of the time that goes before the first measurement, so that code is compiled and caches are full. */
const WARM_UP = 0.2;

/** Load, with faults at random times; then everything must be where it was. */
export async function soak(
  options: SoakOptions,
  onProgress: (elapsed: number, world: Soak) => void,
): Promise<SoakReport> {
  const soak = await Soak.launch(options);
  await soak.suffer(options.duration * WARM_UP, onProgress);
  await soak.rest();
  const before = await footprint(() => soak.settle());
  await soak.suffer(options.duration, (elapsed) => onProgress(elapsed + options.duration * WARM_UP, soak));
  await soak.rest();
  const after = await footprint(() => soak.settle());
  soak.faults.push(...growth(before, after, HEAP_LIMIT));
  await soak.close();
  const { faults, acts, load, pool } = soak;
  return { faults, before, after, acts, calls: load, totals: pool.stats().totals };
}

/** A pool, a line server, and a bad network between them. */
export class Soak {
  readonly faults: string[] = [];
  /** What the network has done so far. */
  acts = 0;
  readonly pool: ConnectionPool<LineClient>;
  readonly load: Load['counts'] = { calls: 0, answered: 0, failed: 0, gaveUp: 0, leases: 0, timeouts: 0 };
  private readonly clock: CountingClock;
  private readonly random: () => number;

  private constructor(
    private readonly options: SoakOptions,
    private readonly server: LineServer,
    private readonly proxy: FaultProxy,
    private readonly factory: CountingFactory,
  ) {
    this.random = seededRandom(options.seed);
    this.clock = new CountingClock(options.seed);
    const silent = (): void => {};
    this.pool = new ConnectionPool(factory, {
      size: options.size,
      clock: this.clock,
      connectTimeout: 150,
      acquireTimeout: 400,
      reconnect: { delay: 10, maxDelay: 50 },
      keepalive: 60,
      keepaliveTimeout: 80,
      checkAfterIdle: 40,
      resetTimeout: 80,
      closeTimeout: 80,
      maxLifetime: 2_000,
      maxUses: 500,
      leakDetection: 5_000,
      logger: { log: silent, warn: silent, error: silent },
    });
  }

  static async launch(options: SoakOptions): Promise<Soak> {
    const server = await LineServer.launch();
    const proxy = await FaultProxy.launch({ upstream: server.port, seed: options.seed, linger: 500 });
    return new Soak(options, server, proxy, new CountingFactory({ host: proxy.host, port: proxy.port }));
  }

  /** Load and faults for so many milliseconds. */
  async suffer(duration: number, onProgress: (elapsed: number, world: Soak) => void): Promise<void> {
    const begun = Date.now();
    const load = new Load(this.pool, this.random, this.options.callers);
    while (Date.now() - begun < duration && this.faults.length === 0) {
      const script = drawScript(4, this.random, this.options.faults);
      this.acts += script.length / 2;
      await playScript(this.proxy, script);
      // Else every connection is bad sooner or later, and nothing is tried on a good one.
      if (this.random() < 0.3) await this.proxy.heal();
      this.audit();
      onProgress(Date.now() - begun, this);
    }
    await this.proxy.heal();
    await load.stop();
    for (const [name, count] of Object.entries(load.counts)) this.load[name as keyof Load['counts']] += count;
    this.faults.push(...load.faults.slice(0, 10));
  }

  /** Everything is well and nobody comes: the pool is full, and as many are open on all sides. */
  async rest(): Promise<void> {
    const { pool } = this;
    const isQuiet = (): boolean => pool.stats().leased + pool.stats().checking === 0;
    await this.hold(isQuiet, 'nothing is lent or checked');
    const used = this.listeners();
    // Replaced, they are all young: none is bad from before, and none is about to reach the end of its time.
    pool.recycle();
    await this.settle();
    this.addUp();
    const fresh = this.listeners();
    if (fresh.size > 1) this.faults.push(`new connections have different listeners: ${[...fresh].join(' and ')}`);
    for (const each of used) {
      if (!fresh.has(each)) {
        this.faults.push(`a used connection has these listeners: ${each}; a new one: ${[...fresh].join()}`);
      }
    }
  }

  async settle(): Promise<void> {
    await this.hold(() => this.isAtRest(), 'the pool is full and at rest');
  }

  private isAtRest(): boolean {
    const { pool, proxy, server, options } = this;
    const { open, checking, connecting, closing } = pool.stats();
    // Of each connection both ends of both its halves; those of former ones may linger for a while.
    if (resources().get('TCPSocketWrap') !== 4 * options.size) return false;
    const counts = [open, proxy.open, server.sessions.length, server.connections, this.factory.live.size];
    return counts.every((count) => count === options.size) && checking + connecting + closing === 0;
  }

  private async hold(condition: () => boolean, what: string): Promise<void> {
    await until(condition, what).catch((error: unknown) => this.faults.push(`${String(error)}: ${this.describe()}`));
  }

  /** How many listeners connections have, by event: of themselves and of their sockets; each different set once. */
  private listeners(): Set<string> {
    const count = (emitter: EventEmitter): string =>
      emitter
        .eventNames()
        .map((name) => `${String(name)} ${emitter.listenerCount(name)}`)
        .toSorted()
        .join(', ');
    return new Set([...this.factory.live].map((client) => `${count(client)}; socket: ${count(client.socket)}`));
  }

  async close(): Promise<void> {
    const { pool, proxy, server, clock, factory } = this;
    await pool.close();
    const { open, connecting, closing, waiting } = pool.stats();
    if (open + connecting + closing + waiting > 0) this.faults.push(`the pool is not empty: ${this.describe()}`);
    const isOver = (): boolean => factory.live.size + proxy.open + server.connections === 0;
    await this.hold(isOver, 'nobody has a connection');
    if (clock.pending > 0) this.faults.push(`the pool left ${clock.pending} timers`);
    this.addUp();
    if (factory.counts.closed !== factory.counts.opened) this.faults.push('not everything that was opened was closed');
    await proxy.close();
    await server.close();
  }

  /** What must hold at any time. */
  private audit(): void {
    const stats = this.pool.stats();
    const { size, idle, leased, checking, connecting, closing, totals } = stats;
    const sum = idle + leased + checking + connecting + closing;
    if (sum > size) this.faults.push(`${sum} connections, and ${size} may be`);
    if (closedOf(stats) + stats.open !== totals.connected) {
      this.faults.push(`opened is not closed + live: ${this.describe()}`);
    }
    this.faults.push(...this.factory.stale.map((what) => `a stale reply: ${what}`));
  }

  /** At rest the pool's counters and those of everybody else agree, to the last unit. */
  private addUp(): void {
    const stats = this.pool.stats();
    const { totals, open } = stats;
    const { counts } = this.factory;
    const pairs: ReadonlyArray<readonly [string, number, number]> = [
      ['connected', totals.connected, counts.opened],
      ['closed', closedOf(stats), counts.closed],
      ['open', open, counts.opened - counts.closed],
      ['pings', totals.pings, counts.pings],
      ['acquired', totals.acquired, this.load.leases],
      ['acquireTimeouts', totals.acquireTimeouts, this.load.timeouts],
      ['connects', counts.connects, counts.opened + counts.failed],
    ];
    for (const [name, counted, seen] of pairs) {
      if (counted !== seen) {
        this.faults.push(`the pool counts ${counted} ${name}, and ${seen} were seen: ${this.describe()}`);
      }
    }
    this.audit();
  }

  describe(): string {
    const { lastConnectError: _, totals, ...counts } = this.pool.stats();
    const { proxy, server, factory } = this;
    return JSON.stringify({
      pool: { ...counts, ...totals },
      factory: { ...factory.counts, live: factory.live.size },
      proxy: { accepted: proxy.accepted, open: proxy.open },
      server: { connections: server.connections, sessions: server.sessions.length, logins: server.logins },
    });
  }
}
