import 'reflect-metadata';
import { afterEach } from '@jest/globals';
import type { INestApplication, ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Module } from '@nestjs/common';

export const ADAPTERS = ['Express', 'Fastify'] as const;

const applications: INestApplication[] = [];

afterEach(async () => {
  for (const application of applications.splice(0)) await application.close();
});

/** An application that listens on a free port, and is closed after the test. */
export async function listening(
  metadata: ModuleMetadata,
  adapter: (typeof ADAPTERS)[number] = 'Express',
  prepare: (application: INestApplication) => void = () => {},
): Promise<{ application: INestApplication; url: string }> {
  @Module(metadata)
  class AppModule {}

  const options = { logger: false, abortOnError: false } as const;
  const application =
    adapter === 'Express'
      ? await NestFactory.create(AppModule, options)
      : await NestFactory.create(AppModule, new FastifyAdapter(), options);
  applications.push(application);
  prepare(application);
  await application.listen(0, '127.0.0.1');
  const { port } = application.getHttpServer().address() as { port: number };
  return { application, url: `http://127.0.0.1:${port}` };
}
