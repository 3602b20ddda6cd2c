import { Inject, Injectable, Module } from '@nestjs/common';
import { HealthIndicatorService, TerminusModule, type HealthIndicatorResult } from '@nestjs/terminus';
import { ConnectionPools } from '../module/connection-pools.js';
import type { ConnectionFactoryClass } from '../pool/connection-factory.js';
import { formatDuration, type Duration } from '../pool/duration.js';
import { describeError, PoolSettingsError } from '../pool/errors.js';
import { duration, type Reading } from '../pool/rules.js';
import type { PoolStats } from '../pool/stats.js';

export interface PoolHealthOptions {
  /** A pool whose first caller has waited for longer is saturated. Default: 1 s. */
  readonly waitThreshold?: Duration;
}

/** How a pool is. */
export interface PoolHealth {
  readonly status: 'up' | 'degraded' | 'down';
  /** Why it is not up. */
  readonly message?: string;
  readonly size: number;
  readonly open: number;
  readonly leased: number;
  readonly waiting: number;
}

const THRESHOLD = 1_000;

/**
 * Tells a health check how pools are, by what they count anyway: it waits for nobody, and takes no connection from anybody.
 *
 * - `down`: connections cannot be opened, and there is none.
 * - `degraded`: callers wait for longer than the threshold, or connections cannot be opened while there still are some. To
 *   restart a service that still serves would do harm.
 * - `up`: all else, a pool that has yet to open its first connection included.
 *
 * @example
 * this.health.check([() => this.pools.check('mail'), () => this.pools.check(OrdersDb, { waitThreshold: '5s' })]);
 */
@Injectable()
export class ConnectionPoolHealthIndicator {
  constructor(
    @Inject(ConnectionPools) private readonly pools: ConnectionPools,
    @Inject(HealthIndicatorService) private readonly health: HealthIndicatorService,
  ) {}

  /**
   * One pool, under its name.
   * @throws PoolSettingsError if there is no such pool
   */
  check(pool: ConnectionFactoryClass | string, options: PoolHealthOptions = {}): HealthIndicatorResult {
    const { name } = this.pools.get(pool);
    return this.result(name, this.healthOf(name, options));
  }

  /** All pools of the application under one key, which is as well as the worst of them. */
  checkAll(key = 'connectionPools', options: PoolHealthOptions = {}): HealthIndicatorResult {
    const all = [...this.pools].map(({ name }) => [name, this.healthOf(name, options)] as const);
    const worst = (['down', 'degraded'] as const).find((each) => all.some(([, health]) => health.status === each));
    // By themselves, for a pool may have any name, be it `status`.
    const health = { status: worst ?? ('up' as const), pools: Object.fromEntries(all) };
    return this.result(key, health);
  }

  private healthOf(name: string, { waitThreshold }: PoolHealthOptions): PoolHealth {
    const stats = this.pools.get(name).stats();
    const threshold = readThreshold(waitThreshold);
    const { size, open, leased, waiting } = stats;
    return { ...verdict(stats, threshold), size, open, leased, waiting };
  }

  private result(key: string, health: Pick<PoolHealth, 'status'>): HealthIndicatorResult {
    const { status, ...data }: Pick<PoolHealth, 'status'> & Record<string, unknown> = { ...health };
    const session = this.health.check(key);
    if (status === 'up') return session.up(data);
    if (status === 'down') return session.down(data);
    // Terminus has had the word since 12; before, whoever is not down is up.
    return typeof session.degraded === 'function' ? session.degraded(data) : session.up({ ...data, isDegraded: true });
  }
}

function readThreshold(given: Duration | undefined): number {
  if (given === undefined) return THRESHOLD;
  const reading: Reading = { faults: [], fromText: false };
  const threshold = duration().read(given, 'waitThreshold', reading);
  if (threshold === undefined) throw new PoolSettingsError('the health of a pool', reading.faults);
  return threshold;
}

function verdict(stats: PoolStats, threshold: number): Pick<PoolHealth, 'status' | 'message'> {
  const { open, size, waiting, longestWait, downSince, lastConnectError } = stats;
  if (downSince !== undefined) {
    const since = new Date(downSince).toISOString();
    const message = `no connection can be opened since ${since}: ${describeError(lastConnectError)}`;
    if (open === 0) return { status: 'down', message };
    return { status: 'degraded', message: `${open} of ${size} connections are open, and ${message}` };
  }
  if (longestWait > threshold) {
    return { status: 'degraded', message: `${waiting} callers wait, the first for ${formatDuration(longestWait)}` };
  }
  return { status: 'up' };
}

/**
 * Provides {@link ConnectionPoolHealthIndicator}.
 *
 * @example
 * @Module({ imports: [TerminusModule, ConnectionPoolHealthModule], controllers: [HealthController] })
 */
@Module({
  imports: [TerminusModule],
  providers: [ConnectionPoolHealthIndicator],
  exports: [ConnectionPoolHealthIndicator],
})
export class ConnectionPoolHealthModule {}
