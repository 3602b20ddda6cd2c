import { ConnectionPool } from '../../src/pool/connection-pool.js';
import type { HookContext } from '../../src/pool/connection-factory.js';
import type { PoolSettings } from '../../src/pool/settings.js';
import { ScriptedFactory, type ScriptedConnection } from '../../src/testing/scripted-factory.js';
import { VirtualClock, type VirtualClockOptions } from '../../src/testing/virtual-clock.js';

/** One call of a ping or a reset. */
export interface HookRecord {
  readonly connection: ScriptedConnection;
  readonly at: number;
  readonly signal: AbortSignal;
}

export type HookAnswer = (connection: ScriptedConnection, context: HookContext) => void | Promise<void>;

export interface RuledPoolOptions {
  readonly hooks?: ReadonlyArray<'keepalive' | 'reset' | 'isUsable'>;
  readonly clock?: VirtualClockOptions;
  /** Sets the factory up before the pool is made. */
  readonly prepare?: (factory: ScriptedFactory, clock: VirtualClock) => void;
}

/** A pool in virtual time over a scripted factory, with everything it asked, did and said written down. */
export interface RuledPool {
  readonly clock: VirtualClock;
  readonly factory: ScriptedFactory;
  readonly pool: ConnectionPool<ScriptedConnection>;
  readonly pings: HookRecord[];
  readonly resets: HookRecord[];
  readonly lines: string[];
}

export function ruledPool(settings: PoolSettings = {}, options: RuledPoolOptions = {}): RuledPool {
  const clock = new VirtualClock(options.clock);
  const factory = new ScriptedFactory({ clock, hooks: options.hooks });
  options.prepare?.(factory, clock);
  const pings: HookRecord[] = [];
  const resets: HookRecord[] = [];
  const { keepalive, reset } = factory;
  if (keepalive !== undefined) {
    factory.keepalive = (connection, context) => {
      pings.push({ connection, at: clock.now(), signal: context.signal });
      return keepalive.call(factory, connection, context);
    };
  }
  if (reset !== undefined) {
    factory.reset = (connection, context) => {
      resets.push({ connection, at: clock.now(), signal: context.signal });
      return reset.call(factory, connection, context);
    };
  }
  const lines: string[] = [];
  const write = (message: unknown): void => void lines.push(String(message));
  const pool = new ConnectionPool(factory, { clock, logger: { log: write, warn: write, error: write }, ...settings });
  return { clock, factory, pool, pings, resets, lines };
}

/** The same, started and full, and older than the first second, in which a loss counts as a failed connect. */
export async function fullPool(settings: PoolSettings = {}, options: RuledPoolOptions = {}): Promise<RuledPool> {
  const ruled = ruledPool(settings, options);
  const ready = ruled.pool.ready();
  await ruled.clock.settle();
  await ready;
  await ruled.clock.advance(1_000);
  return ruled;
}

/** What has become of a promise so far. */
export interface Fate<T> {
  state: 'pending' | 'fulfilled' | 'rejected';
  value?: T;
  reason?: unknown;
}

export function fateOf<T>(promise: Promise<T>): Fate<T> {
  const fate: Fate<T> = { state: 'pending' };
  promise.then(
    (value) => Object.assign(fate, { state: 'fulfilled', value }),
    (reason: unknown) => Object.assign(fate, { state: 'rejected', reason }),
  );
  return fate;
}

/** The reasons for which connections were closed, in order. */
export function closeReasons(factory: ScriptedFactory): string[] {
  return factory.closed.map(({ reason }) => reason);
}
