import type { AddressInfo } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { Controller, Get, Global, Inject, Injectable, Module, forwardRef } from '@nestjs/common';
import type { INestApplication, OnApplicationShutdown, OnModuleInit } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ConnectionPoolModule } from '../../src/module/connection-pool.module.js';
import { ConnectionPools } from '../../src/module/connection-pools.js';
import { InjectPool } from '../../src/module/inject-pool.decorator.js';
import { CONNECTION_POOL_CLOCK } from '../../src/module/tokens.js';
import { ConnectionFactory, type ConnectContext } from '../../src/pool/connection-factory.js';
import type { ConnectionPool } from '../../src/pool/connection-pool.js';
import { VirtualClock } from '../../src/testing/virtual-clock.js';
import { closeLater, compile, memoryFactory, pathsOf, rejectionOf, start } from './applications.js';

type Pool = ConnectionPool<object>;

const hanging = ({ signal }: ConnectContext) =>
  new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));

const withClock = (clock: VirtualClock) => (builder: any) =>
  builder.overrideProvider(CONNECTION_POOL_CLOCK).useValue(clock);

describe('N5: the start', () => {
  test('a pool works in a constructor and in onModuleInit of any module', async () => {
    const Mail = memoryFactory('Mail');
    const results: unknown[] = [];
    @Injectable()
    class Service implements OnModuleInit {
      private readonly first: Promise<unknown>;
      constructor(@InjectPool(Mail) private readonly pool: Pool) {
        this.first = pool.use(() => 'constructor');
      }
      async onModuleInit() {
        results.push(await this.first, await this.pool.use(() => 'onModuleInit'));
      }
    }
    @Global()
    @Module({ imports: [ConnectionPoolModule.forFeature([Mail])], providers: [Service] })
    class GlobalModule {}
    await start({ imports: [GlobalModule] });
    expect(results).toEqual(['constructor', 'onModuleInit']);
  });

  test('pools begin to fill before any onModuleInit, and not before', async () => {
    const Mail = memoryFactory('Mail', hanging);
    const seen: number[] = [];
    class Service implements OnModuleInit {
      onModuleInit() {
        seen.push(Mail.connects);
      }
    }
    @Global()
    @Module({ providers: [Service] })
    class GlobalModule {}
    const imports = [GlobalModule, ConnectionPoolModule.forFeature([Mail])];
    const app = await compile({ imports, providers: [Service] });
    expect(Mail.connects).toBe(0);
    await app.init();
    expect(seen).toEqual([5, 5]);
  });

  test('it does not wait for connections unless told to', async () => {
    const Mail = memoryFactory('Mail', hanging);
    await start({ imports: [ConnectionPoolModule.forFeature([Mail])] });
    expect(Mail.opened).toEqual([]);
  });

  test.each([
    ['one', 1],
    ['all', 3],
  ] as const)('waitFor "%s" holds onApplicationBootstrap until %i connections are open', async (waitFor, least) => {
    const gates: Array<() => void> = [];
    const Mail = memoryFactory('Mail', () => new Promise<void>((resolve) => gates.push(resolve)));
    const feature = ConnectionPoolModule.forFeature([{ factory: Mail, size: 3, waitFor }]);
    const app = await compile({ imports: [feature] });
    let isUp = false;
    const starting = app.init().then(() => {
      isUp = true;
    });
    const clock = new VirtualClock();
    for (let opened = 0; opened < least; opened += 1) {
      await clock.settle();
      expect(isUp).toBe(false);
      gates[opened]!();
    }
    await starting;
    expect(Mail.opened).toHaveLength(least);
    for (const open of gates) open();
  });

  test('waitFor "one" borrows a connection from a pool that may be empty', async () => {
    const Mail = memoryFactory('Mail');
    const feature = ConnectionPoolModule.forFeature([{ factory: Mail, size: { min: 0, max: 2 }, waitFor: 'one' }]);
    const app = await start({ imports: [feature] });
    expect(app.get(ConnectionPools).get(Mail).stats()).toMatchObject({ open: 1, leased: 0 });
  });

  test('after startupTimeout it fails with the last connect error itself, and every pool is closed', async () => {
    const clock = new VirtualClock();
    const refusal = new Error('no route');
    const Good = memoryFactory('Good');
    const Bad = memoryFactory('Bad', () => {
      throw refusal;
    });
    const features = [{ factory: Good, size: 2 }, { factory: Bad, waitFor: 'all', startupTimeout: '10s' } as const];
    const app = await compile({ imports: [ConnectionPoolModule.forFeature(features)] }, withClock(clock));
    const failing = rejectionOf(app.init());
    await clock.advance(9_999);
    expect(Good.closed).toEqual([]);
    await clock.advance(1);
    expect(await failing).toBe(refusal);
    expect(Good.closed.map(({ reason }) => reason)).toEqual(['shutdown', 'shutdown']);
    expect(clock.pending).toBe(0);
  });

  test('if no connect has failed by then, with a ConnectTimeoutError', async () => {
    const clock = new VirtualClock();
    const Mail = memoryFactory('Mail', hanging);
    const feature = ConnectionPoolModule.forFeature([
      { factory: Mail, waitFor: 'one', startupTimeout: '1s', size: { min: 0, max: 1 } },
    ]);
    const app = await compile({ imports: [feature] }, withClock(clock));
    const failing = rejectionOf(app.init());
    await clock.advance(1_000);
    expect(await failing).toMatchObject({ code: 'ERR_POOL_CONNECT_TIMEOUT', pool: 'mail', timeout: 1_000 });
  });

  test('startupTimeout Infinity waits for as long as it takes', async () => {
    const clock = new VirtualClock();
    let isUp = false;
    const Mail = memoryFactory('Mail', () => {
      if (!isUp) throw new Error('no route');
    });
    const feature = ConnectionPoolModule.forFeature([{ factory: Mail, waitFor: 'one', startupTimeout: Infinity }]);
    const app = await compile({ imports: [feature] }, withClock(clock));
    const starting = app.init();
    await clock.advance(86_400_000);
    isUp = true;
    await clock.advance(60_000);
    expect(await starting).toBe(app);
  });

  test('a pool that is closed while the start waits for it fails the start with that', async () => {
    const Mail = memoryFactory('Mail', hanging);
    const app = await compile({ imports: [ConnectionPoolModule.forFeature([{ factory: Mail, waitFor: 'all' }])] });
    const failing = rejectionOf(app.init());
    await app.get(ConnectionPools).get(Mail).close();
    expect(await failing).toMatchObject({ code: 'ERR_POOL_CLOSED' });
  });

  test('wrong settings of one pool close those that a constructor has set going', async () => {
    const Good = memoryFactory('Good');
    const Bad = memoryFactory('Bad');
    class Service {
      constructor(@InjectPool(Good) readonly pool: Pool) {
        pool.start();
      }
    }
    @Module({ imports: [ConnectionPoolModule.forFeature([{ factory: Good, size: 1 }])], providers: [Service] })
    class GoodModule {}
    const late = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      return { keepalive: '5s' };
    };
    const bad = ConnectionPoolModule.forFeatureAsync([{ factory: Bad, useFactory: late }]);
    const error = await rejectionOf(compile({ imports: [GoodModule, bad] }));
    expect(pathsOf(error)).toEqual(['forFeature.bad.keepalive']);
    expect(Good.closed).toHaveLength(1);
  });

  test('settings that cannot be made close what a constructor has set going', async () => {
    const Good = memoryFactory('Good');
    const Bad = memoryFactory('Bad');
    class Service {
      constructor(@InjectPool(Good) readonly pool: Pool) {
        pool.start();
      }
    }
    @Module({ imports: [ConnectionPoolModule.forFeature([{ factory: Good, size: 1 }])], providers: [Service] })
    class GoodModule {}
    const fail = async () => {
      await new Promise((resolve) => setImmediate(resolve));
      throw new Error('no such secret');
    };
    const bad = ConnectionPoolModule.forFeatureAsync([{ factory: Bad, useFactory: fail }]);
    const error = await rejectionOf(compile({ imports: [GoodModule, bad] }));
    expect(error.message).toBe('no such secret');
    expect(Good.closed).toHaveLength(1);
  });

  test('a pool that is made only after another failed the start is closed at once', async () => {
    const Bad = memoryFactory('Bad');
    const Late = memoryFactory('Late');
    let pool: Pool | undefined;
    const made = new Promise<void>((resolve) => {
      class Service {
        constructor(@InjectPool(Late) late: Pool) {
          pool = late;
          resolve();
        }
      }
      const late = async () => {
        await new Promise((resolve) => setImmediate(resolve));
        return {};
      };
      const imports = [
        ConnectionPoolModule.forFeature([{ factory: Bad, keepalive: '5s' }]),
        ConnectionPoolModule.forFeatureAsync([{ factory: Late, useFactory: late }]),
      ];
      void rejectionOf(compile({ imports, providers: [Service] }));
    });
    await made;
    expect(await rejectionOf(pool!.acquire())).toMatchObject({ code: 'ERR_POOL_CLOSED' });
    expect(Late.connects).toBe(0);
  });
});

