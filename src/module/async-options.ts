import type { FactoryProvider, ModuleMetadata, Provider, Type } from '@nestjs/common';
import { PoolSettingsError } from '../pool/errors.js';
import { func, rule, type Reading } from '../pool/rules.js';
import type { ConnectionPoolModuleAsyncOptions, ConnectionPoolOptionsFactory } from './module-options.js';
import { CONNECTION_POOL_OPTIONS } from './tokens.js';
import { validatedOptions } from './validated-options.js';

const LIST = rule('a list', (value) => (Array.isArray(value) ? (value as unknown[]) : undefined));

const ASYNC_OPTIONS = validatedOptions<ConnectionPoolModuleAsyncOptions>({
  imports: LIST,
  inject: LIST,
  useFactory: func('a function that makes the options'),
  useClass: func('a class with a method createConnectionPoolOptions()'),
  useExisting: rule('the token of a provider with a method createConnectionPoolOptions()', (value) =>
    ['function', 'string', 'symbol'].includes(typeof value) ? value : undefined,
  ),
});

const WAYS = ['useFactory', 'useClass', 'useExisting'] as const;

/** The providers that make the options, and the modules that these need. */
export interface OptionsProviders {
  readonly imports: NonNullable<ModuleMetadata['imports']>;
  readonly providers: Provider[];
}

/**
 * Reads what `forRootAsync` was given.
 * @throws PoolSettingsError
 */
export function readAsyncOptions(given: unknown): OptionsProviders {
  const reading: Reading = { faults: [], fromText: false };
  const options = ASYNC_OPTIONS.read(given, 'forRootAsync', reading) ?? {};
  const ways = WAYS.filter((way) => options[way] !== undefined);
  if (reading.faults.length === 0 && ways.length !== 1) {
    const received = ways.length === 0 ? 'none of them' : ways.join(' and ');
    reading.faults.push({ path: 'forRootAsync', received, allowed: `one of ${WAYS.join(', ')}` });
  }
  if (reading.faults.length > 0) throw new PoolSettingsError('ConnectionPoolModule.forRootAsync()', reading.faults);
  return { imports: options.imports ?? [], providers: providersOf(options) };
}

function providersOf({ inject, useFactory, useClass, useExisting }: ConnectionPoolModuleAsyncOptions): Provider[] {
  if (useFactory !== undefined) return [optionsFrom(useFactory, inject)];
  const make = (factory: ConnectionPoolOptionsFactory): unknown => factory.createConnectionPoolOptions();
  if (useClass !== undefined) return [useClass, optionsFrom(make, [useClass])];
  return [optionsFrom(make, [useExisting as Type])];
}

/** Options that are undefined are not given, like any setting that is. */
function optionsFrom(
  make: (...dependencies: never[]) => unknown,
  inject: FactoryProvider['inject'] = [],
): FactoryProvider<unknown> {
  return {
    provide: CONNECTION_POOL_OPTIONS,
    inject,
    useFactory: async (...dependencies: never[]) => {
      const options = await make(...dependencies);
      return options === undefined ? {} : options;
    },
  };
}
