import { PoolSettingsError } from '../pool/errors.js';
import type { Fault } from '../pool/rules.js';
import { factoryFaults } from '../pool/settings.js';
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

  /** What is wrong with the factory of a pool that has not been made yet, as far as its class shows it. */
  classFaults({ name, factory, settings }: PoolDefinition): Fault[] {
    return this.located(name, settings, factoryFaults(factory.prototype, this.settingsOf(name, settings)));
  }

  /** Faults of a pool's settings or its factory, with the path to where the value came from. */
  located(name: string, own: GivenSettings, faults: readonly Fault[]): Fault[] {
    const layers: ReadonlyArray<[string, object | undefined]> = [
      [`pools.${name}`, Object.hasOwn(this.root.pools, name) ? this.root.pools[name] : undefined],
      [`forFeature.${name}`, own],
      ['defaults', this.root.defaults],
    ];
    return faults.map((fault) => {
      const [layer] = layers.find(([, settings]) => settings !== undefined && fault.path in settings) ?? layers[1]!;
      return { ...fault, path: `${layer}.${fault.path}` };
    });
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
  const layers = new SettingsLayers(root);
  if (faults.length === 0) return layers;
  // The start fails anyway: what the factories lack is told at once, and not at the next start.
  for (const definition of definitions) faults.push(...layers.classFaults(definition));
  throw new PoolSettingsError('ConnectionPoolModule', faults);
}