describe('N5: the end', () => {
  /** A module that says when its hooks of shutdown are over. */
  function recorder(name: string, events: string[], options: { imports?: any[]; isGlobal?: boolean } = {}) {
    class Service implements OnApplicationShutdown {
      async onApplicationShutdown() {
        await new Promise((resolve) => setImmediate(resolve));
        events.push(`${name} service`);
      }
    }
    class Recorder implements OnApplicationShutdown {
      async onApplicationShutdown() {
        await new Promise((resolve) => setImmediate(resolve));
        events.push(name);
      }
    }
    Module({ imports: options.imports ?? [], providers: [Service] })(Recorder);
    if (options.isGlobal === true) Global()(Recorder);
    return Recorder;
  }

  function closingFactory(name: string, events: string[], ...pools: any[]) {
    class ClosingFactory extends ConnectionFactory<object> {
      connect(): object {
        return {};
      }
      override async close() {
        await new Promise((resolve) => setImmediate(resolve));
        events.push(`closed ${name}`);
      }
    }
    Object.defineProperty(ClosingFactory, 'name', { value: `${name}Factory` });
    for (const [index, pool] of pools.entries()) InjectPool(pool)(ClosingFactory.prototype, `pool${index}`);
    return ClosingFactory;
  }

  test('pools close after every onApplicationShutdown, whatever the order of the imports', async () => {
    const events: string[] = [];
    const Mail = closingFactory('Mail', events);
    const feature = ConnectionPoolModule.forFeature([{ factory: Mail, size: 1 }]);
    const nested = recorder('nested', events);
    const app = await start({
      imports: [
        recorder('global before', events, { isGlobal: true }),
        recorder('before', events, { imports: [nested] }),
        feature,
        ConnectionPoolModule.forRoot(),
        recorder('user', events, { imports: [feature] }),
        recorder('global user', events, { imports: [feature], isGlobal: true }),
        recorder('after', events, { imports: [nested] }),
        recorder('global after', events, { isGlobal: true }),
      ],
    });
    await app.get(ConnectionPools).get(Mail).ready();
    await app.close();
    expect(events.at(-1)).toBe('closed Mail');
    const names = ['global before', 'before', 'nested', 'user', 'global user', 'after', 'global after'];
    expect(events.slice(0, -1).toSorted()).toEqual(names.flatMap((name) => [name, `${name} service`]).toSorted());
  });

  test('pools close side by side, and one whose factory uses another closes before that one', async () => {
    const events: string[] = [];
    const Base = closingFactory('Base', events);
    const Middle = closingFactory('Middle', events, Base);
    class Service {}
    InjectPool(Middle)(Service.prototype, 'pool');
    class TopFactory extends closingFactory('Top', events) {
      constructor(@Inject(Service) readonly service: Service) {
        super();
      }
    }
    const Alone = closingFactory('Alone', events);
    const one = (factory: any, ...imports: any[]) => ConnectionPoolModule.forFeature([{ factory, size: 1, imports }]);
    const base = one(Base);
    const middle = one(Middle, base);
    class ServiceModule {}
    const service = { module: ServiceModule, imports: [middle], providers: [Service], exports: [Service] };
    const app = await start({ imports: [base, one(Alone), one(TopFactory, service), middle] });
    for (const pool of app.get(ConnectionPools)) await pool.ready();
    await app.close();
    expect(events.filter((event) => event !== 'closed Alone')).toEqual(['closed Top', 'closed Middle', 'closed Base']);
    expect(events.indexOf('closed Alone')).toBeLessThan(events.indexOf('closed Middle'));
  });

  test('services that know each other in a circle do not keep pools from closing', async () => {
    const events: string[] = [];
    class FirstService {
      constructor(@Inject(forwardRef(() => SecondService)) readonly second: unknown) {}
    }
    class MailFactory extends closingFactory('Mail', events) {
      constructor(@Inject(FirstService) readonly service: FirstService) {
        super();
      }
    }
    class SecondService {
      constructor(
        @Inject(forwardRef(() => FirstService)) readonly first: unknown,
        @InjectPool(MailFactory) readonly pool: Pool,
      ) {}
    }
    const feature = ConnectionPoolModule.forFeature([{ factory: MailFactory, size: 1 }]);
    @Global()
    @Module({ imports: [feature], providers: [FirstService, SecondService], exports: [FirstService] })
    class CircleModule {}
    const app = await start({ imports: [CircleModule] });
    await app.get(ConnectionPools).get(MailFactory).ready();
    await app.close();
    expect(events).toEqual(['closed Mail']);
  });

  test('an application that was never initialised closes its pools too', async () => {
    const Mail = memoryFactory('Mail');
    const app = await compile({ imports: [ConnectionPoolModule.forFeature([{ factory: Mail, size: 1 }])] });
    await app.get(ConnectionPools).get(Mail).ready();
    await app.close();
    expect(Mail.closed).toHaveLength(1);
  });

  test.each([
    ['Express', () => new ExpressAdapter()],
    ['Fastify', () => new FastifyAdapter()],
  ] as const)('on %s, requests under way are served before the pools close', async (_, makeAdapter) => {
    const Mail = memoryFactory('Mail');
    let arrived = (): void => undefined;
    const arrival = new Promise<void>((resolve) => (arrived = resolve));
    let proceed = (): void => undefined;
    const permission = new Promise<void>((resolve) => (proceed = resolve));
    @Controller()
    class MailController {
      constructor(@InjectPool(Mail) private readonly pool: Pool) {}
      @Get()
      async read() {
        arrived();
        await permission;
        return this.pool.use(() => 'served');
      }
    }
    @Module({
      imports: [ConnectionPoolModule.forFeature([{ factory: Mail, size: 1 }])],
      controllers: [MailController],
    })
    class AppModule {}
    const app: INestApplication = await NestFactory.create(AppModule, makeAdapter() as any, { logger: false });
    closeLater(app);
    await app.listen(0, '127.0.0.1');
    const { port } = app.getHttpServer().address() as AddressInfo;
    const reply = fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
    await arrival;
    const closing = app.close();
    await new VirtualClock().settle();
    expect(Mail.closed).toEqual([]);
    proceed();
    expect(await (await reply).text()).toBe('served');
    await closing;
    expect(Mail.closed).toHaveLength(1);
  });
});
