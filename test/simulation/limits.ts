import { systemClock } from '../../src/pool/clock.js';
import type { ConnectionFactory } from '../../src/pool/connection-factory.js';
import { resolveSettings, type PoolSettings, type ResolvedSettings } from '../../src/pool/settings.js';
import type { SimulatedFactoryShape, SimulatedSettings } from './programme.js';

/** What the ledger must know to judge: the settings in their normal form, and what the factory can do. */
export interface Limits extends ResolvedSettings {
  readonly hasKeepalive: boolean;
  readonly hasReset: boolean;
  readonly areWatched: boolean;
}

/** The settings as a pool takes them; what only makes sense with a ping is left out where there is none. */
export function settingsOf(settings: SimulatedSettings, shape: SimulatedFactoryShape): PoolSettings {
  const { keepalive, checkAfterIdle, size, ...others } = settings;
  const bounds = typeof size === 'number' ? size : { min: Math.min(size.min, size.max), max: size.max };
  return { ...others, size: bounds, ...(shape.keepalive ? { keepalive, checkAfterIdle } : {}) };
}

export function limitsOf(
  settings: PoolSettings,
  factory: ConnectionFactory<unknown>,
  shape: SimulatedFactoryShape,
): Limits {
  return {
    ...resolveSettings(factory, { ...settings, clock: systemClock }),
    hasKeepalive: shape.keepalive,
    hasReset: shape.reset,
    areWatched: shape.tells !== 'nothing',
  };
}
