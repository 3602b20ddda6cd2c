import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { TerminalLogger } from './live-lines.js';

const app = await NestFactory.create(AppModule, {
  logger: new TerminalLogger({ logLevels: ['log', 'warn', 'error'] }),
});
app.enableShutdownHooks();
await app.listen(process.env['PORT'] ?? 3000, '127.0.0.1');
console.log(`
  ${await app.getUrl()}/pools/live in a browser

  curl -X PUT ${await app.getUrl()}/set/greeting -H 'content-type: application/json' -d '{ "value": "hello" }'
  curl ${await app.getUrl()}/get/greeting
  curl ${await app.getUrl()}/pools
  curl ${await app.getUrl()}/metrics
  curl ${await app.getUrl()}/health
  curl -X POST ${await app.getUrl()}/chaos/load
  curl -X POST ${await app.getUrl()}/chaos/break
  curl -X POST ${await app.getUrl()}/chaos/restart
`);
