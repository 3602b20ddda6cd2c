import { PoolSettingsError } from '../pool/errors.js';
import type { Fault } from '../pool/rules.js';
import type { ModuleGraph } from './module-graph.js';
import type { GivenSettings, PoolDefinition } from './pool-definition.js';
import { readRootOptions, type OptionsForm, type RootOptions } from './root-options.js';

/**
 * The layers that a pool's settings consist of: built-in defaults, `forRoot.defaults`, the pool's own, and on top
 * `forRoot.pools[name]`, whatever the order of the imports. A setting is replaced whole, except that `reconnect` is
 * merged by key.
 */
export class SettingsLayers {
  constructor(readonly root: RootOptions) {}

  /** The settings of a pool, from its own and those around them. The built-in defaults are the pool's to know. */
  settingsOf(name: string, own: GivenSettings): GivenSettings {
    const layers = [this.root.defaults, own, Object.hasOwn(this.root.pools, name) ? this.root.pools[name] : undefined];
    const laid = Object.assign({}, ...layers) as GivenSettings;
    const reconnect = Object.assign({}, ...layers.map((layer) => layer?.reconnect)) as GivenSettings['reconnect'];
    return { ...laid, reconnect };
  }

  /** The names in `forRoot.pools` that no pool has. */
  unknownNames(names: readonly string[]): string[] {
    return Object.keys(this.root.pools).filter((name) => !names.includes(name));
  }
}

/**
 * Reads the options of `forRoot` and lists what is wrong with them, and with every definition that was known before the
 * start.
 * @param form undefined if there is no `forRoot`
 * @throws PoolSettingsError
 */
export function layersOf(options: unknown, form: OptionsForm | undefined, graph: ModuleGraph): SettingsLayers {
  const faults: Fault[] = [];
  // With a forRoot and yet no options, the early releases of Nest 11 have swallowed the error of whoever makes them, as if
  // an optional dependency that fails were one that is not there. This is an error too, and Nest reports the first.
  const root = readRootOptions(form === undefined ? {} : options, { faults, fromText: form?.fromText === true });
  const definitions = new Set<PoolDefinition>(graph.features().map(({ definition }) => definition));
  for (const definition of definitions) faults.push(...definition.faults);
  if (faults.length > 0) throw new PoolSettingsError('ConnectionPoolModule', faults);
  return new SettingsLayers(root);
}
