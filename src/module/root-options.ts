import type { Reading } from '../pool/rules.js';
import { describeValue, isPlainObject } from '../pool/rules.js';
import { LOGGER_RULE, SETTING_RULES, type PoolLogger } from '../pool/settings.js';
import { RETRY_RULES, type ReadRetryOptions } from '../retry/retry-options.js';
import { UNNAMED_SETTINGS, type GivenSettings } from './pool-definition.js';
import { dictionary, validatedOptions } from './validated-options.js';

/** The options of `forRoot` in their normal form. */
export interface RootOptions {
  readonly defaults: GivenSettings;
  readonly pools: Readonly<Record<string, GivenSettings>>;
  readonly retry: Readonly<Record<string, ReadRetryOptions>>;
}

/** How the options of this application came: from code, or from a function that may pass on text of an environment. */
export interface OptionsForm {
  readonly fromText: boolean;
  /** Tells two calls of `forRoot` apart where Nest knows dynamic modules by the text of their metadata. */
  readonly id: string;
}

/** Whether the application has a `forRoot`, and whether its options may be text. Known before any provider is made. */
export const OPTIONS_FORM = Symbol('CONNECTION_POOL_OPTIONS_FORM');

const ROOT = validatedOptions<RootOptions & { logger: PoolLogger }>(
  {
    defaults: UNNAMED_SETTINGS,
    pools: dictionary('settings by the name of their pool', UNNAMED_SETTINGS),
    retry: dictionary('retry options by the name of their preset', validatedOptions<ReadRetryOptions>(RETRY_RULES)),
    logger: LOGGER_RULE,
  },
  (key) => (Object.hasOwn(SETTING_RULES, key) ? '; a setting of all pools belongs into defaults' : ''),
);

/** Reads the options of `forRoot`; the faults are added to the reading's. */
export function readRootOptions(options: unknown, reading: Reading): RootOptions {
  if (!isPlainObject(options)) {
    reading.faults.push({ path: 'options', received: describeValue(options), allowed: ROOT.allowed });
    return { defaults: {}, pools: {}, retry: {} };
  }
  const { defaults = {}, pools = {}, retry = {} } = ROOT.read(options, '', reading)!;
  return { defaults, pools, retry };
}

/** The logger that the options name, if it is one; a wrong one is a fault that {@link readRootOptions} finds. */
export function loggerOf(options: unknown): PoolLogger | undefined {
  if (!isPlainObject(options)) return undefined;
  return LOGGER_RULE.read(options['logger'], 'logger', { faults: [], fromText: false });
}
