import 'reflect-metadata';
import { afterEach } from '@jest/globals';
import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { CONNECTION_POOL_CLOCK } from '../../src/index.js';
import { systemClock, type Clock } from '../../src/pool/clock.js';

export const ADAPTERS = ['Express', 'Fastify'] as const;

const applications: INestApplication[] = [];

afterEach(async () => {
  for (const application of applications.splice(0)) await application.close();
});

/** The system's clock, but that everything takes a part of its time. */
export function clockThatRuns(times: number): Clock {
  const start = systemClock.now();
  return {
    ...systemClock,
    now: () => start + (systemClock.now() - start) * times,
    setTimeout: (callback, delay) => systemClock.setTimeout(callback, delay / times),
  };
}

/** An application that listens on a free port, and is closed after the test. */
export async function listening(
  metadata: ModuleMetadata,
  adapter: (typeof ADAPTERS)[number] = 'Express',
  prepare: (application: INestApplication) => void = () => {},
  clock: Clock = systemClock,
): Promise<{ application: INestApplication; url: string }> {
  const builder = Test.createTestingModule(metadata).overrideProvider(CONNECTION_POOL_CLOCK).useValue(clock);
  const module = await builder.compile();
  const http = adapter === 'Express' ? new ExpressAdapter() : new FastifyAdapter();
  const application = module.createNestApplication(http, { logger: false });
  applications.push(application);
  prepare(application);
  await application.listen(0, '127.0.0.1');
  const { port } = application.getHttpServer().address() as { port: number };
  return { application, url: `http://127.0.0.1:${port}` };
}
