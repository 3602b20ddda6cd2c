import 'reflect-metadata';
import { Inject, Injectable, Logger, Module, Scope } from '@nestjs/common';
import { ContextIdFactory, NestFactory } from '@nestjs/core';
import { Test } from '@nestjs/testing';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { firstValueFrom, Observable, of } from 'rxjs';
import { PoolSettingsError } from '../../src/pool/errors.js';
import { presetUsesOf } from '../../src/retry/retry-definition.js';
import { adopt, runtimeOf } from '../../src/retry/retry-instances.js';
import type { RetryOptions } from '../../src/retry/retry-options.js';
import { RetryRuntime } from '../../src/retry/retry-runtime.js';
import { Retryable } from '../../src/retry/retryable.decorator.js';
import { application, reset, watch } from './scripted-service.js';

@Injectable()
class MailService {
  calls = 0;

  @Retryable('mailbox')
  async fetch(): Promise<never> {
    this.calls++;
    throw reset();
  }
}

@Injectable()
class SubService extends MailService {
  @Inject('folder') declare folder: string;
}

@Injectable({ scope: Scope.REQUEST })
class RequestService extends MailService {}

@Injectable({ scope: Scope.TRANSIENT })
class TransientService extends MailService {}

@Injectable()
class FrozenService {
  readonly calls: number[] = [];

  constructor() {
    Object.freeze(this);
  }

  @Retryable('mailbox')
  async fetch(): Promise<never> {
    this.calls.push(1);
    throw reset();
  }
}

/** A module that gives the runtime to all, as ConnectionPoolModule does. */
function runtimeModule(runtime: RetryRuntime) {
  return {
    module: class RuntimeModule {},
    global: true,
    providers: [{ provide: RetryRuntime, useValue: runtime }],
    exports: [RetryRuntime],
  };
}

const presets: Record<string, RetryOptions> = { mailbox: { maxRetries: 2, delay: 10, jitter: 'none' } };
const folder = { provide: 'folder', useValue: 'INBOX' };

async function start(providers: any[], runtime = application(presets).runtime) {
  return await Test.createTestingModule({ imports: [runtimeModule(runtime)], providers }).compile();
}

async function callsOf(service: { fetch(): Promise<never> }, clock: { advance(by: number): Promise<void> }) {
  watch(service.fetch());
  await clock.advance(1_000);
}

const spies: Array<{ mockRestore(): void }> = [];
const nestLogger = (level: 'warn' | 'error') => {
  const spy = jest.spyOn(Logger, level).mockImplementation(() => {});
  spies.push(spy);
  return spy;
};

afterEach(() => {
  for (const spy of spies.splice(0)) spy.mockRestore();
});

