import { describe, expect, test } from '@jest/globals';
import { ConfigModule, registerAs } from '@nestjs/config';
import { ConnectionPoolModule } from '../../src/module/connection-pool.module.js';
import { ConnectionPools } from '../../src/module/connection-pools.js';
import { PoolRegistry } from '../../src/module/pool-registry.js';
import { CONNECTION_POOL_OPTIONS } from '../../src/module/tokens.js';
import { ConnectionFactory } from '../../src/pool/connection-factory.js';
import { PoolSettingsError } from '../../src/pool/errors.js';
import { SETTING_RULES } from '../../src/pool/settings.js';
import { RETRY_RULES } from '../../src/retry/retry-options.js';
import { compile, errorOf, memoryFactory, memoryLogger, pathsOf, rejectionOf, start } from './applications.js';

/** The settings that a pool came to have in the end. */
async function settingsOf(imports: any[], name = 'mail'): Promise<any> {
  const app = await start({ imports });
  return app.get(PoolRegistry).pools.find(({ definition }) => definition.name === name)!.settings;
}

describe('N2: settings in layers', () => {
  const Mail = memoryFactory('Mail');
  const root = ConnectionPoolModule.forRoot({
    defaults: { size: 1, maxConnecting: 1, acquireTimeout: 1, reconnect: { delay: 1, maxDelay: 1 } },
    pools: { mail: { acquireTimeout: 3, reconnect: { maxDelay: 3 } } },
  });
  const feature = ConnectionPoolModule.forFeature([
    { factory: Mail, maxConnecting: 2, acquireTimeout: 2, reconnect: { delay: 2, maxDelay: 2, jitter: 'none' } },
  ]);

  test.each([
    ['before', [root, feature]],
    ['after', [feature, root]],
  ])('defaults, own settings and those by name lie over each other, with forRoot %s forFeature', async (_, imports) => {
    expect(await settingsOf(imports)).toMatchObject({
      maxWaiting: Infinity,
      size: { min: 1, max: 1 },
      maxConnecting: 2,
      acquireTimeout: 3,
      reconnect: { delay: 2, multiplier: 2, maxDelay: 3, jitter: 'none' },
    });
  });

  test('a setting is replaced whole, but for reconnect', async () => {
    const settings = await settingsOf([
      ConnectionPoolModule.forRoot({ defaults: { size: { min: 1, max: 5 }, connectionErrors: ['A'] } }),
      ConnectionPoolModule.forFeature([{ factory: Mail, size: 3, connectionErrors: ['B'] }]),
    ]);
    expect(settings).toMatchObject({ size: { min: 3, max: 3 }, connectionErrors: ['B'] });
  });

  test('they apply to a pool whose own settings are made at start', async () => {
    const settings = await settingsOf(
      [
        ConnectionPoolModule.forRootAsync({ useFactory: async () => ({ pools: { archive: { size: '4' } } }) }),
        ConnectionPoolModule.forFeatureAsync([
          { factory: Mail, name: 'archive', useFactory: async () => ({ size: '2', maxWaiting: '7' }) },
        ]),
      ],
      'archive',
    );
    expect(settings).toMatchObject({ name: 'archive', size: { min: 4, max: 4 }, maxWaiting: 7 });
  });

  test('a name is taken from the definition, else from poolName, else from the class', async () => {
    class NamedFactory extends ConnectionFactory<object> {
      static override poolName = 'post';
      connect(): object {
        return {};
      }
    }
    const app = await start({
      imports: [ConnectionPoolModule.forFeature([Mail, NamedFactory, { factory: NamedFactory, name: 'archive' }])],
    });
    expect([...app.get(ConnectionPools)].map(({ name }) => name)).toEqual(['mail', 'post', 'archive']);
  });

  test('a name that nothing registered is warned about at bootstrap, with those that exist', async () => {
    const logger = memoryLogger();
    const pools = { maill: { size: 1 }, mail: { size: 2 }, toString: { size: 2 } };
    await start({ imports: [ConnectionPoolModule.forRoot({ logger, pools }), feature] });
    expect(logger.lines).toEqual([
      'warn: The options have settings for a pool "maill", but no module registered one; there are: "mail"',
      'warn: The options have settings for a pool "toString", but no module registered one; there are: "mail"',
    ]);
  });

  test('it is warned about where no pool exists at all', async () => {
    const logger = memoryLogger();
    await start({ imports: [ConnectionPoolModule.forRoot({ logger, pools: { mail: {} } })] });
    expect(logger.lines[0]).toMatch(/"mail".*there are: none/);
  });
});

