import type { FactoryProvider, ModuleMetadata } from '@nestjs/common';
import { poolNameOf, type ConnectionFactoryClass } from '../pool/connection-factory.js';
import { PoolSettingsError } from '../pool/errors.js';
import { describeValue, func, isPlainObject, rule, text, type Fault, type Reading } from '../pool/rules.js';
import { SETTING_RULES, type ResolvedSettings } from '../pool/settings.js';
import type { AsyncPoolFeature, PoolFeature } from './module-options.js';
import { validatedOptions } from './validated-options.js';

/** The settings that one layer gives, in their normal form. */
export type GivenSettings = Partial<Omit<ResolvedSettings, 'name'>>;

/** One pool as `forFeature` or `forFeatureAsync` registers it. The same in every application that imports it. */
export interface PoolDefinition {
  readonly name: string;
  readonly factory: ConnectionFactoryClass;
  readonly imports: NonNullable<ModuleMetadata['imports']>;
  /** The settings, if they are known; and what is wrong with them. */
  readonly settings: GivenSettings;
  readonly faults: readonly Fault[];
  /** What makes the settings at start, if they are not known before. */
  readonly settingsFactory?: Pick<FactoryProvider<unknown>, 'inject' | 'useFactory'>;
}

const NAME = text();
const CIRCLE = '(undefined is often a class of a file that is imported in a circle)';
const FACTORY = rule(`a class that extends ConnectionFactory ${CIRCLE}`, (value) =>
  typeof value === 'function' && typeof value.prototype === 'object' ? (value as ConnectionFactoryClass) : undefined,
);
const LIST = rule('a list', (value) => (Array.isArray(value) ? (value as unknown[]) : undefined));

const { name: _name, ...UNNAMED_RULES } = SETTING_RULES;

/** The settings of a pool whose name stands elsewhere. */
export const UNNAMED_SETTINGS = validatedOptions<GivenSettings>(UNNAMED_RULES);

const FEATURE = validatedOptions<PoolFeature>({ factory: FACTORY, imports: LIST, ...SETTING_RULES });
const ASYNC_FEATURE = validatedOptions<AsyncPoolFeature>({
  factory: FACTORY,
  name: NAME,
  imports: LIST,
  inject: LIST,
  useFactory: func('a function that makes the settings'),
});

/**
 * Reads what `forFeature` was given. Wrong settings are kept for the start, which lists them together with all others.
 * @throws PoolSettingsError if it is not even clear which pools there are
 */
export function readFeatures(features: unknown): PoolDefinition[] {
  return readList('forFeature', features, (feature, reading) => {
    if (!isFeature(feature)) {
      reading.faults.push({ path: '', received: describeValue(feature), allowed: FEATURE_FORMS });
      return undefined;
    }
    const given = typeof feature === 'function' ? { factory: feature } : feature;
    const known: Reading = { faults: [], fromText: false };
    const { factory, name, imports = [], ...settings } = FEATURE.read(given, '', known)!;
    const named = nameOf(factory, name, known);
    if (factory === undefined || named === undefined) {
      reading.faults.push(...missing('factory', factory, known), ...known.faults);
      return undefined;
    }
    const faults = known.faults.map((fault) => ({ ...fault, path: `forFeature.${named}.${fault.path}` }));
    return { name: named, factory, imports, settings: settings as GivenSettings, faults };
  });
}

/**
 * Reads what `forFeatureAsync` was given.
 * @throws PoolSettingsError
 */
export function readAsyncFeatures(features: unknown): PoolDefinition[] {
  return readList('forFeatureAsync', features, (feature, reading) => {
    const { factory, name, imports = [], inject, useFactory } = ASYNC_FEATURE.read(feature, '', reading) ?? {};
    const named = nameOf(factory, name, reading);
    reading.faults.push(...missing('factory', factory, reading), ...missing('useFactory', useFactory, reading));
    if (factory === undefined || named === undefined || useFactory === undefined) return undefined;
    return { name: named, factory, imports, settings: {}, faults: [], settingsFactory: { inject, useFactory } };
  });
}

const FEATURE_FORMS = `a factory class, not an instance of it, or a definition { factory, ... } ${CIRCLE}`;

/** A class, or something that may be a definition; an instance of a factory, which has connect(), is not one. */
function isFeature(feature: unknown): boolean {
  return typeof feature === 'function' || (isPlainObject(feature) && typeof feature['connect'] !== 'function');
}

type ReadOne = (feature: unknown, reading: Reading) => PoolDefinition | undefined;

function readList(form: string, features: unknown, readOne: ReadOne): PoolDefinition[] {
  const faults: Fault[] = [];
  if (!Array.isArray(features)) {
    const allowed = `a list of pools, as in ${form}([MailConnectionFactory])`;
    throw new PoolSettingsError(`ConnectionPoolModule.${form}()`, [
      { path: form, received: describeValue(features), allowed },
    ]);
  }
  const definitions = features.map((feature: unknown, index) => {
    const reading: Reading = { faults: [], fromText: false };
    const definition = readOne(feature, reading);
    const at = `${form}[${index}]`;
    faults.push(...reading.faults.map((fault) => ({ ...fault, path: fault.path === '' ? at : `${at}.${fault.path}` })));
    return definition;
  });
  if (faults.length > 0) throw new PoolSettingsError(`ConnectionPoolModule.${form}()`, faults);
  return definitions as PoolDefinition[];
}

function nameOf(
  factory: ConnectionFactoryClass | undefined,
  given: string | undefined,
  reading: Reading,
): string | undefined {
  if (factory === undefined || given !== undefined || hasFault('name', reading)) return given;
  const derived = poolNameOf(factory);
  if (derived !== undefined) return NAME.read(derived, 'factory.poolName', reading);
  const allowed = 'a name: in the definition, as a static poolName of the factory, or as the name of its class';
  reading.faults.push({ path: 'name', received: 'none', allowed });
  return undefined;
}

/** A fault for an option that must be there and is not; one that is there and wrong has its fault already. */
function missing(key: string, value: unknown, reading: Reading): Fault[] {
  if (value !== undefined || reading.faults.some(({ path }) => path === key || path === '')) return [];
  return [{ path: key, received: 'none', allowed: key === 'factory' ? FACTORY.allowed : 'a function' }];
}

function hasFault(path: string, reading: Reading): boolean {
  return reading.faults.some((fault) => fault.path === path);
}
