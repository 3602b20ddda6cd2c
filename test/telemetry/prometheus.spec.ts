import { describe, expect, test } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { Registry, register } from 'prom-client';
import {
  ConnectionError,
  ConnectionPool,
  ConnectionPoolModule,
  ConnectionPools,
  getPoolToken,
  retry,
} from '../../src/index.js';
import {
  CONNECTION_POOL_REGISTRY,
  ConnectionPoolPrometheusModule,
  collectPools,
} from '../../src/telemetry/prometheus.js';
import { closeLater, memoryFactory, memoryLogger, start } from '../module/applications.js';
import { Test } from '@nestjs/testing';

/** The samples of the registry, by name and labels, as a scrape has them. */
async function scrape(registry: Registry): Promise<Record<string, number>> {
  const lines = (await registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(
    lines.map((line) => {
      const at = line.lastIndexOf(' ');
      return [line.slice(0, at), Number(line.slice(at + 1))];
    }),
  );
}

function poolOf(name: string, size: number | { min: number; max: number } = 2, connect?: () => Promise<void>) {
  return new ConnectionPool(new (memoryFactory(name, connect))(), { name, size, logger: memoryLogger() });
}

describe('metrics of pools', () => {
  test('tell at each scrape what the pools count', async () => {
    const registry = new Registry();
    await using mail = poolOf('mail');
    await using search = poolOf('search', { min: 0, max: 5 });
    const stop = collectPools([mail, search], { registry });
    await mail.ready();
    const lease = await mail.acquire();
    expect(await scrape(registry)).toMatchObject({
      'connection_pool_connections{pool="mail",state="idle"}': 1,
      'connection_pool_connections{pool="mail",state="leased"}': 1,
      'connection_pool_connections{pool="search",state="idle"}': 0,
      'connection_pool_size_min{pool="search"}': 0,
      'connection_pool_size_max{pool="search"}': 5,
      'connection_pool_waiting{pool="mail"}': 0,
      'connection_pool_down{pool="mail"}': 0,
      'connection_pool_leases_total{pool="mail"}': 1,
      'connection_pool_connects_total{pool="mail"}': 2,
      'connection_pool_closes_total{pool="mail",reason="broken"}': 0,
    });
    lease.discard();
    await expect(mail.acquire({ timeout: 0 }).then((got) => got.release())).resolves.toBeUndefined();
    const later = await scrape(registry);
    expect(later['connection_pool_closes_total{pool="mail",reason="broken"}']).toBe(1);
    expect(later['connection_pool_leases_total{pool="mail"}']).toBe(2);
    stop();
  });

  test('tell that a backend is down, who waits, and who waited in vain', async () => {
    const registry = new Registry();
    await using pool = poolOf('mail', 1, () => Promise.reject(new Error('no')));
    const stop = collectPools([pool], { registry });
    const waiting = pool.acquire({ timeout: 60 }).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const during = await scrape(registry);
    expect(during).toMatchObject({ 'connection_pool_waiting{pool="mail"}': 1, 'connection_pool_down{pool="mail"}': 1 });
    expect(during['connection_pool_longest_wait_seconds{pool="mail"}']).toBeGreaterThan(0.01);
    await waiting;
    const after = await scrape(registry);
    expect(after).toMatchObject({
      'connection_pool_waiting{pool="mail"}': 0,
      'connection_pool_acquire_timeouts_total{pool="mail"}': 1,
      'connection_pool_wait_seconds_count{pool="mail",outcome="error"}': 1,
    });
    expect(after['connection_pool_connect_failures_total{pool="mail"}']).toBeGreaterThan(0);
    expect(after['connection_pool_connect_seconds_count{pool="mail",outcome="error"}']).toBeGreaterThan(0);
    stop();
  });

  test('tell how long connects, waits and leases took, of these pools alone', async () => {
    const registry = new Registry();
    await using mail = poolOf('mail', 1);
    await using other = poolOf('other', 1);
    await using namesake = poolOf('mail', 1);
    const stop = collectPools([mail], { registry, prefix: 'my_', buckets: [0.5, 60] });
    await Promise.all([mail, mail, other, namesake].map((pool) => pool.use(() => undefined)));
    const samples = await scrape(registry);
    expect(samples).toMatchObject({
      'my_connect_seconds_count{pool="mail",outcome="ok"}': 1,
      'my_wait_seconds_count{pool="mail",outcome="ok"}': 2,
      'my_use_seconds_count{pool="mail"}': 2,
      'my_use_seconds_bucket{le="60",pool="mail"}': 2,
    });
    expect(Object.keys(samples).filter((name) => name.includes('other'))).toEqual([]);
    stop();
  });

  test('count retries, and calls that were given up, by method', async () => {
    const registry = new Registry();
    const stop = collectPools([], { registry });
    const fetchMail = async (): Promise<never> => {
      throw new ConnectionError('reset');
    };
    await expect(retry(fetchMail, { maxRetries: 2, delay: 0 })).rejects.toThrow('reset');
    expect(await scrape(registry)).toMatchObject({
      'connection_pool_retries_total{method="fetchMail"}': 2,
      'connection_pool_give_ups_total{method="fetchMail"}': 1,
    });
    stop();
  });

  test('say nothing of how long took what had begun before', async () => {
    const registry = new Registry();
    await using pool = poolOf('mail', 1);
    // Somebody else observes it already.
    const stopOther = collectPools([pool], { registry: new Registry() });
    const lease = await pool.acquire();
    const waiting = pool.acquire();
    const stop = collectPools([pool], { registry });
    lease.release();
    (await waiting).release();
    expect(await scrape(registry)).not.toHaveProperty('connection_pool_wait_seconds_count{pool="mail",outcome="ok"}');
    stop();
    stopOther();
  });

  test('are gone when they are stopped, and nothing is observed any more', async () => {
    const registry = new Registry();
    await using pool = poolOf('mail', 1);
    collectPools([pool], { registry })();
    await pool.use(() => undefined);
    expect(await registry.metrics()).toBe('\n');
    collectPools([pool], { registry })();
  });

  test('registered twice in one registry are an error that says what to do, and the first stay', async () => {
    const registry = new Registry();
    await using pool = poolOf('mail', 1);
    const stop = collectPools([pool], { registry });
    expect(() => collectPools([pool], { registry })).toThrow(
      'The metric connection_pool_connections is registered already: give each application of a process a registry of its own, or another prefix',
    );
    expect(await scrape(registry)).toHaveProperty('connection_pool_size_max{pool="mail"}', 1);
    stop();
  });
});

describe('the module for Prometheus', () => {
  const MailFactory = memoryFactory('Mail');
  const pools = [ConnectionPoolModule.forRoot(), ConnectionPoolModule.forFeature([MailFactory])];

  test('counts all pools of the application in a registry that can be injected, until it closes', async () => {
    const registry = new Registry();
    const app = await start({ imports: [...pools, ConnectionPoolPrometheusModule.forRoot({ registry })] });
    await app.get(ConnectionPools).get(MailFactory).ready();
    expect(app.get(CONNECTION_POOL_REGISTRY)).toBe(registry);
    expect(await scrape(registry)).toHaveProperty('connection_pool_connections{pool="mail",state="idle"}', 10);
    await app.close();
    expect(await registry.metrics()).toBe('\n');
  });

  test('uses the registry of the process by itself', async () => {
    const app = await start({ imports: [...pools, ConnectionPoolPrometheusModule.forRoot()] });
    expect(app.get(CONNECTION_POOL_REGISTRY)).toBe(register);
    expect(register.getSingleMetric('connection_pool_waiting')).toBeDefined();
    await app.close();
    expect(register.getSingleMetric('connection_pool_waiting')).toBeUndefined();
    const stop = collectPools([]);
    expect(register.getSingleMetric('connection_pool_waiting')).toBeDefined();
    stop();
  });

  test('may have options that depend on nothing, and are there later', async () => {
    const registry = new Registry();
    const useFactory = () => Promise.resolve({ registry });
    await start({ imports: [...pools, ConnectionPoolPrometheusModule.forRootAsync({ useFactory })] });
    expect(registry.getSingleMetric('connection_pool_waiting')).toBeDefined();
  });

  test('takes a registry that another module provides', async () => {
    @Injectable()
    class Metrics {
      readonly registry = new Registry();
    }
    @Module({ providers: [Metrics], exports: [Metrics] })
    class MetricsModule {}
    const app = await start({
      imports: [
        ...pools,
        ConnectionPoolPrometheusModule.forRootAsync({
          imports: [MetricsModule],
          inject: [Metrics],
          useFactory: ({ registry }: Metrics) => ({ registry, prefix: 'mine_' }),
        }),
      ],
    });
    const { registry } = app.get(Metrics, { strict: false });
    expect(await scrape(registry)).toHaveProperty('mine_size_max{pool="mail"}', 10);
  });

  test('leaves out what a test has put in the place of a pool', async () => {
    const registry = new Registry();
    const imports = [...pools, ConnectionPoolPrometheusModule.forRoot({ registry })];
    const use = () => 'stand-in';
    const app = await start({ imports }, (builder) =>
      builder.overrideProvider(getPoolToken(MailFactory)).useValue({ use }),
    );
    expect(app.get(getPoolToken(MailFactory))).toEqual({ use });
    expect(await registry.metrics()).not.toContain('pool=');
  });

  test('takes another registry in a test', async () => {
    const registry = new Registry();
    const imports = [...pools, ConnectionPoolPrometheusModule.forRoot()];
    const builder = Test.createTestingModule({ imports }).setLogger(memoryLogger());
    const app = closeLater(await builder.overrideProvider(CONNECTION_POOL_REGISTRY).useValue(registry).compile());
    await app.init();
    expect(registry.getSingleMetric('connection_pool_waiting')).toBeDefined();
    expect(register.getSingleMetric('connection_pool_waiting')).toBeUndefined();
  });
});