describe('N3: options from code', () => {
  const Mail = memoryFactory('Mail');
  const start_ = (options: any, features: any[] = [Mail]) =>
    rejectionOf(
      compile({ imports: [ConnectionPoolModule.forRoot(options), ConnectionPoolModule.forFeature(features)] }),
    );

  test('every fault is listed with its path, what was received and what is allowed', async () => {
    const error = await start_(
      {
        defaults: { size: 0, reconnect: { delay: '1 fortnight', dely: 5 }, name: 'x' },
        pools: { mail: { size: '20', keepalive: -1 }, search: 5 },
        retry: { mailbox: { delay: 'soon', maxRetry: 3 }, other: 'x' },
        logger: { log: true },
        poools: {},
      },
      [{ factory: Mail, maxUses: 0, sizes: 5 }],
    );
    expect(error).toBeInstanceOf(PoolSettingsError);
    expect(pathsOf(error).toSorted()).toEqual([
      'defaults.name',
      'defaults.reconnect.delay',
      'defaults.reconnect.dely',
      'defaults.size',
      'forFeature.mail.maxUses',
      'forFeature.mail.sizes',
      'logger',
      'pools.mail.keepalive',
      'pools.mail.size',
      'pools.search',
      'poools',
      'retry.mailbox.delay',
      'retry.mailbox.maxRetry',
      'retry.other',
    ]);
    expect(error.message).toContain("pools.mail.size: received '20'; allowed is a whole number of 1 or more");
    expect(error.message).toContain(
      'poools: received a value of type object; allowed is nothing of this name; there are: defaults',
    );
  });

  test.each([
    ['a list', []],
    ['null', null],
    ['text', 'size=5'],
  ])('options that are %s are refused', async (_, options) => {
    expect(await start_(options)).toMatchObject({ code: 'ERR_POOL_SETTINGS' });
  });

  test('a part of the options that is no object is refused', async () => {
    expect(pathsOf(await start_({ defaults: 5, pools: [], retry: null }))).toEqual(['defaults', 'pools', 'retry']);
  });

  test('null is not undefined', async () => {
    expect(pathsOf(await start_({ defaults: { size: null } }))).toEqual(['defaults.size']);
    expect(
      await settingsOf([
        ConnectionPoolModule.forRoot({ defaults: { size: undefined }, pools: { mail: undefined }, retry: undefined }),
        ConnectionPoolModule.forFeature([{ factory: Mail, size: undefined, name: undefined, imports: undefined }]),
      ]),
    ).toMatchObject({ size: { min: 10, max: 10 } });
  });

  test('names that objects have from birth are unknown like any other', async () => {
    const options = JSON.parse('{"__proto__": 1, "constructor": 2, "toString": 3}') as object;
    expect(pathsOf(await start_(options)).toSorted()).toEqual(['__proto__', 'constructor', 'toString']);
  });

  test('what is unknown is not shown, for it may be a secret', async () => {
    expect((await start_({ password: 'geheim' })).message).not.toContain('geheim');
  });

  test('a factory without connect stops the start', async () => {
    class LazyConnectionFactory {}
    const error = await start_({}, [{ factory: LazyConnectionFactory, keepalive: 5 }]);
    expect(error).toBeInstanceOf(PoolSettingsError);
    expect(pathsOf(error)).toEqual(['forFeature.lazy.factory', 'forFeature.lazy.keepalive']);
    expect(error.message).toContain('pool "lazy"');
  });

  test('keepalive without a ping stops the start, whichever layer it comes from', async () => {
    expect(pathsOf(await start_({ pools: { mail: { keepalive: '30s' } } }))).toEqual(['pools.mail.keepalive']);
    expect(pathsOf(await start_({ defaults: { checkAfterIdle: 0 } }))).toEqual(['defaults.checkAfterIdle']);
  });

  test('what the factories of all pools lack is told at once, as far as their classes show it', async () => {
    const Mail = memoryFactory('Mail');
    const Search = memoryFactory('Search');
    const pinged = [
      { factory: Mail, keepalive: '5s' },
      { factory: Search, keepalive: '5s' },
    ];
    const error = await rejectionOf(compile({ imports: [ConnectionPoolModule.forFeature(pinged)] }));
    expect(pathsOf(error).toSorted()).toEqual(['forFeature.mail.keepalive', 'forFeature.search.keepalive']);
    const root = ConnectionPoolModule.forRoot({ defaults: { size: 0 } });
    const all = await rejectionOf(compile({ imports: [root, ConnectionPoolModule.forFeature(pinged)] }));
    expect(pathsOf(all)).toEqual(['defaults.size', 'forFeature.mail.keepalive', 'forFeature.search.keepalive']);
  });

  test('a setting of a pool among the options says where it belongs', async () => {
    expect((await start_({ size: 5 })).message).toContain('a setting of all pools belongs into defaults');
  });

  test.each([
    ['a class that is undefined', undefined, 'imported in a circle'],
    ['an instance', new (memoryFactory('Mail'))(), 'a factory class, not an instance of it'],
  ])('%s in forFeature is refused with a hint', (_, feature, hint) => {
    expect(() => ConnectionPoolModule.forFeature([feature as never])).toThrow(hint);
  });

  test('the options given are never changed', async () => {
    const options = Object.freeze({ defaults: Object.freeze({ size: 3, reconnect: Object.freeze({ delay: 5 }) }) });
    expect(
      await settingsOf([ConnectionPoolModule.forRoot(options), ConnectionPoolModule.forFeature([Mail])]),
    ).toMatchObject({
      size: { min: 3, max: 3 },
    });
  });

  test('loggers, classes and predicates arrive as they are', async () => {
    const logger = memoryLogger();
    class Broken extends Error {}
    const isBroken = () => true;
    const settings = await settingsOf([
      ConnectionPoolModule.forFeature([{ factory: Mail, logger, connectionErrors: [Broken, isBroken] }]),
    ]);
    expect(settings.logger).toBe(logger);
    expect(settings.connectionErrors).toEqual([Broken, isBroken]);
  });
});

