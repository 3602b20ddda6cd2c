import 'reflect-metadata';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { Test, type TestingModule } from '@nestjs/testing';
import { CONNECTION_POOL_CLOCK, CONNECTION_POOL_LOGGER, ConnectionPools } from '../../../src/index.js';
import { ScriptedFactory, VirtualClock } from '../../../src/testing/index.js';
import { FakeMailClient } from './fake-mail-client.js';
import { MailConnectionFactory } from './mail-connection.factory.js';
import { MailModule } from './mail.module.js';
import { MailService } from './mail.service.js';

let clock: VirtualClock;
let factory: ScriptedFactory<FakeMailClient>;
let app: TestingModule;
let mail: MailService;
const logger = { log: jest.fn(), warn: jest.fn(), error: jest.fn() };

beforeEach(async () => {
  jest.clearAllMocks();
  clock = new VirtualClock();
  factory = new ScriptedFactory({
    clock,
    hooks: ['keepalive'],
    create: (_id, ended) => new FakeMailClient(clock, ended),
  });
  app = await Test.createTestingModule({ imports: [MailModule] })
    .overrideProvider(MailConnectionFactory)
    .useValue(factory)
    .overrideProvider(CONNECTION_POOL_CLOCK)
    .useValue(clock)
    .overrideProvider(CONNECTION_POOL_LOGGER)
    .useValue(logger)
    .compile();
  await app.init();
  mail = app.get(MailService);
  await clock.advance('1s'); // the three connections are open, and no longer new
});

afterEach(() => clock.run(app.close()));

test('finds what is unseen', async () => {
  expect(await clock.run(mail.unseen(), { within: 20 })).toEqual([7, 9]);
});

test('searches again, on another connection, when one dies in use', async () => {
  const searching = mail.unseen();
  await clock.advance(10); // half-way through the search
  factory.kill(factory.opened[0]!); // as the server would
  expect(await clock.run(searching)).toEqual([7, 9]);
  expect(factory.opened.map((client) => client.searches)).toEqual([1, 1, 0, 0]);
  expect(factory.closed).toEqual([{ connection: factory.opened[0], reason: 'broken' }]);
});

test('outlasts an outage: callers wait, and are served when the server is back', async () => {
  factory.down();
  const searching = mail.unseen();
  await clock.advance('5s');
  factory.up();
  expect(await clock.run(searching)).toEqual([7, 9]);
  expect(logger.error).toHaveBeenCalledTimes(1); // "cannot connect", once, however often it tried
  await clock.advance('1m');
  expect(factory.live).toHaveLength(3);
});

test('tells its caller that the server is down when it has waited for 10 s', async () => {
  factory.down();
  await expect(clock.run(mail.unseen(), { within: '10s' })).rejects.toMatchObject({
    code: 'ERR_POOL_ACQUIRE_TIMEOUT',
    message: expect.stringContaining('The backend is down'),
    cause: { code: 'ECONNREFUSED' },
  });
});

test('tells its caller that the pool is busy when others hold every connection', async () => {
  const pool = app.get(ConnectionPools).get(MailConnectionFactory);
  const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
  await expect(clock.run(mail.unseen(), { within: '10s' })).rejects.toMatchObject({
    code: 'ERR_POOL_ACQUIRE_TIMEOUT',
    message: expect.stringContaining('The pool is busy'),
    counts: { leased: 3 },
  });
  for (const lease of leases) lease.release();
});

test('pings each connection every 30 s', async () => {
  await clock.advance('30s');
  expect(factory.calls.keepalive).toBe(3);
});

test('replaces a connection that does not answer the ping', async () => {
  factory.next('keepalive', 'hang');
  await clock.advance('35s'); // keepalive, and keepaliveTimeout
  expect(factory.closed.map(({ reason }) => reason)).toEqual(['broken']);
  expect(factory.live).toHaveLength(3);
});

test('finishes its search when the application shuts down', async () => {
  const searching = mail.unseen();
  await clock.run(app.close());
  expect(await searching).toEqual([7, 9]);
  expect(factory.live).toEqual([]);
  expect(clock.pending).toBe(0); // no timer is left
});
