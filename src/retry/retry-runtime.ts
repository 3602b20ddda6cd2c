import { systemClock, type Clock } from '../pool/clock.js';
import { PoolSettingsError } from '../pool/errors.js';
import type { Fault, Reading } from '../pool/rules.js';
import type { PoolLogger } from '../pool/settings.js';
import { Pauses } from './pauses.js';
import { budgetFrom, type RetryBudget } from './retry-budget.js';
import type { PresetUse, RetryDefinition } from './retry-definition.js';
import { layRetryOptions, RETRY_PRESETS_RULE, type ReadRetryOptions, type RetryOptions } from './retry-options.js';
import { makePlan, type RetryPlan } from './retry-plan.js';

/** What the application tells its retries, once its options are known. */
export interface RetryRuntimeConfig {
  readonly logger: PoolLogger;
  readonly clock: Clock;
  /** The presets of `forRoot({ retry })`, by name; as given, or in the normal form that RETRY_PRESETS_RULE yields. */
  readonly presets: Readonly<Record<string, RetryOptions>>;
}

/** The preset that lies under every `@Retryable`. */
const DEFAULT_PRESET = 'default';

const GENUINE = Symbol('RetryRuntime');

/**
 * What `@Retryable` asks of the application: logger, clock, presets, and to be told of shutdown. One per application,
 * provided under this class as its token. It depends on nothing, so that any provider may be given it, also those that
 * the options are made of; the module calls {@link configure} once options are known. Until then, retries go by the
 * decorator's own options and the built-in defaults.
 *
 * Decorated classes get it by optional property injection. The module
 * 1. hands `adopt(instance, runtime)` each instance that no injection reached (`useFactory` singletons),
 * 2. hands `presetUsesOf(class or instance)` of each provider and controller to {@link checkPresets},
 * 3. calls {@link shutdown} in its `beforeApplicationShutdown`.
 */
export class RetryRuntime {
  /** Tells a runtime from a mock in its place, also through a Proxy. */
  readonly kind: symbol = GENUINE;
  private readonly pauses = new Pauses();
  private config: RetryRuntimeConfig | undefined;
  private presets: Readonly<Record<string, ReadRetryOptions>> = {};
  private plans = new WeakMap<RetryDefinition, RetryPlan>();
  private readonly presetBudgets = new Map<string, RetryBudget>();

  /**
   * Tells the runtime the application's options; may be called once more, which replaces all of them.
   * @throws PoolSettingsError which lists every fault of the presets
   */
  configure(config: RetryRuntimeConfig): void {
    const reading: Reading = { faults: [], fromText: false };
    const presets = RETRY_PRESETS_RULE.read(config.presets, 'retry', reading);
    if (presets === undefined || reading.faults.length > 0) throw new PoolSettingsError('the module', reading.faults);
    this.config = config;
    this.presets = presets;
    this.presetBudgets.clear();
    this.plans = new WeakMap();
  }

  /**
   * Makes sure that every preset asked for exists, and that what a preset names as `recover` is a method of each class
   * that uses it. To be called once configured, before the application serves anything.
   * @throws PoolSettingsError which names every method and preset at fault, and the presets that exist
   */
  checkPresets(uses: Iterable<PresetUse>): void {
    const faults = new Map<string, Fault>();
    for (const use of uses) {
      const fault = this.faultOfPreset(use.method, use.preset) ?? this.faultOfRecover(use);
      // Several classes may inherit one method.
      if (fault) faults.set(`${fault.path} ${fault.received}`, fault);
    }
    if (faults.size > 0) throw new PoolSettingsError('@Retryable', [...faults.values()]);
  }

  /** Ends all pauses at once, with the last error of each, and begins no more. */
  shutdown(): void {
    this.pauses.endAll();
  }

  /**
   * How a decorated method is retried in this application.
   * @throws PoolSettingsError if it asks for a preset that does not exist
   */
  planOf(definition: RetryDefinition, fallbackLogger: PoolLogger): RetryPlan {
    const known = this.plans.get(definition);
    if (known) return known;
    const plan = this.makePlan(definition, fallbackLogger);
    this.plans.set(definition, plan);
    return plan;
  }

  private makePlan(definition: RetryDefinition, fallbackLogger: PoolLogger): RetryPlan {
    const { method, className, preset, options: own } = definition;
    const names = namesOf(preset);
    const fault = this.config && this.faultOfPreset(method, preset);
    if (fault) throw new PoolSettingsError('@Retryable', [fault]);
    const options = layRetryOptions([...names.map((name) => this.presetOf(name) ?? {}), own]);
    return makePlan({
      method,
      context: className,
      options,
      budget: own.budget === undefined ? this.presetBudget(names) : budgetFrom(own.budget),
      logger: this.config?.logger ?? fallbackLogger,
      clock: this.config?.clock ?? systemClock,
      pauses: this.pauses,
    });
  }

  private presetOf(name: string): ReadRetryOptions | undefined {
    return Object.hasOwn(this.presets, name) ? this.presets[name] : undefined;
  }

  /** The budget of the uppermost preset that gives one: the same for all methods that use it. */
  private presetBudget(names: readonly string[]): RetryBudget | undefined {
    const name = names.findLast((each) => this.presetOf(each)?.budget !== undefined);
    if (name === undefined) return undefined;
    const shared = this.presetBudgets.get(name) ?? budgetFrom(this.presetOf(name)!.budget);
    if (shared) this.presetBudgets.set(name, shared);
    return shared;
  }

  private faultOfPreset(method: string, preset: string | undefined): Fault | undefined {
    if (preset === undefined || this.presetOf(preset) !== undefined) return undefined;
    const names = Object.keys(this.presets);
    const known = names.length > 0 ? names.map((name) => `"${name}"`).join(', ') : 'none';
    const allowed = `a preset of forRoot({ retry }); there are: ${known}`;
    return { path: method, received: `the preset "${preset}"`, allowed };
  }

  private faultOfRecover({ method, preset, recovers, hasMethod }: PresetUse): Fault | undefined {
    if (recovers) return undefined;
    const giver = namesOf(preset).findLast((name) => this.presetOf(name)?.recover !== undefined);
    const recover = giver === undefined ? undefined : this.presetOf(giver)!.recover;
    if (typeof recover !== 'string' || hasMethod(recover)) return undefined;
    const allowed = 'the name of a method that the class has';
    return { path: method, received: `"${recover}" as recover, from the preset "${giver!}"`, allowed };
  }
}

/** The presets that lie under a method's own options, the lowest first. */
function namesOf(preset: string | undefined): string[] {
  return preset === undefined ? [DEFAULT_PRESET] : [DEFAULT_PRESET, preset];
}

/** Whether this is a runtime, not a mock in its place. */
export function isRetryRuntime(value: unknown): value is RetryRuntime {
  return typeof value === 'object' && value !== null && (value as Partial<RetryRuntime>).kind === GENUINE;
}
