import { describe, expect, test } from '@jest/globals';
import { ConnectionPoolModule } from '../../src/module/connection-pool.module.js';
import { ConnectionPools } from '../../src/module/connection-pools.js';
import { InjectPool } from '../../src/module/inject-pool.decorator.js';
import { getPoolToken } from '../../src/module/tokens.js';
import { compile, errorOf, memoryFactory, start } from './applications.js';

describe('N11: substitutes in tests', () => {
  const substitute = () => {
    const calls: string[] = [];
    const note = (name: string) => () => {
      calls.push(name);
      return Promise.resolve();
    };
    return { calls, start: note('start'), ready: note('ready'), close: note('close'), stats: note('stats') };
  };

  test('a pool can be overridden; it is what ConnectionPools gives, and nobody starts or closes it', async () => {
    const Mail = memoryFactory('Mail');
    class Service {
      constructor(@InjectPool(Mail) readonly pool: unknown) {}
    }
    const pool = substitute();
    const app = await start(
      {
        imports: [
          ConnectionPoolModule.forFeature([{ factory: Mail, waitFor: 'all' }]),
          ConnectionPoolModule.forFeature([Mail]),
        ],
        providers: [Service],
      },
      (builder) => builder.overrideProvider(getPoolToken(Mail)).useValue(pool),
    );
    expect(app.get(Service).pool).toBe(pool);
    expect(app.get(ConnectionPools).get(Mail)).toBe(pool);
    expect([...app.get(ConnectionPools)]).toEqual([pool]);
    await app.close();
    expect(pool.calls).toEqual([]);
    expect(Mail.connects).toBe(0);
  });

  test('a pool that uses an overridden one is closed all the same', async () => {
    const Base = memoryFactory('Base');
    const base = ConnectionPoolModule.forFeature([Base]);
    const Top = memoryFactory('Top');
    InjectPool(Base)(Top.prototype, 'base');
    const app = await start(
      { imports: [base, ConnectionPoolModule.forFeature([{ factory: Top, size: 1, imports: [base] }])] },
      (builder) => builder.overrideProvider(getPoolToken(Base)).useValue(substitute()),
    );
    await app.get(ConnectionPools).get(Top).ready();
    await app.close();
    expect(Top.closed).toHaveLength(1);
  });

  test('a factory can be overridden', async () => {
    const Mail = memoryFactory('Mail');
    const app = await start({ imports: [ConnectionPoolModule.forFeature([Mail])] }, (builder) =>
      builder.overrideProvider(Mail).useValue({ connect: () => ({ number: 42 }) }),
    );
    expect(
      await app
        .get(ConnectionPools)
        .get(Mail)
        .use(({ number }) => number),
    ).toBe(42);
    expect(Mail.made).toEqual([]);
  });
});

describe('ConnectionPools', () => {
  test('gives a pool by its factory or its name, while the application is being built too', async () => {
    const Mail = memoryFactory('Mail');
    let early: unknown;
    const earlier: unknown[] = [];
    class Service {
      constructor(@InjectPool(Mail) _pool: unknown, pools: ConnectionPools) {
        early = pools.get('mail');
      }
    }
    const app = await compile({
      imports: [ConnectionPoolModule.forFeature([Mail])],
      providers: [
        // This one does not wait for the pool.
        {
          provide: 'earlier',
          inject: [ConnectionPools],
          useFactory: (pools: ConnectionPools) => earlier.push(...pools),
        },
        {
          provide: Service,
          inject: [getPoolToken(Mail), ConnectionPools],
          useFactory: (pool: unknown, pools: ConnectionPools) => new Service(pool, pools),
        },
      ],
    });
    expect(earlier).toEqual([]);
    expect(app.get(ConnectionPools).get(Mail)).toBe(early);
    expect(app.get(ConnectionPools).get('mail')).toBe(early);
  });

  test('says which pools there are if asked for another', async () => {
    const app = await start({
      imports: [ConnectionPoolModule.forFeature([memoryFactory('Mail'), memoryFactory('Search')])],
    });
    const error = errorOf(() => app.get(ConnectionPools).get('maill'));
    expect(error).toMatchObject({ code: 'ERR_POOL_SETTINGS' });
    expect(error.message).toContain('received "maill"; allowed is one of "mail", "search"');
    expect(errorOf(() => app.get(ConnectionPools).get(undefined as any)).message).toContain('the name of a pool');
  });
});
