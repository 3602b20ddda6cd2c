import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { Database } from './database.js';

const database = await Database.open();
try {
  const app = await NestFactory.create(AppModule.on(database), {
    logger: ['log', 'warn', 'error'],
    abortOnError: false,
  });
  // Instead of app.enableShutdownHooks(), for the server goes last: the pool says goodbye to it when the application closes.
  const shutDown = async (): Promise<void> => {
    await app.close();
    await database.close();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void shutDown());
  await app.listen(process.env['PORT'] ?? 3000, '127.0.0.1').catch(async (error: unknown) => {
    await app.close();
    throw error;
  });
  const url = await app.getUrl();
  console.log(`
  curl -X PUT ${url}/orders/7 -H 'content-type: application/json' -d '{"customer": "ann", "item": "tea", "amount": 2}'
  curl -X POST ${url}/orders/7/payment
  curl ${url}/orders
  curl -X POST ${url}/careless
  curl -X POST ${url}/restart
  curl ${url}/pool
`);
} catch (error) {
  await database.close();
  throw error;
}
