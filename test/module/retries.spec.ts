import { describe, expect, test } from '@jest/globals';
import { Controller, Injectable, Module, Scope } from '@nestjs/common';
import { ConnectionPoolModule } from '../../src/module/connection-pool.module.js';
import { CONNECTION_POOL_CLOCK, CONNECTION_POOL_LOGGER } from '../../src/module/tokens.js';
import { ConnectionError } from '../../src/pool/connection-error.js';
import { PoolSettingsError } from '../../src/pool/errors.js';
import { Retryable } from '../../src/retry/retryable.decorator.js';
import { VirtualClock } from '../../src/testing/virtual-clock.js';
import { compile, memoryFactory, memoryLogger, pathsOf, rejectionOf, start } from './applications.js';

@Injectable()
class Mailbox {
  calls = 0;

  @Retryable('mailbox')
  async read(): Promise<never> {
    this.calls += 1;
    throw new ConnectionError('cut off');
  }
}

const retry = { mailbox: { maxRetries: 2, delay: '1s', jitter: 'none' } } as const;

describe('R3: retries of an application', () => {
  test('presets, logger and clock reach a provider, and tests can override them', async () => {
    const clock = new VirtualClock();
    const logger = memoryLogger();
    const app = await start({ imports: [ConnectionPoolModule.forRoot({ retry })], providers: [Mailbox] }, (builder) =>
      builder
        .overrideProvider(CONNECTION_POOL_CLOCK)
        .useValue(clock)
        .overrideProvider(CONNECTION_POOL_LOGGER)
        .useValue(logger),
    );
    const failing = rejectionOf(app.get(Mailbox).read());
    await clock.advance(10_000);
    expect((await failing).message).toBe('cut off');
    expect(app.get(Mailbox).calls).toBe(3);
    expect(logger.lines.map((line) => line.split(':')[0])).toEqual(['warn', 'warn', 'error']);
  });

  test('they reach what a useFactory made', async () => {
    const clock = new VirtualClock();
    const app = await start(
      {
        imports: [
          ConnectionPoolModule.forRootAsync({
            useFactory: () => ({ retry: { mailbox: { maxRetries: '1', delay: '5s' } } }),
          }),
        ],
        providers: [
          { provide: Mailbox, useFactory: () => new Mailbox() },
          { provide: 'alias', useExisting: Mailbox },
          { provide: 'text', useFactory: () => 'text' },
        ],
      },
      (builder) =>
        builder
          .overrideProvider(CONNECTION_POOL_CLOCK)
          .useValue(clock)
          .overrideProvider(CONNECTION_POOL_LOGGER)
          .useValue(memoryLogger()),
    );
    const failing = rejectionOf(app.get<Mailbox>('alias').read());
    await clock.advance(10_000);
    await failing;
    expect(app.get(Mailbox).calls).toBe(2);
  });

  test.each([
    ['a provider', { providers: [Mailbox] }],
    ['a provider of request scope', { providers: [{ provide: Mailbox, useClass: Mailbox, scope: Scope.REQUEST }] }],
    ['what a useFactory made', { providers: [{ provide: 'mailbox', useFactory: () => new Mailbox() }] }],
    [
      'a controller',
      {
        controllers: [
          (() => {
            @Controller()
            class MailController extends Mailbox {}
            return MailController;
          })(),
        ],
      },
    ],
  ])('an unknown preset of %s stops the start, with those that exist', async (_, metadata) => {
    const Mail = memoryFactory('Mail');
    const imports = [
      ConnectionPoolModule.forRoot({ retry: { other: {} } }),
      ConnectionPoolModule.forFeature([{ factory: Mail, size: 1 }]),
    ];
    @Module(metadata)
    class MailModule {}
    const app = await compile({ imports: [...imports, MailModule] });
    const error = await rejectionOf(app.init());
    expect(error).toBeInstanceOf(PoolSettingsError);
    expect(pathsOf(error)).toEqual(['Mailbox.read']);
    expect(error.message).toContain('"other"');
    expect(Mail.connects).toBe(0);
  });

  test('a class that the options are made of may be retried', async () => {
    const app = await start({
      imports: [
        ConnectionPoolModule.forRootAsync({
          imports: [{ module: class MailboxModule {}, providers: [Mailbox], exports: [Mailbox] }],
          inject: [Mailbox],
          useFactory: () => ({ retry }),
        }),
      ],
    });
    expect(app.get(Mailbox).calls).toBe(0);
  });
});

describe('R5: shutdown', () => {
  test('ends the pauses of injected instances at once, with the last error', async () => {
    const clock = new VirtualClock();
    const app = await start(
      { imports: [ConnectionPoolModule.forRoot({ retry, logger: memoryLogger() })], providers: [Mailbox] },
      (builder) => builder.overrideProvider(CONNECTION_POOL_CLOCK).useValue(clock),
    );
    const failing = rejectionOf(app.get(Mailbox).read());
    await clock.settle();
    await app.close();
    expect((await failing).message).toBe('cut off');
    expect(app.get(Mailbox).calls).toBe(1);
    expect(clock.pending).toBe(0);
  });

  test('ends them before the server waits for its requests: in beforeApplicationShutdown', async () => {
    const clock = new VirtualClock();
    const outcomes: unknown[] = [];
    class Service {
      async onApplicationShutdown() {
        outcomes.push('onApplicationShutdown');
      }
    }
    const app = await start(
      { imports: [ConnectionPoolModule.forRoot({ retry, logger: memoryLogger() })], providers: [Mailbox, Service] },
      (builder) => builder.overrideProvider(CONNECTION_POOL_CLOCK).useValue(clock),
    );
    const failing = rejectionOf(app.get(Mailbox).read()).then(() => outcomes.push('ended'));
    await clock.settle();
    await app.close();
    await failing;
    expect(outcomes).toEqual(['ended', 'onApplicationShutdown']);
  });
});