describe('N3: options from an environment', () => {
  const Mail = memoryFactory('Mail');
  class PingedConnectionFactory extends ConnectionFactory<object> {
    connect(): object {
      return {};
    }
    override keepalive(): void {}
  }

  const texts: Record<string, [string, unknown]> = {
    size: ['{"min":2,"max":4}', { min: 2, max: 4 }],
    maxConnecting: ['3', 3],
    connectTimeout: ['2s', 2000],
    reconnect: [
      '{"delay":"1s","multiplier":"3","maxDelay":"5s","jitter":"none"}',
      { delay: 1000, multiplier: 3, maxDelay: 5000, jitter: 'none' },
    ],
    acquireTimeout: ['0', 0],
    maxWaiting: ['Infinity', Infinity],
    keepalive: ['false', Infinity],
    keepaliveTimeout: ['1500', 1500],
    checkAfterIdle: ['10 min', 600_000],
    resetTimeout: ['1s', 1000],
    connectionErrors: ['EIMAP, ESMTP', ['EIMAP', 'ESMTP']],
    siblingsOnBreak: ['recycle', 'recycle'],
    maxLifetime: ['1h', 3_600_000],
    maxUses: ['100', 100],
    idleTimeout: ['Infinity', Infinity],
    order: ['lifo', 'lifo'],
    closeTimeout: ['1s', 1000],
    shutdownTimeout: ['1s', 1000],
    leakDetection: ['1m', 60_000],
    waitFor: ['none', 'none'],
    startupTimeout: ['5s', 5000],
  };
  const given = Object.fromEntries(Object.entries(texts).map(([key, [text]]) => [key, text]));
  const read = Object.fromEntries(Object.entries(texts).map(([key, [, value]]) => [key, value]));

  test('the cases below are all the settings that can be text', () => {
    const others = ['name', 'logger', 'clock'];
    expect(Object.keys(texts).toSorted()).toEqual(
      Object.keys(SETTING_RULES)
        .filter((key) => !others.includes(key))
        .toSorted(),
    );
  });

  test('every setting may be text in forRootAsync', async () => {
    const feature = ConnectionPoolModule.forFeature([PingedConnectionFactory]);
    const defaults = ConnectionPoolModule.forRootAsync({ useFactory: () => ({ defaults: given }) });
    expect(await settingsOf([defaults, feature], 'pinged')).toMatchObject(read);
    const pools = ConnectionPoolModule.forRootAsync({ useFactory: () => ({ pools: { pinged: given } }) });
    expect(await settingsOf([pools, feature], 'pinged')).toMatchObject(read);
  });

  test('every setting may be text in forFeatureAsync', async () => {
    const feature = ConnectionPoolModule.forFeatureAsync([
      { factory: PingedConnectionFactory, useFactory: () => given },
    ]);
    expect(await settingsOf([feature], 'pinged')).toMatchObject(read);
  });

  test('parts of the options may be JSON', async () => {
    const root = ConnectionPoolModule.forRootAsync({
      useFactory: () => ({
        defaults: '{"size":"3"}',
        pools: '{"mail":{"maxUses":"5"}}',
        retry: '{"mailbox":{"delay":"1s"}}',
      }),
    });
    const settings = await settingsOf([root, ConnectionPoolModule.forFeature([Mail])]);
    expect(settings).toMatchObject({ size: { min: 3, max: 3 }, maxUses: 5 });
  });

  test('undefined is not given', async () => {
    const root = ConnectionPoolModule.forRootAsync({
      useFactory: () => ({ defaults: { size: undefined }, pools: undefined, retry: undefined, logger: undefined }),
    });
    expect(await settingsOf([root, ConnectionPoolModule.forFeature([Mail])])).toMatchObject({
      size: { min: 10, max: 10 },
    });
  });

  test('options that are undefined are not given, and those that are null are refused', async () => {
    const root = (options: unknown) => ConnectionPoolModule.forRootAsync({ useFactory: () => options });
    expect(await settingsOf([root(undefined), ConnectionPoolModule.forFeature([Mail])])).toMatchObject({
      maxConnecting: 5,
    });
    expect(await rejectionOf(compile({ imports: [root(null)] }))).toMatchObject({ code: 'ERR_POOL_SETTINGS' });
  });

  test('text that means nothing is a fault at its path', async () => {
    const root = ConnectionPoolModule.forRootAsync({
      useFactory: () => ({ defaults: { size: 'many', maxUses: 'none' }, retry: { mailbox: { maxRetries: 'x' } } }),
    });
    const error = await rejectionOf(compile({ imports: [root] }));
    expect(error).toBeInstanceOf(PoolSettingsError);
    expect(pathsOf(error)).toEqual(['defaults.size', 'defaults.maxUses', 'retry.mailbox.maxRetries']);
  });

  test('faults of forFeatureAsync are listed at once', async () => {
    const feature = (settings: unknown) =>
      ConnectionPoolModule.forFeatureAsync([{ factory: Mail, useFactory: () => settings }]);
    const error = await rejectionOf(compile({ imports: [feature({ size: '0', keepalives: '5', name: 'other' })] }));
    expect(error).toBeInstanceOf(PoolSettingsError);
    expect(pathsOf(error)).toEqual(['forFeature.mail.size', 'forFeature.mail.keepalives', 'forFeature.mail.name']);
    expect(pathsOf(await rejectionOf(compile({ imports: [feature('5')] })))).toEqual(['forFeature.mail']);
  });

  test('text is not taken for a number where options stand in code', async () => {
    const root = ConnectionPoolModule.forRoot({ retry: { mailbox: { maxRetries: '5' as any } } });
    expect(pathsOf(await rejectionOf(compile({ imports: [root] })))).toEqual(['retry.mailbox.maxRetries']);
  });

  test('every rule of a retry is asked for the presets', async () => {
    const wrong = Object.fromEntries(Object.keys(RETRY_RULES).map((key) => [key, null]));
    const error = await rejectionOf(
      compile({ imports: [ConnectionPoolModule.forRoot({ retry: { mailbox: wrong } })] }),
    );
    expect(pathsOf(error)).toEqual(Object.keys(RETRY_RULES).map((key) => `retry.mailbox.${key}`));
  });

  test('registerAs(...).asProvider() of @nestjs/config is accepted', async () => {
    const configuration = registerAs('pools', () => ({ defaults: { size: '3' } }));
    const settings = await settingsOf([
      ConfigModule.forRoot({ ignoreEnvFile: true }),
      ConnectionPoolModule.forRootAsync(configuration.asProvider()),
      ConnectionPoolModule.forFeature([Mail]),
    ]);
    expect(settings).toMatchObject({ size: { min: 3, max: 3 } });
  });

  test('useClass and useExisting make the options', async () => {
    class OptionsService {
      createConnectionPoolOptions() {
        return { defaults: { size: 3 } };
      }
    }
    class OptionsModule {}
    const existing = { module: OptionsModule, providers: [OptionsService], exports: [OptionsService] };
    for (const root of [
      ConnectionPoolModule.forRootAsync({ useClass: OptionsService }),
      ConnectionPoolModule.forRootAsync({ imports: [existing], useExisting: OptionsService }),
    ]) {
      expect(await settingsOf([root, ConnectionPoolModule.forFeature([Mail])])).toMatchObject({
        size: { min: 3, max: 3 },
      });
    }
  });

  test('the error of what makes the options comes out as it is', async () => {
    const failure = new Error('no configuration');
    const root = ConnectionPoolModule.forRootAsync({
      useFactory: () => {
        throw failure;
      },
    });
    expect(await rejectionOf(compile({ imports: [root, ConnectionPoolModule.forFeature([Mail])] }))).toBe(failure);
  });

  test('options can be overridden', async () => {
    const app = await start(
      { imports: [ConnectionPoolModule.forRoot({ defaults: { size: 5 } }), ConnectionPoolModule.forFeature([Mail])] },
      (builder) => builder.overrideProvider(CONNECTION_POOL_OPTIONS).useValue({ defaults: { size: 2 } }),
    );
    expect(app.get(ConnectionPools).get(Mail).stats().size).toBe(2);
  });

  test('options that were lost on the way are an error, not the defaults', async () => {
    const error = await rejectionOf(
      compile({ imports: [ConnectionPoolModule.forRoot()] }, (builder) =>
        builder.overrideProvider(CONNECTION_POOL_OPTIONS).useFactory({ factory: () => undefined }),
      ),
    );
    expect(error).toBeInstanceOf(PoolSettingsError);
    expect(error.message).toContain('received undefined');
  });
});

