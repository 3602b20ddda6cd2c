import 'reflect-metadata';
import { describe, expect, test } from '@jest/globals';
import { Test } from '@nestjs/testing';
import { CONNECTION_POOL_CLOCK, CONNECTION_POOL_LOGGER, ConnectionPool } from '../../src/index.js';
import { ScriptedFactory, VirtualClock } from '../../src/testing/index.js';
import { MailConnectionFactory } from './mail/mail-connection.factory.js';
import { MailModule } from './mail/mail.module.js';
import { MailService } from './mail/mail.service.js';
import { faultsOf } from './argument-faults.js';

const SILENT = { log: () => {}, warn: () => {}, error: () => {} };

/** The module of the examples, with these in the place of its factory and its clock. */
function moduleWith(factory: object, clock: VirtualClock) {
  return Test.createTestingModule({ imports: [MailModule] })
    .overrideProvider(MailConnectionFactory)
    .useValue(factory)
    .overrideProvider(CONNECTION_POOL_CLOCK)
    .useValue(clock)
    .overrideProvider(CONNECTION_POOL_LOGGER)
    .useValue(SILENT)
    .compile();
}

describe('what docs/testing.md warns of', () => {
  test('a connection that is killed in its first second is replaced after a pause, later at once', async () => {
    const clock = new VirtualClock();
    const factory = new ScriptedFactory({ clock, create: (id) => ({ id }) });
    const pool = new ConnectionPool(factory, { clock, size: 1, reconnect: { jitter: 'none' } });
    await clock.run(pool.ready());
    factory.kill(factory.opened[0]!);
    await clock.advance(99);
    expect(factory.opened).toHaveLength(1);
    await clock.advance(1);
    expect(factory.opened).toHaveLength(2);
    await clock.advance('1s');
    factory.kill(factory.opened[1]!);
    await clock.settle();
    expect(factory.opened).toHaveLength(3);
  });

  test('a module with keepalive does not start with a scripted factory that has no such hook', async () => {
    const clock = new VirtualClock();
    const faults = await faultsOf(async () => (await moduleWith(new ScriptedFactory({ clock }), clock)).init());
    expect(faults).toMatchObject([{ path: expect.stringContaining('keepalive') }]);
  });

  test('every hook may be replaced: what your own isConnectionError knew, the scripted factory can be told', async () => {
    class ImapError extends Error {}
    const clock = new VirtualClock();
    const search = (id: number) => async (): Promise<number[]> => {
      if (id === 1) throw new ImapError('BYE');
      return [id];
    };
    const create = (id: number) => ({ search: search(id) });
    const factory = new ScriptedFactory({ clock, hooks: ['keepalive'], create });
    factory.isConnectionError = (error) => error instanceof ImapError;
    const app = await moduleWith(factory, clock);
    await app.init();
    expect(await clock.run(app.get(MailService).unseen())).toEqual([2]);
    expect(factory.closed.map(({ reason }) => reason)).toEqual(['broken']);
    await clock.run(app.close());
  });
});
