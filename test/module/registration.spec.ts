import { describe, expect, test } from '@jest/globals';
import { Global, Inject, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { ConnectionPoolModule } from '../../src/module/connection-pool.module.js';
import { ConnectionPools } from '../../src/module/connection-pools.js';
import { InjectPool } from '../../src/module/inject-pool.decorator.js';
import { CONNECTION_POOL_CLOCK, CONNECTION_POOL_LOGGER, getPoolToken } from '../../src/module/tokens.js';
import { ConnectionFactory } from '../../src/pool/connection-factory.js';
import type { ConnectionPool } from '../../src/pool/connection-pool.js';
import { PoolSettingsError } from '../../src/pool/errors.js';
import { VirtualClock } from '../../src/testing/virtual-clock.js';
import {
  closeLater,
  compile,
  errorOf,
  memoryFactory,
  memoryLogger,
  pathsOf,
  rejectionOf,
  start,
} from './applications.js';

const Secrets = class Secrets {
  readonly password = 'geheim';
};

@Module({ providers: [Secrets], exports: [Secrets] })
class SecretsModule {}

@Global()
@Module({ providers: [Secrets], exports: [Secrets] })
class GlobalSecretsModule {}

class MailConnectionFactory extends ConnectionFactory<object> {
  constructor(@Inject(Secrets) readonly secrets: InstanceType<typeof Secrets>) {
    super();
  }

  connect(): object {
    return { password: this.secrets.password };
  }
}

describe('N1: a factory is a provider of its own module', () => {
  test('it is given what is global', async () => {
    const app = await start({
      imports: [GlobalSecretsModule, ConnectionPoolModule.forFeature([MailConnectionFactory])],
    });
    const pool = app.get<ConnectionPool<object>>(getPoolToken(MailConnectionFactory));
    expect(await pool.use((connection) => connection)).toEqual({ password: 'geheim' });
  });

  test('it is given what the imports of its definition export', async () => {
    const feature = ConnectionPoolModule.forFeature([{ factory: MailConnectionFactory, imports: [SecretsModule] }]);
    const app = await start({ imports: [feature] });
    expect(app.get(MailConnectionFactory).secrets.password).toBe('geheim');
  });

  test('it is not given what the importing module provides, and the error says where to move that', async () => {
    @Module({ imports: [ConnectionPoolModule.forFeature([MailConnectionFactory])], providers: [Secrets] })
    class MailModule {}
    const error = await rejectionOf(compile({ imports: [MailModule] }));
    expect(error.message).toContain("can't resolve dependencies of the MailConnectionFactory");
    expect(error.message).toContain('ConnectionPoolModule(mail; to inject more, move it to a module that both import)');
  });

  test('the pools of a module can be injected into what imports it, and exported further as one', async () => {
    const Mail = memoryFactory('Mail');
    const Search = memoryFactory('Search');
    const feature = ConnectionPoolModule.forFeature([Mail, Search]);
    @Module({ imports: [feature], exports: [ConnectionPoolModule] })
    class DataModule {}
    @Injectable()
    class Service {
      constructor(
        @InjectPool(Mail) readonly mail: ConnectionPool<object>,
        @InjectPool('search') readonly search: ConnectionPool<object>,
      ) {}
    }
    const app = await start({ imports: [DataModule], providers: [Service] });
    expect(app.get(Service).mail.name).toBe('mail');
    expect(app.get(Service).search.name).toBe('search');
  });

  test('a pool can be injected into a property', async () => {
    const Mail = memoryFactory('Mail');
    class Service {
      @InjectPool(Mail) readonly pool!: ConnectionPool<object>;
    }
    const app = await start({ imports: [ConnectionPoolModule.forFeature([Mail])], providers: [Service] });
    expect(app.get(Service).pool.name).toBe('mail');
  });

  test('the settings of forFeatureAsync are made from what their inject names', async () => {
    const feature = ConnectionPoolModule.forFeatureAsync([
      {
        factory: MailConnectionFactory,
        imports: [SecretsModule],
        inject: [Secrets],
        useFactory: (secrets: InstanceType<typeof Secrets>) => ({ size: secrets.password.length }),
      },
    ]);
    const app = await start({ imports: [feature] });
    expect(app.get(ConnectionPools).get(MailConnectionFactory).stats().size).toBe(6);
  });

  test('settings of forFeatureAsync that are undefined are not given', async () => {
    const Mail = memoryFactory('Mail');
    const feature = ConnectionPoolModule.forFeatureAsync([{ factory: Mail, useFactory: () => undefined }]);
    const app = await start({ imports: [feature] });
    expect(app.get(ConnectionPools).get('mail').stats().size).toBe(10);
  });
});

describe('N4: one pool for one name', () => {
  const pools = (app: { get: any }): ConnectionPools => app.get(ConnectionPools);

  test('the same factory, name and settings in several modules are one pool', async () => {
    const Mail = memoryFactory('Mail');
    class Service {
      constructor(@InjectPool(Mail) readonly pool: ConnectionPool<object>) {}
    }
    @Module({
      imports: [ConnectionPoolModule.forFeature([{ factory: Mail, size: 2, keepaliveTimeout: '1s' }])],
      providers: [{ provide: 'first', useClass: Service }],
    })
    class FirstModule {}
    @Module({
      imports: [
        ConnectionPoolModule.forFeatureAsync([
          { factory: Mail, useFactory: () => ({ size: '2', keepaliveTimeout: 1000 }) },
        ]),
      ],
      providers: [{ provide: 'second', useClass: Service }],
    })
    class SecondModule {}
    const app = await start({ imports: [FirstModule, SecondModule] });
    expect(app.get<Service>('first').pool).toBe(app.get<Service>('second').pool);
    expect([...pools(app)]).toHaveLength(1);
    await pools(app).get(Mail).ready();
    expect(Mail.opened).toHaveLength(2);
  });

  test('one factory can serve two pools of two names', async () => {
    const Mail = memoryFactory('Mail');
    const app = await start({
      imports: [ConnectionPoolModule.forFeature([Mail, { factory: Mail, name: 'archive', size: 1 }])],
    });
    expect([...pools(app)].map(({ name }) => name)).toEqual(['mail', 'archive']);
    expect(pools(app).get(Mail).name).toBe('mail');
    expect(pools(app).get('archive').stats().size).toBe(1);
  });

  test('different settings of one name are an error that names both modules and both values', async () => {
    const Mail = memoryFactory('Mail');
    @Module({ imports: [ConnectionPoolModule.forFeature([{ factory: Mail, size: 2, maxUses: 5 }])] })
    class FirstModule {}
    @Module({ imports: [ConnectionPoolModule.forFeature([{ factory: Mail, size: 3 }])] })
    class SecondModule {}
    const error = await rejectionOf(compile({ imports: [FirstModule, SecondModule] }));
    expect(error).toBeInstanceOf(PoolSettingsError);
    expect(pathsOf(error).toSorted()).toEqual(['maxUses', 'size']);
    for (const part of ['"mail"', 'FirstModule', 'SecondModule', 'min: 2', 'min: 3']) {
      expect(error.message).toContain(part);
    }
  });

  test('two classes of one name are an error that names both', async () => {
    const Mail = memoryFactory('Mail');
    const Other = memoryFactory('Other');
    @Module({ imports: [ConnectionPoolModule.forFeature([Mail])] })
    class FirstModule {}
    @Module({ imports: [ConnectionPoolModule.forFeature([{ factory: Other, name: 'mail' }])] })
    class SecondModule {}
    const error = await rejectionOf(compile({ imports: [FirstModule, SecondModule] }));
    expect(error).toBeInstanceOf(PoolSettingsError);
    for (const part of ['MailConnectionFactory', 'OtherConnectionFactory', 'FirstModule', 'SecondModule']) {
      expect(error.message).toContain(part);
    }
  });

  test('two of one name in one list are held against each other too', async () => {
    const Mail = memoryFactory('Mail');
    const feature = ConnectionPoolModule.forFeature([Mail, { factory: Mail, size: 4 }]);
    expect((await rejectionOf(compile({ imports: [feature] }))).message).toContain('registered twice');
  });

  test('forRoot twice is an error that names both modules', async () => {
    @Module({ imports: [ConnectionPoolModule.forRoot()] })
    class FirstModule {}
    @Module({ imports: [ConnectionPoolModule.forRootAsync({ useFactory: () => ({}) })] })
    class SecondModule {}
    const error = await rejectionOf(compile({ imports: [FirstModule, SecondModule] }));
    expect(error).toBeInstanceOf(PoolSettingsError);
    expect(error.message).toContain('2 calls (FirstModule and SecondModule)');
  });

  test.each(['reference', 'deep-hash'] as const)(
    'lists are told apart where modules are known by %s',
    async (algorithm) => {
      const Mail = memoryFactory('Mail');
      const Search = memoryFactory('Search');
      const imports = [ConnectionPoolModule.forFeature([Mail]), ConnectionPoolModule.forFeature([Search])];
      const app = await Test.createTestingModule({ imports }, { moduleIdGeneratorAlgorithm: algorithm }).compile();
      expect([...pools(app)].map(({ name }) => name)).toEqual(['mail', 'search']);
      await app.close();
    },
  );

  test('forFeature works without forRoot, with the defaults', async () => {
    const app = await start({ imports: [ConnectionPoolModule.forFeature([memoryFactory('Mail')])] });
    expect(pools(app).get('mail').stats().size).toBe(10);
  });

  test('the module may be imported without any of its forms', async () => {
    const app = await start({ imports: [ConnectionPoolModule] });
    expect([...pools(app)]).toEqual([]);
    expect(errorOf(() => pools(app).get('mail')).message).toContain('none, there are no pools');
  });

  test('a pool that nobody registered: the text of its token carries the remedy', async () => {
    const Mail = memoryFactory('Mail');
    class Service {
      constructor(@InjectPool(Mail) readonly pool: ConnectionPool<object>) {}
    }
    const error = await rejectionOf(compile({ providers: [Service] }));
    expect(error.message).toContain('ConnectionPool(mail)');
    expect(error.message).toContain('ConnectionPoolModule.forFeature(');
  });
});

describe('getPoolToken', () => {
  test('is the same for a factory and for its name', () => {
    class NamedFactory extends ConnectionFactory<object> {
      static override poolName = 'post';
      connect(): object {
        return {};
      }
    }
    expect(getPoolToken(NamedFactory)).toBe(getPoolToken('post'));
    expect(getPoolToken(memoryFactory('Mail'))).toBe(getPoolToken('mail'));
    expect(getPoolToken('mail')).not.toBe(getPoolToken('post'));
  });

  test('refuses what names no pool, as what is imported in a circle', () => {
    for (const wrong of [undefined, null, '', 5, class {}]) {
      const error = errorOf(() => getPoolToken(wrong as any));
      expect(error).toBeInstanceOf(PoolSettingsError);
      expect(error.message).toContain('imported in a circle');
    }
  });
});

describe('N7: the injected logger and clock reach the pools', () => {
  test('a pool writes to the logger of forRoot', async () => {
    const logger = memoryLogger();
    const Mail = memoryFactory('Mail', () => {
      throw new Error('no route');
    });
    const app = await start({
      imports: [ConnectionPoolModule.forRoot({ logger }), ConnectionPoolModule.forFeature([Mail])],
    });
    await app
      .get(ConnectionPools)
      .get(Mail)
      .acquire({ timeout: 1 })
      .catch(() => undefined);
    expect(logger.lines.join('\n')).toContain('no route');
    expect(logger.lines.join('\n')).toContain('mail');
  });

  test('overrides of the logger and the clock reach the pools', async () => {
    const logger = memoryLogger();
    const clock = new VirtualClock();
    const Mail = memoryFactory('Mail', () => {
      throw new Error('no route');
    });
    const app = await start(
      { imports: [ConnectionPoolModule.forRoot({ logger: memoryLogger() }), ConnectionPoolModule.forFeature([Mail])] },
      (builder) =>
        builder
          .overrideProvider(CONNECTION_POOL_LOGGER)
          .useValue(logger)
          .overrideProvider(CONNECTION_POOL_CLOCK)
          .useValue(clock),
    );
    const waiting = rejectionOf(app.get(ConnectionPools).get(Mail).acquire({ timeout: '1h' }));
    await clock.advance(3_600_000);
    expect((await waiting).code).toBe('ERR_POOL_ACQUIRE_TIMEOUT');
    expect(logger.lines.join('\n')).toContain('no route');
  });
});

describe('N6: two applications in one process', () => {
  test('never see each other, though they are made of the same modules', async () => {
    const Mail = memoryFactory('Mail');
    const imports = [ConnectionPoolModule.forRoot(), ConnectionPoolModule.forFeature([{ factory: Mail, size: 1 }])];
    const first = await start({ imports });
    const second = await start({ imports });
    const pool = first.get(ConnectionPools).get(Mail);
    expect(second.get(ConnectionPools).get(Mail)).not.toBe(pool);
    await first.close();
    expect(await rejectionOf(pool.acquire())).toMatchObject({ code: 'ERR_POOL_CLOSED' });
    expect(
      await second
        .get(ConnectionPools)
        .get(Mail)
        .use(() => 'served'),
    ).toBe('served');
  });

  test('nothing is lost where Nest puts a Proxy around every instance', async () => {
    const Mail = memoryFactory('Mail');
    class Service {
      constructor(@InjectPool(Mail) readonly pool: ConnectionPool<object>) {}
    }
    @Module({ imports: [ConnectionPoolModule.forFeature([{ factory: Mail, size: 1 }])], providers: [Service] })
    class AppModule {}
    const instanceDecorator = (instance: unknown) =>
      typeof instance === 'object' && instance !== null ? new Proxy(instance, {}) : instance;
    const app = await NestFactory.createApplicationContext(AppModule, {
      abortOnError: false,
      logger: false,
      instrument: { instanceDecorator },
    });
    closeLater(app);
    expect(await app.get(Service).pool.use(() => 'served')).toBe('served');
    expect([...app.get(ConnectionPools)].map(({ name }) => name)).toEqual(['mail']);
    await app.close();
    expect(Mail.closed).toHaveLength(1);
  });
});
