import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../pool/clock.js';
import type { ConnectionFactory } from '../pool/connection-factory.js';
import { ConnectionPool } from '../pool/connection-pool.js';
import { PoolSettingsError } from '../pool/errors.js';
import { describeValue } from '../pool/rules.js';
import type { Fault } from '../pool/rules.js';
import { factoryFaults, resolveSettings, type PoolLogger, type ResolvedSettings } from '../pool/settings.js';
import { dependenciesOf, type ModuleGraph, type NestModule } from './module-graph.js';
import { UNNAMED_SETTINGS, type GivenSettings, type PoolDefinition } from './pool-definition.js';
import type { SettingsLayers } from './settings-layers.js';
import { getPoolToken } from './tokens.js';

/** A pool of this application, and what it was made of. */
export interface OwnedPool {
  readonly definition: PoolDefinition;
  readonly own: GivenSettings;
  readonly settings: ResolvedSettings;
  readonly pool: ConnectionPool<unknown>;
}

/** What a pool is made of, besides its definition. */
export interface PoolParts {
  readonly factory: ConnectionFactory<unknown>;
  /** What the definition's `useFactory` made, if it has one. */
  readonly made: unknown;
  readonly layers: SettingsLayers;
  readonly logger: PoolLogger;
  readonly clock: Clock;
}

/**
 * Every pool of one application. It makes each once, however many modules register it, and closes them all. What a test
 * put in the place of a pool was not made here, so it is neither started nor closed.
 */
export class PoolRegistry {
  private readonly owned = new Map<string, OwnedPool>();
  /** The `forRoot` that the application was started with. */
  private root: NestModule | undefined;
  private phase: 'building' | 'running' | 'closed' = 'building';

  constructor(readonly graph: ModuleGraph) {}

  /** The pools that were made here. */
  get pools(): OwnedPool[] {
    return [...this.owned.values()];
  }

  /**
   * The pool of a definition: a new one, or the one that another module's equal definition made before.
   * @throws PoolSettingsError
   */
  async pool(definition: PoolDefinition, parts: PoolParts): Promise<ConnectionPool<unknown>> {
    return this.orClose(() => {
      try {
        const own = this.readOwn(definition, parts.made);
        const before = this.owned.get(definition.name);
        return before === undefined ? this.make(definition, own, parts) : this.share(before, definition, own);
      } catch (error) {
        /* istanbul ignore else -- nothing else is thrown here, but a bug of ours must come out as it is */
        if (error instanceof PoolSettingsError) throw this.withOthers(error, definition, parts.layers);
        /* istanbul ignore next -- as above */
        throw error;
      }
    });
  }

  /** Does a part of the start; should it fail, the pools are closed that a constructor may have set going by now. */
  async orClose<R>(work: () => R | Promise<R>): Promise<R> {
    try {
      return await work();
    } catch (error) {
      if (this.phase === 'building') await this.close();
      throw error;
    }
  }

  /** Begins to fill every pool; one that is made later, in a lazily loaded module, begins at once. */
  start(): void {
    this.phase = 'running';
    this.root = this.graph.rootModules()[0];
    for (const { pool } of this.owned.values()) pool.start();
  }

  /** Closes every pool, side by side, but a pool that another's factory uses only after that other. */
  async close(): Promise<void> {
    this.phase = 'closed';
    const users = this.usersByName();
    const closed = new Map<string, Promise<void>>();
    const close = (name: string, path: readonly string[]): Promise<void> => {
      const before = closed.get(name);
      if (before !== undefined) return before;
      // A circle (services that know each other by forwardRef) has no right order; any ends it.
      const first = users.get(name)!.filter((user) => !path.includes(user));
      const closing = Promise.all(first.map((user) => close(user, [...path, user]))).then(() =>
        this.owned.get(name)!.pool.close(),
      );
      closed.set(name, closing);
      return closing;
    };
    await Promise.all([...this.owned.keys()].map((name) => close(name, [name])));
  }

  /** @throws PoolSettingsError if `forRoot` was called twice */
  assertOneRoot(): void {
    const roots = this.graph.rootModules();
    if (roots.length > 1) {
      const received = `${roots.length} calls (${this.graph.importersOfRoot().join(' and ')})`;
      throw new PoolSettingsError('ConnectionPoolModule', [
        { path: 'forRoot', received, allowed: 'one call in an application; put them together' },
      ]);
    }
  }

