import { describe, expect, jest, test } from '@jest/globals';
import { Controller, Get, Inject, type INestApplication } from '@nestjs/common';
import { HealthCheckService, HealthIndicatorService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { ConnectionPoolModule, ConnectionPools, type ConnectionFactoryClass } from '../../src/index.js';
import { ConnectionPoolHealthIndicator, ConnectionPoolHealthModule } from '../../src/telemetry/terminus.js';
import { until } from '../until.js';
import { closeLater, memoryFactory, memoryLogger, start } from '../module/applications.js';

@Controller()
class HealthController {
  constructor(
    @Inject(HealthCheckService) private readonly health: HealthCheckService,
    @Inject(ConnectionPoolHealthIndicator) private readonly pools: ConnectionPoolHealthIndicator,
  ) {}

  @Get('health')
  check() {
    return this.health.check([() => this.pools.check('mail', { waitThreshold: 20 }), () => this.pools.checkAll()]);
  }
}

async function serve(
  factory: ConnectionFactoryClass,
): Promise<{ app: INestApplication; health(): Promise<[number, any]> }> {
  const builder = Test.createTestingModule({
    imports: [
      ConnectionPoolModule.forRoot({ logger: memoryLogger() }),
      ConnectionPoolModule.forFeature([{ factory, size: 2 }]),
      TerminusModule.forRoot({ logger: false }),
      ConnectionPoolHealthModule,
    ],
    controllers: [HealthController],
  });
  const app = closeLater((await builder.compile()).createNestApplication({ logger: false }));
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const health = async (): Promise<[number, any]> => {
    const response = await fetch(`${url}/health`);
    return [response.status, ((await response.json()) as { details: unknown }).details];
  };
  return { app, health };
}

describe('the health of a pool', () => {
  test('is up while it serves, and before it has opened anything', async () => {
    let open!: () => void;
    const { app, health } = await serve(memoryFactory('Mail', () => new Promise((resolve) => (open = resolve))));
    expect(await health()).toMatchObject([200, { mail: { status: 'up', open: 0 }, connectionPools: { status: 'up' } }]);
    const pool = app.get(ConnectionPools).get('mail');
    open();
    await pool.ready({ connections: 1 });
    expect(await health()).toMatchObject([200, { mail: { status: 'up', size: 2, open: 1, leased: 0, waiting: 0 } }]);
    open();
  });

  test('is degraded while callers wait for longer than the threshold, and takes no connection from them', async () => {
    const { app, health } = await serve(memoryFactory('Mail'));
    const pool = app.get(ConnectionPools).get('mail');
    const leases = await Promise.all([pool.acquire(), pool.acquire()]);
    const { acquired } = pool.stats().totals;
    const waiting = pool.acquire();
    await until(() => pool.stats().longestWait > 25, 'he has waited for long enough');
    const [status, details] = await health();
    expect(status).toBe(200);
    expect(details.mail).toMatchObject({ status: 'degraded', leased: 2, waiting: 1 });
    expect(details.mail.message).toMatch(/^1 callers wait, the first for \d+ ms$/);
    // By itself only a second is too long.
    expect(details.connectionPools.status).toBe('up');
    expect(pool.stats().totals.acquired).toBe(acquired);
    for (const lease of leases) lease.release();
    (await waiting).release();
    expect((await health())[1].mail.status).toBe('up');
  });

  test('is down, with the last error, when no connection can be opened and there is none', async () => {
    const { app, health } = await serve(memoryFactory('Mail', () => Promise.reject(new Error('connection refused'))));
    const pool = app.get(ConnectionPools).get('mail');
    await until(() => pool.stats().downSince !== undefined, 'connects fail');
    const [status, details] = await health();
    expect(status).toBe(503);
    expect(details.mail.status).toBe('down');
    expect(details.mail.message).toMatch(/^no connection can be opened since \d{4}-.*Z: connection refused$/);
    expect(details.connectionPools.status).toBe('down');
  });

  test('is but degraded when no more can be opened, and those that are open serve', async () => {
    let isFull = false;
    const { app, health } = await serve(
      memoryFactory('Mail', async () => {
        if (isFull) throw new Error('too many connections');
        isFull = true;
      }),
    );
    const pool = app.get(ConnectionPools).get('mail');
    await until(
      () => pool.stats().downSince !== undefined && pool.stats().open === 1,
      'one is open, and no more can be',
    );
    const [status, details] = await health();
    expect(status).toBe(200);
    expect(details.mail.status).toBe('degraded');
    expect(details.mail.message).toMatch(/^1 of 2 connections are open, and no connection can be opened since/);
    expect(details.connectionPools).toMatchObject({ status: 'degraded', pools: { mail: { status: 'degraded' } } });
  });

  test('of all is as well as the worst of them, whatever their names', async () => {
    const factory = memoryFactory('Status', () => Promise.reject(new Error('refused')));
    const imports = [
      ConnectionPoolModule.forRoot(),
      ConnectionPoolModule.forFeature([factory]),
      ConnectionPoolHealthModule,
    ];
    const app = await start({ imports });
    const pool = app.get(ConnectionPools).get('status');
    await until(() => pool.stats().downSince !== undefined, 'connects fail');
    const result = app.get(ConnectionPoolHealthIndicator, { strict: false }).checkAll('pools');
    expect(result).toMatchObject({ pools: { status: 'down', pools: { status: { status: 'down' } } } });
  });

  test('cannot be asked of a pool that there is not, or with a threshold that is none', async () => {
    const imports = [
      ConnectionPoolModule.forRoot(),
      ConnectionPoolModule.forFeature([memoryFactory('Mail')]),
      ConnectionPoolHealthModule,
    ];
    const app = await start({ imports });
    const pools = app.get(ConnectionPoolHealthIndicator, { strict: false });
    expect(() => pools.check('orders')).toThrow('allowed is one of "mail"');
    expect(() => pools.check('mail', { waitThreshold: 'soon' })).toThrow(/waitThreshold: received 'soon'/);
  });

  test('with Terminus before 12, which does not know the word, it is up and says so', () => {
    const up = jest.fn((data: object) => data);
    const health = { check: () => ({ up, down: jest.fn() }) } as unknown as HealthIndicatorService;
    const stats = { open: 1, size: 2, leased: 1, waiting: 3, longestWait: 5_000 };
    const pools = { get: () => ({ name: 'mail', stats: () => stats }) } as unknown as ConnectionPools;
    expect(new ConnectionPoolHealthIndicator(pools, health).check('mail')).toMatchObject({
      isDegraded: true,
      message: '3 callers wait, the first for 5 s',
    });
  });
});
