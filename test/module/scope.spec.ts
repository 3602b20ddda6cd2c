import { describe, expect, test } from '@jest/globals';
import { Inject, Injectable, Module, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { ConnectionPoolModule } from '../../src/module/connection-pool.module.js';
import { ConnectionPools } from '../../src/module/connection-pools.js';
import { InjectPool } from '../../src/module/inject-pool.decorator.js';
import { ConnectionFactory } from '../../src/pool/connection-factory.js';
import { PoolSettingsError } from '../../src/pool/errors.js';
import { compile, memoryFactory, pathsOf, rejectionOf, start } from './applications.js';

@Injectable({ scope: Scope.REQUEST })
class Tenant {}

@Injectable()
class Tenants {
  @Inject(Tenant) readonly tenant!: Tenant;
}

@Injectable({ scope: Scope.TRANSIENT })
class Secrets {}

@Module({ providers: [Tenant, Tenants, Secrets], exports: [Tenant, Tenants, Secrets] })
class TenantsModule {}

describe('N9: pools, their factories and options are singletons', () => {
  test('a factory that needs something of request scope stops the start with an error that names it', async () => {
    class MailConnectionFactory extends ConnectionFactory<object> {
      constructor(@Inject(Tenants) readonly tenants: Tenants) {
        super();
      }
      connect(): object {
        return {};
      }
    }
    class SearchConnectionFactory extends ConnectionFactory<object> {
      @Inject(REQUEST) readonly request!: unknown;
      connect(): object {
        return {};
      }
    }
    const Good = memoryFactory('Good');
    const app = await compile({
      imports: [
        ConnectionPoolModule.forFeature([
          Good,
          { factory: MailConnectionFactory, imports: [TenantsModule] },
          SearchConnectionFactory,
        ]),
      ],
    });
    await app.get(ConnectionPools).get(Good).ready();
    const error = await rejectionOf(app.init());
    expect(error).toBeInstanceOf(PoolSettingsError);
    expect(pathsOf(error)).toEqual(['pools.mail', 'pools.search']);
    expect(error.message).toContain('Tenant, which is of request scope (MailConnectionFactory -> Tenants -> Tenant)');
    expect(error.message).toContain('REQUEST, which is of request scope (SearchConnectionFactory -> REQUEST)');
    expect(Good.closed).toHaveLength(10);
  });

  test('so does a factory that is of request scope itself', async () => {
    const Mail = memoryFactory('Mail');
    Injectable({ scope: Scope.REQUEST })(Mail);
    const app = await compile({ imports: [ConnectionPoolModule.forFeature([Mail])] });
    expect((await rejectionOf(app.init())).message).toContain('MailConnectionFactory, which is of request scope');
  });

  test('so do settings and options that are made from something of request scope', async () => {
    const Mail = memoryFactory('Mail');
    const feature = ConnectionPoolModule.forFeatureAsync([
      { factory: Mail, imports: [TenantsModule], inject: [Tenant], useFactory: () => ({}) },
    ]);
    const root = ConnectionPoolModule.forRootAsync({
      imports: [TenantsModule],
      inject: [Tenants],
      useFactory: () => ({}),
    });
    expect(pathsOf(await rejectionOf((await compile({ imports: [feature] })).init()))).toEqual(['pools.mail']);
    const error = await rejectionOf((await compile({ imports: [root, feature] })).init());
    expect(pathsOf(error)).toEqual(['options']);
    expect(error.message).toContain('Tenants -> Tenant');
  });

  test('what is transient is as good as a singleton', async () => {
    class MailConnectionFactory extends ConnectionFactory<object> {
      constructor(@Inject(Secrets) readonly secrets: Secrets) {
        super();
      }
      connect(): object {
        return {};
      }
    }
    Injectable({ scope: Scope.TRANSIENT })(MailConnectionFactory);
    const feature = ConnectionPoolModule.forFeature([{ factory: MailConnectionFactory, imports: [TenantsModule] }]);
    const app = await start({ imports: [feature] });
    expect(
      await app
        .get(ConnectionPools)
        .get(MailConnectionFactory)
        .use(() => 'served'),
    ).toBe('served');
  });

  test('a service of request scope may use a pool', async () => {
    const Mail = memoryFactory('Mail');
    @Injectable({ scope: Scope.REQUEST })
    class Service {
      constructor(@InjectPool(Mail) readonly pool: any) {}
    }
    const app = await start({ imports: [ConnectionPoolModule.forFeature([Mail])], providers: [Service] });
    const service = await app.resolve(Service);
    expect(service.pool).toBe(app.get(ConnectionPools).get(Mail));
  });
});