describe('R3: in an application', () => {
  it('class providers and subclasses get presets, clock and logger injected', async () => {
    const app = application(presets);
    const module = await start([MailService, SubService, folder], app.runtime);
    for (const service of [module.get(MailService), module.get(SubService)]) {
      await callsOf(service, app.clock);
      expect(service.calls).toBe(3);
    }
    expect(module.get(SubService).folder).toBe('INBOX');
    expect(app.logger.lines).toHaveLength(6);
    expect(new Set(app.logger.contexts)).toEqual(new Set(['MailService']));
  });

  it('so do providers of request and transient scope', async () => {
    const app = application(presets);
    const module = await start([RequestService, TransientService], app.runtime);
    const services = [
      await module.resolve(RequestService, ContextIdFactory.create()),
      await module.resolve(RequestService, ContextIdFactory.create()),
      await module.resolve(TransientService),
    ];
    for (const service of services) {
      await callsOf(service, app.clock);
      expect(service.calls).toBe(3);
    }
    expect(new Set(services).size).toBe(3);
  });

  it('instances have nothing added to them, and may be frozen', async () => {
    const app = application(presets);
    const module = await start([MailService, FrozenService], app.runtime);
    expect(Reflect.ownKeys(module.get(MailService))).toEqual(['calls']);
    const frozen = module.get(FrozenService);
    await callsOf(frozen, app.clock);
    expect(frozen.calls).toHaveLength(3);
  });

  it.each<[string, (instance: any) => any]>([
    ['plain', (instance) => new Proxy(instance, {})],
    [
      'one that binds methods to the instance',
      (instance) =>
        new Proxy(instance, {
          get(target, key) {
            const value = target[key];
            return typeof value === 'function' ? value.bind(target) : value;
          },
        }),
    ],
    [
      'one that knows only what is enumerable',
      (instance) =>
        new Proxy(instance, {
          get: (target, key, receiver) => (typeof key === 'symbol' ? undefined : Reflect.get(target, key, receiver)),
        }),
    ],
  ])('an instance may stand behind a Proxy: %s', async (_, wrap) => {
    const app = application(presets);
    @Module({ imports: [runtimeModule(app.runtime)], providers: [MailService] })
    class AppModule {}
    const instrument = {
      instanceDecorator: (instance: any) => (instance instanceof MailService ? wrap(instance) : instance),
    };
    const context = await NestFactory.createApplicationContext(AppModule, { logger: false, instrument });
    const service = context.get(MailService);
    await callsOf(service, app.clock);
    expect(service.calls).toBe(3);
    await context.close();
  });

  it('two applications never see each other', async () => {
    const [one, two] = [application(presets), application({ mailbox: { maxRetries: 0 } })];
    const [first, second] = [await start([MailService], one.runtime), await start([MailService], two.runtime)];
    await callsOf(first.get(MailService), one.clock);
    await callsOf(second.get(MailService), two.clock);
    expect(first.get(MailService).calls).toBe(3);
    expect(second.get(MailService).calls).toBe(1);
    expect(two.logger.lines).toHaveLength(1);
  });

  it('what a useFactory made is adopted', async () => {
    const app = application(presets);
    const made = new MailService();
    const module = await start([{ provide: 'made', useFactory: () => made }], app.runtime);
    adopt(module.get('made'), app.runtime);
    adopt(made, application().runtime);
    expect(runtimeOf(made)).toBe(app.runtime);
    await callsOf(made, app.clock);
    expect(made.calls).toBe(3);
  });

  it('adopting leaves everything else as it is', () => {
    const { runtime } = application();
    const willful = new Proxy(
      {},
      {
        has: () => {
          throw new Error('not now');
        },
      },
    );
    const plain = {};
    for (const value of [plain, willful, null, 'text', undefined]) expect(() => adopt(value, runtime)).not.toThrow();
    expect(runtimeOf(plain)).toBeUndefined();
  });

  it('a decorated provider that the options are made of does not hang the start', async () => {
    const runtime = new RetryRuntime();
    @Injectable()
    class OptionsService {
      calls = 0;

      @Retryable({ delay: 0, maxRetries: 1, logger: false })
      async load(): Promise<Record<string, RetryOptions>> {
        if (++this.calls === 1) throw reset();
        return presets;
      }
    }
    const configured = {
      provide: 'configured',
      inject: [OptionsService, RetryRuntime],
      useFactory: async (options: OptionsService, injected: RetryRuntime) => {
        const { clock, logger } = application();
        injected.configure({ clock, logger, presets: await options.load() });
        return 'configured';
      },
    };
    const module = await start([OptionsService, configured], runtime);
    expect(module.get('configured')).toBe('configured');
    expect(module.get(OptionsService).calls).toBe(2);
  });
});

