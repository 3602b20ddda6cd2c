/** Connection pools for NestJS and Node.js that keep themselves full, and retries that know what a broken connection is. */
export { ConnectionPool } from './pool/connection-pool.js';
export type { AcquireOptions } from './pool/acquire-options.js';
export { ConnectionFactory } from './pool/connection-factory.js';
export type { CloseReason, ConnectContext, HookContext } from './pool/connection-factory.js';
export type { ConnectionFactoryClass, ConnectionOf } from './pool/connection-factory.js';
export type { Lease } from './pool/lease.js';
export type { PoolLogger, PoolSettings, PoolSize, ReconnectSettings } from './pool/settings.js';
export type { ConnectionInfo, PoolStats, PoolTotals } from './pool/stats.js';
export type {
  AcquireEvent,
  ConnectEvent,
  DiscardEvent,
  KeepaliveEvent,
  LeakEvent,
  ResizeEvent,
  UseEvent,
} from './pool/channels.js';
export type { Clock, Timer } from './pool/clock.js';
export type { Duration } from './pool/duration.js';
export type { Jitter } from './pool/backoff.js';
export type { ErrorMatcher, Fault } from './pool/rules.js';
export { ConnectionError, isConnectionError } from './pool/connection-error.js';
export {
  AcquireTimeoutError,
  ConnectionPoolError,
  ConnectTimeoutError,
  KeepaliveTimeoutError,
  LeaseReleasedError,
  PoolClosedError,
  PoolOverloadedError,
  PoolSettingsError,
  RetryAttemptTimeoutError,
  RetryTimeoutError,
  type PoolCounts,
} from './pool/errors.js';

export { retry, type RetryFunctionOptions } from './retry/retry.js';
export { retryContext, type RetryContext } from './retry/retry-context.js';
export { Retryable, type AsyncMethod, type RetryableDecorator } from './retry/retryable.decorator.js';
export { RetryBudget, type RetryBudgetOptions } from './retry/retry-budget.js';
export type { RecoverFunction, RetryEvent, RetryOptions } from './retry/retry-options.js';
export type { RetryLogLevel, RetryLogMessage } from './retry/retry-options.js';

export { ConnectionPoolModule } from './module/connection-pool.module.js';
export { ConnectionPools } from './module/connection-pools.js';
export { InjectPool, type PoolOf } from './module/inject-pool.decorator.js';
export {
  CONNECTION_POOL_CLOCK,
  CONNECTION_POOL_LOGGER,
  CONNECTION_POOL_OPTIONS,
  getPoolToken,
} from './module/tokens.js';
export type {
  AsyncPoolFeature,
  ConnectionPoolModuleAsyncOptions,
  ConnectionPoolModuleOptions,
  ConnectionPoolOptionsFactory,
  PoolFeature,
  UnnamedPoolSettings,
} from './module/module-options.js';
