import { ConnectionPool } from '../../src/pool/connection-pool.js';
import type { CloseReason, ConnectContext } from '../../src/pool/connection-factory.js';
import type { PoolSettings } from '../../src/pool/settings.js';
import type { PoolStats } from '../../src/pool/stats.js';
import {
  type Behaviour,
  ScriptedConnection,
  ScriptedFactory,
  VirtualClock,
  type ScriptedFactoryOptions,
} from '../../src/testing/index.js';

/** A scripted factory that notes when it was asked to connect, and looks at its pool's books inside every hook call. */
export class LedgerFactory extends ScriptedFactory {
  static override poolName = 'ledger';

  /** When each connect began, in virtual time. */
  readonly connectTimes: number[] = [];
  /** What was wrong with the books, and where it was seen. */
  readonly faults: string[] = [];
  /** How often somebody looked. */
  looks = 0;
  /** The most connections that may take a slot now. */
  limit = Infinity;
  pool: ConnectionPool<ScriptedConnection> | undefined;
  /** Called inside each hook, after the books were looked at. */
  onHook: ((hook: string, connection?: ScriptedConnection) => void) | undefined;

  constructor(
    private readonly time: VirtualClock,
    hooks: ScriptedFactoryOptions['hooks'] = [],
  ) {
    super({ clock: time, hooks });
    const { keepalive, reset, isUsable } = this;
    this.keepalive = keepalive && ((...args) => this.seen('keepalive', args[0], () => keepalive(...args)));
    this.reset = reset && ((...args) => this.seen('reset', args[0], () => reset(...args)));
    this.isUsable = isUsable && ((...args) => this.seen('isUsable', args[0], () => isUsable(...args)));
  }

  override connect(context: ConnectContext): Promise<ScriptedConnection> {
    this.connectTimes.push(this.time.now());
    return this.seen('connect', undefined, () => super.connect(context));
  }

  override close(connection: ScriptedConnection, reason: CloseReason): Promise<void> {
    return this.seen('close', connection, () => super.close(connection, reason));
  }

  /** Looks at the counts, which must hold at every instant. */
  look(where: string): PoolStats {
    const stats = this.pool!.stats();
    const { idle, leased, checking, connecting, closing, open, totals } = stats;
    const closed = Object.values(totals.closed).reduce((sum, count) => sum + count, 0);
    const sum = idle + leased + checking + connecting + closing;
    const fault = (what: string): unknown => this.faults.push(`${where} at ${this.time.now()}: ${what}`);
    this.looks++;
    if (sum > this.limit) fault(`${sum} connections, though only ${this.limit} may be: ${JSON.stringify(stats)}`);
    if (Math.min(idle, leased, checking, connecting, closing) < 0) fault(`less than none: ${JSON.stringify(stats)}`);
    if (open !== idle + leased + checking) fault(`open is ${open}: ${JSON.stringify(stats)}`);
    if (closed > totals.connected) fault(`${closed} closed of ${totals.connected}`);
    const twice = this.opened.filter((connection) => connection.closedFor.length > 1);
    for (const { id, closedFor } of twice) fault(`connection ${id} was closed for ${closedFor.join(' and ')}`);
    return stats;
  }

  /** As look(), and what only holds between two steps: the factory knows as many connections as the pool. */
  audit(where: string): PoolStats {
    const stats = this.look(where);
    const live = this.live.length;
    if (live !== stats.open) this.faults.push(`${where}: ${live} live, and ${stats.open} open`);
    const { connected } = stats.totals;
    if (this.opened.length !== connected) this.faults.push(`${where}: ${this.opened.length} opened, not ${connected}`);
    return stats;
  }

  private seen<T>(hook: string, connection: ScriptedConnection | undefined, act: () => T): T {
    if (this.pool !== undefined) this.look(`before ${hook}`);
    this.onHook?.(hook, connection);
    const result = act();
    if (this.pool !== undefined) this.look(`after ${hook}`);
    return result;
  }
}

export interface Workbench {
  readonly clock: VirtualClock;
  readonly factory: LedgerFactory;
  readonly pool: ConnectionPool<ScriptedConnection>;
}

/** A pool in virtual time, whose pauses are exact and whose books are looked at in every hook. */
export function workbench(
  settings: PoolSettings = {},
  hooks: ScriptedFactoryOptions['hooks'] = [],
  clock: VirtualClock = new VirtualClock(),
): Workbench {
  const factory = new LedgerFactory(clock, hooks);
  const pool = new ConnectionPool(factory, { reconnect: { jitter: 'none' }, clock, ...settings });
  const { size = 10 } = settings;
  factory.limit = typeof size === 'number' ? size : size.max;
  factory.pool = pool;
  return { clock, factory, pool };
}

/** A workbench whose pool has been started and had all the time it needs to fill. */
export async function filled(...given: Parameters<typeof workbench>): Promise<Workbench> {
  const bench = workbench(...given);
  bench.pool.start();
  await bench.clock.settle();
  return bench;
}

/** A hook that does this after so many milliseconds. */
export function later(after: number, behaviour: Behaviour): Behaviour {
  return { after, outcome: behaviour };
}

/** What has become of a promise so far. */
export interface Fate<T> {
  state: 'pending' | 'resolved' | 'rejected';
  value: T | undefined;
  error: unknown;
}

/** Follows a promise, so that its rejection is never unhandled. */
export function fateOf<T>(promise: Promise<T>): Fate<T> {
  const fate: Fate<T> = { state: 'pending', value: undefined, error: undefined };
  promise.then(
    (value) => Object.assign(fate, { state: 'resolved', value }),
    (error: unknown) => Object.assign(fate, { state: 'rejected', error }),
  );
  return fate;
}

/** What the promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`expected a rejection, got ${String(value)}`);
}

/** A promise and what settles it. */
export function deferred<T = void>(): {
  promise: Promise<T>;
  resolve: (value: T) => void;
  reject: (error: unknown) => void;
} {
  let resolve!: (value: T) => void;
  let reject!: (error: unknown) => void;
  const promise = new Promise<T>((...settle) => ([resolve, reject] = settle));
  return { promise, resolve, reject };
}