describe('R3: without an application', () => {
  it('a plain new goes by the defaults and the Logger of Nest, and warns once of its preset', async () => {
    jest.useFakeTimers();
    const warned = nestLogger('warn');
    const failed = nestLogger('error');
    class PlainService {
      @Retryable('mailbox', { delay: 1 })
      async fetch(): Promise<never> {
        throw reset();
      }
    }
    for (let round = 0; round < 2; round++) {
      const call = watch(new PlainService().fetch());
      await jest.advanceTimersByTimeAsync(1_000);
      expect(call.state).toBe('rejected');
    }
    jest.useRealTimers();
    const [first, ...others] = warned.mock.calls;
    expect(first).toEqual([expect.stringContaining('knows no preset "mailbox"'), 'PlainService']);
    expect(others).toHaveLength(6);
    expect(others.flat().join()).not.toContain('preset');
    expect(failed).toHaveBeenCalledTimes(2);
  });

  it('a testing module without the runtime works', async () => {
    nestLogger('warn');
    const module = await Test.createTestingModule({ providers: [FrozenService] }).compile();
    expect(runtimeOf(module.get(FrozenService))).toBeUndefined();
  });

  it('a mock in the place of the runtime is ignored', async () => {
    const mocks: unknown[] = [
      new Proxy({}, { get: (_, key) => (key === 'then' ? undefined : jest.fn()) }),
      Object.create(RetryRuntime.prototype),
      () => {},
      {},
    ];
    for (const mock of mocks) {
      const module = await Test.createTestingModule({ providers: [SubService] })
        .useMocker(() => mock as object)
        .compile();
      expect(runtimeOf(module.get(SubService))).toBeUndefined();
    }
  });

  it('a runtime behind a Proxy is one all the same', async () => {
    const app = application(presets);
    const module = await start([MailService], new Proxy(app.runtime, {}));
    await callsOf(module.get(MailService), app.clock);
    expect(module.get(MailService).calls).toBe(3);
  });

  it('a useValue goes by the defaults', async () => {
    nestLogger('warn');
    const value = new MailService();
    const module = await start([{ provide: MailService, useValue: value }]);
    expect(runtimeOf(module.get(MailService))).toBeUndefined();
  });
});