  /** Checks a `forRoot` where it is made, which a lazily loaded module does after everything else. */
  admitRoot(): void {
    this.assertOneRoot();
    if (this.phase !== 'building' && this.root === undefined) throw lazy('forRoot', 'a call in a lazily loaded module');
  }

  /** The start fails anyway: what the factories of pools lack that are not yet made is told along with it. */
  private withOthers(error: PoolSettingsError, { name }: PoolDefinition, layers: SettingsLayers): PoolSettingsError {
    const others = new Map(this.graph.features().map(({ definition }) => [definition.name, definition]));
    const unmade = [...others.values()].filter((each) => each.name !== name && !this.owned.has(each.name));
    const faults = unmade.flatMap((each) => layers.classFaults(each));
    return faults.length === 0
      ? error
      : new PoolSettingsError(`${error.subject} and others`, [...error.faults, ...faults]);
  }

  private readOwn(definition: PoolDefinition, made: unknown): GivenSettings {
    const { name, settingsFactory } = definition;
    const faults: Fault[] = [...definition.faults];
    const own =
      settingsFactory === undefined || made === undefined
        ? definition.settings
        : UNNAMED_SETTINGS.read(made, `forFeature.${name}`, { faults, fromText: true });
    if (own === undefined || faults.length > 0) throw new PoolSettingsError(`pool "${name}"`, faults);
    return own;
  }

  private make(definition: PoolDefinition, own: GivenSettings, parts: PoolParts): ConnectionPool<unknown> {
    const { name } = definition;
    if (this.phase === 'running' && this.root === undefined) {
      throw lazy(`pool "${name}"`, 'a registration in a lazily loaded module');
    }
    const { layers, logger, clock, factory } = parts;
    const given = { logger, clock, ...layers.settingsOf(name, own), name };
    const faults = factoryFaults(factory, given);
    if (faults.length > 0) throw new PoolSettingsError(`pool "${name}"`, layers.located(name, own, faults));
    const settings = resolveSettings(factory, given);
    const pool = new ConnectionPool(factory, given);
    this.owned.set(name, { definition, own, settings, pool });
    if (this.phase === 'running') pool.start();
    if (this.phase === 'closed') void pool.close();
    return pool;
  }

  private share(before: OwnedPool, definition: PoolDefinition, own: GivenSettings): ConnectionPool<unknown> {
    const { name, factory } = definition;
    const faults: Fault[] = [];
    if (before.definition.factory !== factory) {
      const allowed = `${before.definition.factory.name}, as${this.whoRegistered(before.definition)}, or another name`;
      faults.push({ path: 'factory', received: `${factory.name}${this.whoRegistered(definition)}`, allowed });
    }
    for (const key of differences(before.own, own)) {
      const received = `${describeValue(own[key])}${this.whoRegistered(definition)}`;
      const allowed = `${describeValue(before.own[key])}, as${this.whoRegistered(before.definition)}, or another name`;
      faults.push({ path: key, received, allowed });
    }
    if (faults.length > 0) throw new PoolSettingsError(`pool "${name}", which is registered twice`, faults);
    return before.pool;
  }

  private whoRegistered(definition: PoolDefinition): string {
    const { module } = this.graph.features().find((feature) => feature.definition === definition)!;
    return ` in ${this.graph.importersOf(module).join(' and ')} (${definition.factory.name})`;
  }

  /** For each pool those whose factories use it. */
  private usersByName(): Map<string, string[]> {
    const names = new Map([...this.owned.keys()].map((name) => [getPoolToken(name) as unknown, name]));
    const users = new Map([...this.owned.keys()].map((name) => [name, [] as string[]]));
    for (const user of this.owned.keys()) {
      const used = this.graph.poolProviders(user).flatMap((provider) => [...dependenciesOf(provider)]);
      for (const name of new Set(used.map(({ token }) => names.get(token)))) {
        if (name !== undefined) users.get(name)!.push(user);
      }
    }
    return users;
  }
}

/** What is wrong with something that came after the start. */
export function lazy(subject: string, received: string): PoolSettingsError {
  const allowed =
    'ConnectionPoolModule.forRoot() in a module that the application is started with; ' +
    'what is loaded lazily may then register pools with forFeature()';
  return new PoolSettingsError(subject, [{ path: 'forRoot', received, allowed }]);
}

function differences(one: GivenSettings, other: GivenSettings): Array<keyof GivenSettings> {
  const keys = new Set([...Object.keys(one), ...Object.keys(other)] as Array<keyof GivenSettings>);
  return [...keys].filter((key) => !isDeepStrictEqual(one[key], other[key]));
}
