import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule, { logger: ['log', 'warn', 'error'] });
app.enableShutdownHooks();
await app.listen(process.env['PORT'] ?? 3000, '127.0.0.1');
const url = await app.getUrl();
console.log(`
  curl ${url}/parcels/7
  curl -X POST ${url}/parcels/8
  curl -X POST ${url}/rush
  curl ${url}/report
`);
