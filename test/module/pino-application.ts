/**
 * An application that logs through nestjs-pino, with a pool whose backend is down and then back: node test/start.js
 * module/pino-application [own]. With `own` only the pools do. A program of its own, as jest cannot load what requires Nest 12.
 */
import 'reflect-metadata';
import process from 'node:process';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Logger, LoggerModule } from 'nestjs-pino';
import { ConnectionFactory, ConnectionPoolModule, ConnectionPools } from '../../src/index.js';
import { until } from '../until.js';

const isOwn = process.argv[2] === 'own';
let isDown = true;

class MailConnectionFactory extends ConnectionFactory<object> {
  connect(): object {
    if (isDown) throw new Error('refused');
    return {};
  }
}

@Module({
  imports: [
    LoggerModule.forRoot(),
    ConnectionPoolModule.forRootAsync({
      inject: [Logger],
      useFactory: (logger: Logger) => ({
        defaults: { size: 2, reconnect: { delay: 10, maxDelay: 20 } },
        logger: isOwn ? logger : undefined,
      }),
    }),
    ConnectionPoolModule.forFeature([MailConnectionFactory]),
  ],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, isOwn ? { logger: false } : { bufferLogs: true });
if (!isOwn) app.useLogger(app.get(Logger));
const pool = app.get(ConnectionPools).get(MailConnectionFactory);
await until(() => pool.stats().totals.connectFailures > 3, 'connects fail');
isDown = false;
// What has served has held.
await pool.use(() => undefined);
await until(() => pool.stats().downSince === undefined, 'the outage is over');
await app.close();
