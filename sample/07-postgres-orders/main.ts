import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { Database } from './database.js';

const app = await NestFactory.create(AppModule, { logger: ['log', 'warn', 'error'] });
await app.listen(process.env['PORT'] ?? 3000, '127.0.0.1');
const url = await app.getUrl();

// Instead of app.enableShutdownHooks(), for the server goes last: the pool says goodbye to it when the application closes.
async function shutDown(): Promise<void> {
  await app.close();
  await app.get(Database).close();
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void shutDown());

console.log(`
  curl -X PUT ${url}/orders/7 -H 'content-type: application/json' -d '{"customer": "ann", "item": "tea", "amount": 2}'
  curl -X POST ${url}/orders/7/payment
  curl ${url}/orders
  curl -X POST ${url}/careless
  curl -X POST ${url}/restart
  curl ${url}/pool
`);
