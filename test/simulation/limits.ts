import { systemClock } from '../../src/pool/clock.js';
import type { ConnectionFactory } from '../../src/pool/connection-factory.js';
import { resolveSettings, type PoolSettings, type ResolvedSettings } from '../../src/pool/settings.js';
import type { SimulatedFactoryShape, SimulatedSettings } from './programme.js';
import { MATCHERS } from './work.js';

/** What the ledger must know to judge: the settings in their normal form, and what the factory can do. */
export interface Limits extends ResolvedSettings {
  readonly hasKeepalive: boolean;
  readonly hasReset: boolean;
  readonly hasIsUsable: boolean;
  /** Whether anything tells if a connection can be lent: the hook, or the connection itself. */
  readonly canTell: boolean;
  readonly areWatched: boolean;
  /** Whether a connection has methods by which the pool can close it. */
  readonly canBeDestroyed: boolean;
  /** Whether the pool knows a `SessionError` as one that breaks its connection. */
  readonly knowsSessions: boolean;
}

/** The settings as a pool takes them; what only makes sense with a ping is left out where there is none. */
export function settingsOf(settings: SimulatedSettings, shape: SimulatedFactoryShape): PoolSettings {
  const { keepalive, checkAfterIdle, size, connectionErrors, ...others } = settings;
  const bounds = typeof size === 'number' ? size : { min: Math.min(size.min, size.max), max: size.max };
  return {
    ...others,
    size: bounds,
    ...(shape.keepalive ? { keepalive, checkAfterIdle } : {}),
    ...(connectionErrors === undefined ? {} : { connectionErrors: [MATCHERS[connectionErrors]] }),
  };
}

export function limitsOf(
  settings: PoolSettings,
  factory: ConnectionFactory<unknown>,
  shape: SimulatedFactoryShape,
): Limits {
  const [matcher] = settings.connectionErrors ?? [];
  return {
    ...resolveSettings(factory, { ...settings, clock: systemClock }),
    hasKeepalive: shape.keepalive,
    hasReset: shape.reset,
    hasIsUsable: shape.isUsable,
    canTell: shape.isUsable || shape.kind === 'stream',
    areWatched: shape.tells !== 'nothing' || shape.kind === 'stream',
    canBeDestroyed: shape.closedBy === 'methods',
    knowsSessions: shape.knowsErrors === true || (matcher !== undefined && matcher !== MATCHERS.throws),
  };
}
