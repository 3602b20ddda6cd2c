import { Test } from '@nestjs/testing';
import { getPoolToken, type PoolOf } from 'nestjs-connection-pool';
import { AppModule } from './app.module.js';
import { AppService } from './app.service.js';
import { EchoConnectionFactory } from './echo.connection-factory.js';

describe('AppModule', () => {
  it('should start with a full pool, serve, and retry on a fresh connection', async () => {
    const testing = await Test.createTestingModule({ imports: [AppModule] }).compile();
    const app = testing.createNestApplication({ logger: false });
    await app.init();
    const pool: PoolOf<typeof EchoConnectionFactory> = app.get(getPoolToken(EchoConnectionFactory));
    expect(pool.stats()).toMatchObject({ size: 3, open: 3 });
    expect(await app.get(AppService).echo('hello')).toBe('hello');
    expect(await app.get(AppService).echo('flaky')).toBe('flaky');
    expect(pool.stats().totals.closed.broken).toBeGreaterThanOrEqual(1);
    await app.close();
    expect(pool.stats()).toMatchObject({ open: 0, connecting: 0 });
  });

  it('should start with another pool in the place of the real one', async () => {
    const testing = await Test.createTestingModule({ imports: [AppModule] })
      .overrideProvider(getPoolToken(EchoConnectionFactory))
      .useValue({ use: async () => 'from the fake' })
      .compile();
    const app = testing.createNestApplication({ logger: false });
    await app.init();
    expect(await app.get(AppService).echo('hello')).toBe('from the fake');
    await app.close();
  });
});
