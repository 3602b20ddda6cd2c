import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { MailServer } from './mail-server.js';

const app = await NestFactory.create(AppModule, { logger: ['log', 'warn', 'error'] });
await app.listen(process.env['PORT'] ?? 3000, '127.0.0.1');
const url = await app.getUrl();

// Instead of app.enableShutdownHooks(), for the server goes last: the pool says goodbye to it when the application closes.
async function shutDown(): Promise<void> {
  await app.close();
  await app.get(MailServer).close();
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void shutDown());

console.log(`
  curl ${url}/unread
  curl ${url}/mailboxes/Orders/unread
  curl -X POST ${url}/mailboxes/Orders/read
  curl -X POST ${url}/kick
  curl ${url}/pool
`);
