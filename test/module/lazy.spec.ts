import { describe, expect, test } from '@jest/globals';
import { Module } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { ConnectionPoolModule } from '../../src/module/connection-pool.module.js';
import { ConnectionPools } from '../../src/module/connection-pools.js';
import { getPoolToken } from '../../src/module/tokens.js';
import type { ConnectionPool } from '../../src/pool/connection-pool.js';
import { PoolSettingsError } from '../../src/pool/errors.js';
import { memoryFactory, pathsOf, rejectionOf, start } from './applications.js';

function lazily(...imports: any[]) {
  class LazyModule {}
  Module({ imports })(LazyModule);
  return () => LazyModule;
}

describe('N10: lazily loaded modules', () => {
  test('a pool of one starts when it is made, and is closed with the others', async () => {
    const Mail = memoryFactory('Mail');
    const Lazy = memoryFactory('Lazy');
    const app = await start({
      imports: [
        ConnectionPoolModule.forRoot({ pools: { lazy: { size: 2 } } }),
        ConnectionPoolModule.forFeature([Mail]),
      ],
    });
    const module = await app.get(LazyModuleLoader).load(lazily(ConnectionPoolModule.forFeature([Lazy])));
    expect(Lazy.connects).toBe(2);
    const pool = module.get<ConnectionPool<object>>(getPoolToken(Lazy), { strict: false });
    expect(await pool.use(() => 'served')).toBe('served');
    expect([...app.get(ConnectionPools)].map(({ name }) => name)).toEqual(['mail', 'lazy']);
    await app.close();
    expect(Lazy.closed).toHaveLength(2);
    expect(await rejectionOf(pool.acquire())).toMatchObject({ code: 'ERR_POOL_CLOSED' });
  });

  test('a pool that the application has already is shared with it', async () => {
    const Mail = memoryFactory('Mail');
    const app = await start({ imports: [ConnectionPoolModule.forRoot(), ConnectionPoolModule.forFeature([Mail])] });
    await app.get(LazyModuleLoader).load(lazily(ConnectionPoolModule.forFeature([Mail])));
    expect([...app.get(ConnectionPools)]).toHaveLength(1);
  });

  test('wrong settings of one fail its loading, and leave the other pools alone', async () => {
    const Mail = memoryFactory('Mail');
    const Lazy = memoryFactory('Lazy');
    const app = await start({ imports: [ConnectionPoolModule.forRoot(), ConnectionPoolModule.forFeature([Mail])] });
    const loading = app
      .get(LazyModuleLoader)
      .load(lazily(ConnectionPoolModule.forFeature([{ factory: Lazy, size: 0 }])));
    expect(pathsOf(await rejectionOf(loading))).toEqual(['forFeature.lazy.size']);
    expect(
      await app
        .get(ConnectionPools)
        .get(Mail)
        .use(() => 'served'),
    ).toBe('served');
  });

  test.each([
    ['no forRoot', [ConnectionPoolModule.forFeature([memoryFactory('Mail')])]],
    ['nothing of the kind', []],
  ])('where the application was started with %s, forFeature is an error', async (_, imports) => {
    const Lazy = memoryFactory('Lazy');
    const app = await start({ imports });
    const error = await rejectionOf(app.get(LazyModuleLoader).load(lazily(ConnectionPoolModule.forFeature([Lazy]))));
    expect(error).toBeInstanceOf(PoolSettingsError);
    expect(error.message).toContain('ConnectionPoolModule.forRoot() in a module that the application is started with');
    expect(Lazy.connects).toBe(0);
  });

  test.each([
    ['forRoot', [ConnectionPoolModule.forRoot()], '2 calls'],
    ['only forFeature', [ConnectionPoolModule.forFeature([memoryFactory('Mail')])], 'lazily loaded module'],
  ])('forRoot in one is an error, where the application was started with %s', async (_, imports, text) => {
    const app = await start({ imports });
    const error = await rejectionOf(app.get(LazyModuleLoader).load(lazily(ConnectionPoolModule.forRoot())));
    expect(error).toBeInstanceOf(PoolSettingsError);
    expect(error.message).toContain(text);
  });
});
