import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule, ReportController } from './app.module.js';
import { IDLE_LIMIT } from './idle-server.js';

const app = await NestFactory.create(AppModule, { logger: ['error'] });
app.enableShutdownHooks();
await app.listen(process.env['PORT'] ?? 3000, '127.0.0.1');

console.log(`
The service drops connections on which nothing was said for ${IDLE_LIMIT / 1_000} s. Three pools of 3, nobody uses them.
  curl ${await app.getUrl()}/report
`);
const report = app.get(ReportController);
setInterval(() => console.table(report.report()), IDLE_LIMIT);
