import type { ReadRetryOptions } from './retry-options.js';

/** What stands at one decorated method. */
export interface RetryDefinition {
  /** The class and the method, as in `MailService.fetch`. */
  readonly method: string;
  /** The class: the context of log lines. */
  readonly className: string;
  /** The name of the method. */
  readonly key: string | symbol;
  /** Whether it stands at the class, so that the method may be one that yields its result at once. */
  readonly onClass: boolean;
  /** The preset asked for. */
  readonly preset: string | undefined;
  /** The options given at the method or its class. */
  readonly options: ReadRetryOptions;
}

/** A decorated method of a class and the preset that it asks for. */
export interface PresetUse {
  /** The class that has the method, and the method, as in `MailService.fetch`. */
  readonly method: string;
  /** The preset asked for; undefined if none, where only the preset `default` counts. */
  readonly preset: string | undefined;
  /** Whether the class has a method of this name, as a preset's `recover` may give it. */
  readonly hasMethod: (name: string) => boolean;
  /** Whether the decorator itself says what is to recover. */
  readonly recovers: boolean;
}

/** The definitions of each class, keyed by its prototype; one method may have several. */
const definitions = new WeakMap<object, RetryDefinition[]>();

export function addDefinition(prototype: object, definition: RetryDefinition): void {
  definitions.set(prototype, [...definitionsOf(prototype), definition]);
}

/** What stands at the methods of the class itself, not of one that it extends. */
export function definitionsOf(prototype: object): readonly RetryDefinition[] {
  return definitions.get(prototype) ?? [];
}

/**
 * The decorated methods of a class, its own and those that it inherits, and which presets they ask for. Given an
 * instance, those of its class. Anything else has none; nothing is ever thrown.
 */
export function presetUsesOf(classOrInstance: unknown): PresetUse[] {
  const uses: PresetUse[] = [];
  try {
    const start = prototypeOf(classOrInstance);
    for (let prototype = start; prototype !== null; prototype = Object.getPrototypeOf(prototype) as object | null) {
      for (const { method, preset, options } of definitionsOf(prototype)) {
        const recovers = options.recover !== undefined;
        uses.push({ method, preset, recovers, hasMethod: (name) => findMethod(start!, name) !== undefined });
      }
    }
  } catch {
    // An object behind a Proxy with a will of its own.
  }
  return uses;
}

function prototypeOf(classOrInstance: unknown): object | null {
  if (typeof classOrInstance === 'function') return (classOrInstance.prototype as object | undefined) ?? null;
  return typeof classOrInstance === 'object' && classOrInstance !== null ? classOrInstance : null;
}

/** A method of this name, looked for along the prototype chain without running getters. */
export function findMethod(start: object, name: string): unknown {
  for (let each: object | null = start; each !== null; each = Object.getPrototypeOf(each) as object | null) {
    const descriptor = Object.getOwnPropertyDescriptor(each, name);
    if (descriptor) return typeof descriptor.value === 'function' ? (descriptor.value as unknown) : undefined;
  }
  return undefined;
}