describe('N3: forms that say nothing', () => {
  const Mail = memoryFactory('Mail');

  test.each([
    ['nothing', undefined, ['forRootAsync']],
    ['none of the three ways', {}, ['forRootAsync']],
    ['two of the three ways', { useFactory: () => ({}), useExisting: 'x' }, ['forRootAsync']],
    ['a way that is none', { useFactory: 5 }, ['forRootAsync.useFactory']],
    ['a token that is none', { useExisting: 5 }, ['forRootAsync.useExisting']],
    ['an option that does not exist', { useFactory: () => ({}), isGlobal: true }, ['forRootAsync.isGlobal']],
    [
      'lists that are none',
      { useFactory: () => ({}), imports: 5, inject: 'x' },
      ['forRootAsync.imports', 'forRootAsync.inject'],
    ],
  ])('forRootAsync with %s', (_, options, paths) => {
    const error = errorOf(() => ConnectionPoolModule.forRootAsync(options as any));
    expect(error).toBeInstanceOf(PoolSettingsError);
    expect(pathsOf(error)).toEqual(paths);
  });

  test.each([
    ['what is no list', Mail, ['forFeature']],
    ['no class', [undefined, 'mail'], ['forFeature[0]', 'forFeature[1]']],
    ['an object without factory', [Mail, { size: 5 }], ['forFeature[1].factory']],
    ['a factory that is no class', [{ factory: () => ({}), size: 0 }], ['forFeature[0].factory', 'forFeature[0].size']],
    ['a name that is none', [{ factory: Mail, name: 5 }], ['forFeature[0].name']],
    ['a class without a name', [class {}], ['forFeature[0].name']],
    [
      'a poolName that is empty',
      [
        class {
          static poolName = '';
        },
      ],
      ['forFeature[0].factory.poolName'],
    ],
  ])('forFeature with %s', (_, features, paths) => {
    const error = errorOf(() => ConnectionPoolModule.forFeature(features as any));
    expect(error).toBeInstanceOf(PoolSettingsError);
    expect(pathsOf(error)).toEqual(paths);
  });

  test('forFeature with imports that are no list', async () => {
    const feature = ConnectionPoolModule.forFeature([{ factory: Mail, imports: 5 as any }]);
    expect(pathsOf(await rejectionOf(compile({ imports: [feature] })))).toEqual(['forFeature.mail.imports']);
  });

  test.each([
    ['what is no list', {}, ['forFeatureAsync']],
    ['a bare class', [Mail], ['forFeatureAsync[0]']],
    ['neither factory nor useFactory', [{}], ['forFeatureAsync[0].factory', 'forFeatureAsync[0].useFactory']],
    ['no useFactory', [{ factory: Mail }], ['forFeatureAsync[0].useFactory']],
    ['settings beside it', [{ factory: Mail, useFactory: () => ({}), size: 5 }], ['forFeatureAsync[0].size']],
    ['a useFactory that is none', [{ factory: Mail, useFactory: 5 }], ['forFeatureAsync[0].useFactory']],
  ])('forFeatureAsync with %s', (_, features, paths) => {
    const error = errorOf(() => ConnectionPoolModule.forFeatureAsync(features as any));
    expect(error).toBeInstanceOf(PoolSettingsError);
    expect(pathsOf(error)).toEqual(paths);
  });
});
