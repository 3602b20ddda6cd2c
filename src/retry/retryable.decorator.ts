import { Inject, Logger, Optional } from '@nestjs/common';
import { PoolSettingsError } from '../pool/errors.js';
import { describeValue, type Reading } from '../pool/rules.js';
import { addDefinition, definitionsOf, findMethod, type RetryDefinition } from './retry-definition.js';
import { acceptRuntime, LINK, RUNTIME } from './retry-instances.js';
import { readRetryOptions, type ReadRetryOptions, type RetryOptions } from './retry-options.js';
import { RetryRuntime } from './retry-runtime.js';
import { RetryingMethod, type Method } from './retrying-method.js';

/** A method that can be retried: one whose result comes later. */
// Only `any` takes every list of parameters.
// oxlint-disable-next-line typescript/no-explicit-any
export type AsyncMethod = (...args: any[]) => PromiseLike<unknown> | { subscribe(...args: any[]): unknown };

/** What `@Retryable` stands before: a method that returns a promise or an Observable, or a class. */
export interface RetryableDecorator {
  <M extends AsyncMethod>(target: object, key: string | symbol, descriptor: TypedPropertyDescriptor<M>): void;
  // What TypeScript calls a class's constructor here.
  // oxlint-disable-next-line typescript/no-unsafe-function-type
  (target: Function): void;
}

// What Nest or `using` calls of its own accord, once, and awaits; retrying a start or a stop is a decision of its own.
const STARTS_AND_STOPS: readonly (string | symbol)[] = [
  'onModuleInit',
  'onApplicationBootstrap',
  'onModuleDestroy',
  'beforeApplicationShutdown',
  'onApplicationShutdown',
  Symbol.asyncDispose,
  Symbol.dispose,
];

/**
 * Retries a method when it fails with an error to retry: a connection error, unless `retryOn` says otherwise. On a class:
 * each of its own methods, but for getters, setters, lifecycle hooks and disposal; a method's own `@Retryable` replaces
 * the class's, and what returns neither a promise nor an Observable passes through unchanged.
 *
 * Options are laid over the application's preset `default`, which lies over the built-in defaults. In an application,
 * logger, clock and presets are injected; on other instances and on static methods, the built-in defaults and Nest's
 * `Logger` serve.
 *
 * @throws PoolSettingsError where it stands, if the options are wrong: it lists every fault
 */
export function Retryable(options?: RetryOptions): RetryableDecorator;
/** @param preset the name of a preset in `forRoot({ retry })`; the options are laid over it */
export function Retryable(preset: string, options?: RetryOptions): RetryableDecorator;
export function Retryable(presetOrOptions: string | RetryOptions = {}, more: RetryOptions = {}): RetryableDecorator {
  const [preset, options] =
    typeof presetOrOptions === 'string' ? [presetOrOptions, more] : [undefined, presetOrOptions];
  if (typeof presetOrOptions === 'function' || typeof more === 'string' || typeof more === 'symbol') {
    // Without parentheses it would silently put a function in the place of the class or method.
    throw new PoolSettingsError('@Retryable', [
      { path: '@Retryable', received: 'no parentheses', allowed: '@Retryable() or @Retryable({ ... })' },
    ]);
  }
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor): void => {
    if (key === undefined) decorateClass(target as ClassLike, preset, options);
    else decorateMethod(target, key, descriptor, preset, options);
  };
}

interface ClassLike {
  readonly name: string;
  readonly prototype: object;
}

function decorateClass(classRef: ClassLike, preset: string | undefined, given: RetryOptions): void {
  const { prototype, name } = classRef;
  const options = check(`@Retryable of ${name}`, prototype, false, preset, given);
  const decorated = new Set(definitionsOf(prototype).map(({ key }) => key));
  for (const key of Reflect.ownKeys(prototype)) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, key)!;
    if (key === 'constructor' || key === LINK || STARTS_AND_STOPS.includes(key) || decorated.has(key)) continue;
    if (typeof descriptor.value !== 'function') continue;
    replace(prototype, descriptor, { ...names(name, key), preset, options, onClass: true });
    Object.defineProperty(prototype, key, descriptor);
  }
}

function decorateMethod(
  target: object,
  key: string | symbol,
  descriptor: PropertyDescriptor | undefined,
  preset: string | undefined,
  given: RetryOptions,
): void {
  const isStatic = typeof target === 'function';
  const { name } = (isStatic ? target : target.constructor) as ClassLike;
  const { method } = names(name, key);
  const subject = `@Retryable of ${method}`;
  if (typeof descriptor?.value !== 'function') {
    const allowed = 'a method, decorated with experimentalDecorators as Nest needs it; no property, getter or setter';
    throw new PoolSettingsError(subject, [{ path: method, received: 'something else', allowed }]);
  }
  const options = check(subject, target, isStatic, preset, given);
  replace(target, descriptor, { ...names(name, key), preset, options, onClass: false });
}

function names(className: string, key: string | symbol): Pick<RetryDefinition, 'method' | 'className' | 'key'> {
  return { method: `${className}.${String(key)}`, className, key };
}

function check(
  subject: string,
  target: object,
  isStatic: boolean,
  preset: string | undefined,
  given: RetryOptions,
): ReadRetryOptions {
  const reading: Reading = { faults: [], fromText: false };
  const options = readRetryOptions(given, reading);
  const { recover } = options;
  if (typeof recover === 'string' && findMethod(target, recover) === undefined) {
    const allowed = 'the name of a method that the class has (also an abstract one needs a body), or a function';
    reading.faults.push({ path: 'recover', received: describeValue(recover), allowed });
  }
  if (preset === '') reading.faults.push({ path: 'preset', received: "''", allowed: 'the name of a preset' });
  if (preset !== undefined && isStatic) {
    const allowed = 'none at a static method, which belongs to no application whose presets it could use; give options';
    reading.faults.push({ path: 'preset', received: describeValue(preset), allowed });
  }
  if (reading.faults.length > 0) throw new PoolSettingsError(subject, reading.faults);
  return options;
}

/** Puts a method that retries in the place of the descriptor's, alike in everything that others may look at. */
function replace(target: object, descriptor: PropertyDescriptor, definition: RetryDefinition): void {
  const original = descriptor.value as Method;
  // Nest's class of static methods, not an instance: it follows app.useLogger().
  const retrying = new RetryingMethod(original, definition, Logger);
  // Written as a method, so that it is no constructor and has no prototype.
  const { method } = {
    method(this: unknown, ...args: unknown[]): unknown {
      return retrying.call(this, args);
    },
  };
  // Its name and length, and what decorators set on it as properties or as Reflect metadata.
  for (const key of Reflect.ownKeys(original)) {
    if (key === 'prototype') continue;
    Object.defineProperty(method, key, Object.getOwnPropertyDescriptor(original, key)!);
  }
  for (const key of Reflect.getOwnMetadataKeys(original) as unknown[]) {
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, original), method);
  }
  descriptor.value = method;
  if (typeof target === 'function') return;
  addDefinition(target, definition);
  if (!acceptRuntime(target)) return;
  Optional()(target, RUNTIME);
  Inject(RetryRuntime)(target, RUNTIME);
}