describe('R3: presets', () => {
  it('lie over the preset "default", and the options of the decorator over them', async () => {
    const app = application({
      default: { maxRetries: 1, delay: 10, jitter: 'none', backoff: () => 77 },
      mailbox: { maxRetries: 2, multiplier: 3 },
    });
    class Service {
      readonly times: number[] = [];

      @Retryable('mailbox', { delay: 100 })
      async both(): Promise<never> {
        this.times.push(app.clock.now());
        throw reset();
      }

      @Retryable()
      async plain(): Promise<never> {
        this.times.push(app.clock.now());
        throw reset();
      }
    }
    const both = new Service();
    adopt(both, app.runtime);
    watch(both.both());
    await app.clock.advance(1_000);
    expect(both.times).toEqual([0, 100, 400]);
    const plain = new Service();
    adopt(plain, app.runtime);
    watch(plain.plain());
    await app.clock.advance(1_000);
    expect(plain.times).toEqual([1_000, 1_077]);
  });

  it('share their budget between the methods that use them, unless these have their own or none', async () => {
    const app = application({ shared: { budget: { maxTokens: 3, tokenRatio: 1 }, maxRetries: 1, logger: false } });
    class Service {
      calls = 0;

      @Retryable('shared')
      async one(): Promise<never> {
        return this.fail();
      }

      @Retryable('shared')
      async two(): Promise<never> {
        return this.fail();
      }

      @Retryable('shared', { budget: false })
      async free(): Promise<never> {
        return this.fail();
      }

      @Retryable('unlimited')
      async unlimited(): Promise<never> {
        return this.fail();
      }

      private fail(): never {
        this.calls++;
        throw reset();
      }
    }
    const callsBy = async (method: 'one' | 'two' | 'free' | 'unlimited') => {
      const service = new Service();
      adopt(service, app.runtime);
      watch(service[method]());
      await app.clock.advance(1_000);
      return service.calls;
    };
    expect(await callsBy('one')).toBe(2);
    expect(await callsBy('two')).toBe(1);
    expect(await callsBy('free')).toBe(2);
    const budget = { maxTokens: 1, tokenRatio: 1 };
    app.runtime.configure({ ...app, presets: { default: { budget }, unlimited: { budget: false, maxRetries: 1 } } });
    expect(await callsBy('unlimited')).toBe(2);
  });

  it('that do not exist are told with the methods that ask for them and those that exist', () => {
    class Service {
      @Retryable('mailbx')
      async fetch(): Promise<void> {}

      @Retryable('mailbox')
      async search(): Promise<void> {}
    }
    class SubClass extends Service {}
    const { runtime } = application({ mailbox: {}, default: {} });
    const uses = [Service, SubClass, new Service()].flatMap((each) => presetUsesOf(each));
    expect(() => runtime.checkPresets(uses)).toThrow(
      new PoolSettingsError('@Retryable', [
        {
          path: 'Service.fetch',
          received: 'the preset "mailbx"',
          allowed: 'a preset of forRoot({ retry }); there are: "mailbox", "default"',
        },
      ]),
    );
    expect(() => application().runtime.checkPresets(uses)).toThrow('there are: none');
    expect(() => application({ mailbox: {}, mailbx: {} }).runtime.checkPresets(uses)).not.toThrow();
  });

  describe('that do not exist, where nobody checked', () => {
    const adopted = <T extends object>(service: T, app = application()): T => {
      adopt(service, app.runtime);
      return service;
    };

    it('are a rejection of the call', async () => {
      const service = adopted(new MailService());
      const call = service.fetch();
      await expect(call).rejects.toThrow('MailService.fetch: received the preset "mailbox"');
      await expect(call).rejects.toBeInstanceOf(PoolSettingsError);
      expect(service.calls).toBe(0);
    });

    it('are an error of the Observable where the method is known to return them', async () => {
      class Feed {
        @Retryable('mailbox')
        watch(): Observable<string> {
          return of('mail');
        }
      }
      await expect(firstValueFrom(adopted(new Feed(), application(presets)).watch())).resolves.toBe('mail');
      const observable = adopted(new Feed()).watch();
      expect(observable).toBeInstanceOf(Observable);
      await expect(firstValueFrom(observable)).rejects.toThrow('Feed.watch: received the preset "mailbox"');
    });

    it('are thrown at a class by what may yield its result at once', async () => {
      @Retryable('mailbox')
      class Service {
        sync(): number {
          return 1;
        }

        async fetch(): Promise<number> {
          return 2;
        }
      }
      const service = adopted(new Service());
      expect(() => service.sync()).toThrow('Service.sync: received the preset "mailbox"');
      await expect(service.fetch()).rejects.toThrow('Service.fetch: received the preset "mailbox"');
    });
  });

  it('may name as recover only what each class that uses them has', () => {
    class Service {
      @Retryable('spare')
      async fetch(): Promise<void> {}

      @Retryable('spare', { recover: () => 'mine' })
      async search(): Promise<void> {}

      @Retryable()
      async plain(): Promise<void> {}
    }
    class Able extends Service {
      fallback(): void {}
    }
    const { runtime } = application({ spare: { recover: 'fallback' } });
    expect(() => runtime.checkPresets(presetUsesOf(Able))).not.toThrow();
    expect(() => runtime.checkPresets(presetUsesOf(Service))).toThrow(
      new PoolSettingsError('@Retryable', [
        {
          path: 'Service.fetch',
          received: '"fallback" as recover, from the preset "spare"',
          allowed: 'the name of a method that the class has',
        },
      ]),
    );
    const byFunction = application({ spare: { recover: () => 1 }, default: { recover: 'nothing' } });
    expect(() => byFunction.runtime.checkPresets(presetUsesOf(Service))).toThrow('Service.plain: received "nothing"');
  });

  it('are checked by the same rules as everything else', () => {
    const { clock, logger } = application();
    const runtime = new RetryRuntime();
    const configure = (wrong: any) => () => runtime.configure({ clock, logger, presets: wrong });
    expect(configure({ mailbox: { maxRetries: -1, retires: 1 } })).toThrow(
      /retry\.mailbox\.maxRetries[^]*retry\.mailbox\.retires/,
    );
    expect(configure('none')).toThrow("retry: received 'none'; allowed is presets by name");
    expect(configure({ mailbox: undefined })).not.toThrow();
  });

  it('are not used before they are known: until then the options of the decorator are', async () => {
    const warned = nestLogger('warn');
    nestLogger('error');
    const runtime = new RetryRuntime();
    const service = new MailService();
    adopt(service, runtime);
    jest.useFakeTimers();
    watch(service.fetch());
    await jest.advanceTimersByTimeAsync(100_000);
    jest.useRealTimers();
    expect(service.calls).toBe(4);
    expect(warned).toHaveBeenCalledTimes(3);
    const app = application();
    runtime.configure({ ...app, presets });
    await callsOf(service, app.clock);
    expect(service.calls).toBe(7);
  });
});

describe('presetUsesOf', () => {
  it('finds nothing in what has no decorated method, and never throws', () => {
    const willful = new Proxy(
      {},
      {
        getPrototypeOf: () => {
          throw new Error('not now');
        },
      },
    );
    for (const value of [undefined, null, 'text', {}, () => {}, class {}, willful]) {
      expect(presetUsesOf(value)).toEqual([]);
    }
  });
});
