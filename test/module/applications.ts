import 'reflect-metadata';
import { afterEach } from '@jest/globals';
import type { INestApplicationContext, ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import { ConnectionFactory, type CloseReason, type ConnectContext } from '../../src/pool/connection-factory.js';
import type { PoolLogger } from '../../src/pool/settings.js';

/** A connection that is nothing but an object. */
export interface Memory {
  readonly number: number;
}

/** A class of factories of its own for each test, so that what it counts is of this test alone. */
export function memoryFactory(name: string, connect?: (context: ConnectContext) => void | Promise<void>) {
  class MemoryFactory extends ConnectionFactory<Memory> {
    static readonly made: object[] = [];
    static readonly opened: Memory[] = [];
    static readonly closed: Array<{ connection: Memory; reason: CloseReason }> = [];
    static connects = 0;

    constructor() {
      super();
      MemoryFactory.made.push(this);
    }

    async connect(context: ConnectContext): Promise<Memory> {
      MemoryFactory.connects += 1;
      await connect?.(context);
      const connection = { number: MemoryFactory.opened.length + 1 };
      MemoryFactory.opened.push(connection);
      return connection;
    }

    override close(connection: Memory, reason: CloseReason): void {
      MemoryFactory.closed.push({ connection, reason });
    }
  }
  Object.defineProperty(MemoryFactory, 'name', { value: `${name}ConnectionFactory` });
  return MemoryFactory;
}

/** A logger that remembers. */
export function memoryLogger() {
  const lines: string[] = [];
  const note = (level: string) => (message: unknown) => {
    lines.push(`${level}: ${String(message)}`);
  };
  const logger: PoolLogger = { log: note('log'), error: note('error'), warn: note('warn') };
  return { ...logger, lines };
}

const applications: INestApplicationContext[] = [];

/** Has an application closed after the test, should the test not do so itself. */
export function closeLater<T extends INestApplicationContext>(application: T): T {
  applications.push(application);
  return application;
}

afterEach(async () => {
  // Nest 11 repeats the error of a start that failed.
  for (const application of applications.splice(0)) await application.close().catch(() => undefined);
});

/** A started application of one module; with `change`, what a test overrides in it. */
export async function start(metadata: ModuleMetadata, change = (builder: TestingModuleBuilder) => builder) {
  const application = await compile(metadata, change);
  return application.init();
}

/** As {@link start}, without its hooks having been called. */
export async function compile(metadata: ModuleMetadata, change = (builder: TestingModuleBuilder) => builder) {
  const application = await change(Test.createTestingModule(metadata)).setLogger(memoryLogger()).compile();
  return closeLater(application);
}

/** The error with which a promise is rejected. */
export async function rejectionOf(promise: Promise<unknown>): Promise<any> {
  const outcome = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (outcome === undefined) throw new Error('it was fulfilled');
  return outcome.error;
}

/** What a function throws. */
export function errorOf(work: () => unknown): any {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('it threw nothing');
}

/** The paths of a PoolSettingsError's faults. */
export function pathsOf(error: any): string[] {
  return error.faults.map(({ path }: { path: string }) => path);
}
