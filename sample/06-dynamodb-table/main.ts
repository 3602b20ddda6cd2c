import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule, { logger: ['log', 'warn', 'error'] });
app.enableShutdownHooks();
await app.listen(process.env['PORT'] ?? 3000, '127.0.0.1');
const url = await app.getUrl();
console.log(`
  curl -X PUT ${url}/seats/12 -H 'content-type: application/json' -d '{"guest": "ann"}'
  curl -X PUT ${url}/seats/12 -H 'content-type: application/json' -d '{"guest": "bob"}'
  curl -X POST ${url}/throttle
  curl -X POST ${url}/lose-answers
  curl ${url}/seats
  curl ${url}/report
`);
