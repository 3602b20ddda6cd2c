import 'reflect-metadata';
import { Controller, Get, Param, SetMetadata } from '@nestjs/common';
import { OnEvent } from '@nestjs/event-emitter';
import { MessagePattern } from '@nestjs/microservices';
import { Cron } from '@nestjs/schedule';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { PoolSettingsError } from '../../src/pool/errors.js';
import { presetUsesOf } from '../../src/retry/retry-definition.js';
import { adopt } from '../../src/retry/retry-instances.js';
import { Retryable } from '../../src/retry/retryable.decorator.js';
import { application, reset, watch } from './scripted-service.js';

const quiet = { delay: 1, logger: false } as const;

beforeEach(() => {
  jest.useFakeTimers();
});

afterEach(() => {
  jest.useRealTimers();
});

/** Runs a call to its end, whatever pauses it makes. */
async function finish<T>(promise: Promise<T>): Promise<unknown> {
  const call = watch(promise);
  await jest.advanceTimersByTimeAsync(100_000);
  return call.value;
}

function metadataOf(method: unknown): Array<[unknown, unknown]> {
  const keys = Reflect.getMetadataKeys(method as object) as unknown[];
  return keys.map((key) => [key, Reflect.getMetadata(key, method as object)]);
}

describe('R2: what others look at in a method', () => {
  const decorators: Array<[string, () => MethodDecorator]> = [
    ['@Get', () => Get('mail/:id')],
    ['@Cron', () => Cron('* * * * *')],
    ['@OnEvent', () => OnEvent('mail.arrived')],
    ['@MessagePattern', () => MessagePattern('mail')],
    ['any that sets metadata', () => SetMetadata('roles', ['reader'])],
  ];

  it.each(decorators)('survives with @Retryable above and below %s', (_, decorator) => {
    class Bare {
      @decorator()
      async fetch(): Promise<void> {}
    }
    class Above {
      @Retryable(quiet)
      @decorator()
      async fetch(): Promise<void> {}
    }
    class Below {
      @decorator()
      @Retryable(quiet)
      async fetch(): Promise<void> {}
    }
    const expected = metadataOf(Bare.prototype.fetch);
    expect(expected.length).toBeGreaterThan(0);
    expect(metadataOf(Above.prototype.fetch)).toEqual(expected);
    expect(metadataOf(Below.prototype.fetch)).toEqual(expected);
  });

  it('is its name, its length, its properties, its place and its parameters', () => {
    const symbol = Symbol('key');
    @Controller()
    class MailController {
      @Retryable(quiet)
      async fetch(@Param('id') id: string, _folder: string): Promise<string> {
        return id;
      }

      @Retryable(quiet)
      async [symbol](): Promise<void> {}

      async bare(@Param('id') id: string, _folder: string): Promise<string> {
        return id;
      }
    }
    const { fetch } = MailController.prototype;
    expect(fetch.name).toBe('fetch');
    expect(fetch).toHaveLength(2);
    expect(MailController.prototype[symbol].name).toBe('[key]');
    const descriptorOf = (key: string) => {
      const { value: _, ...rest } = Object.getOwnPropertyDescriptor(MailController.prototype, key)!;
      return rest;
    };
    expect(descriptorOf('fetch')).toEqual(descriptorOf('bare'));
    expect(Reflect.getMetadata('__routeArguments__', MailController, 'fetch')).toEqual(
      Reflect.getMetadata('__routeArguments__', MailController, 'bare'),
    );
    expect(Reflect.getMetadata('design:paramtypes', MailController.prototype, 'fetch')).toEqual([String, String]);
  });

  it('is what other decorators set on it as properties, except what makes it a constructor', () => {
    const mark = Symbol('mark');
    function Marked(_target: object, _key: string, descriptor: PropertyDescriptor): void {
      Object.assign(descriptor.value as object, { [mark]: 'set' });
    }
    class Service {
      @Retryable(quiet)
      @Marked
      async fetch(): Promise<void> {}
    }
    expect((Service.prototype.fetch as any)[mark]).toBe('set');
    const descriptor = { value: function legacy() {}, writable: true, configurable: true };
    Retryable(quiet)(Service.prototype, 'legacy', descriptor as any);
    expect(descriptor.value.name).toBe('legacy');
  });

  it('is that it is no constructor and has no prototype, whatever the original was', () => {
    class Service {
      @Retryable(quiet)
      async fetch(): Promise<void> {}
    }
    function original(): void {}
    const legacy: PropertyDescriptor = { value: original, writable: true, configurable: true };
    Retryable(quiet)(Service.prototype, 'legacy', legacy);
    for (const method of [Service.prototype.fetch, legacy.value]) {
      expect(Object.hasOwn(method, 'prototype')).toBe(false);
      expect(() => Reflect.construct(method, [])).toThrow(TypeError);
    }
  });

  it('is this and the arguments: optional ones stay undefined', async () => {
    class Service {
      @Retryable(quiet)
      async fetch(folder?: string, ...rest: unknown[]): Promise<unknown> {
        return [this, folder, rest, arguments.length];
      }
    }
    const service = new Service();
    expect(await service.fetch()).toEqual([service, undefined, [], 0]);
    expect(await service.fetch('INBOX', 2, 3)).toEqual([service, 'INBOX', [2, 3], 3]);
  });

  it('is that a thrown error which is not to be retried is thrown, not a rejection', () => {
    class Service {
      @Retryable(quiet)
      fetch(): Promise<void> {
        throw new Error('at once');
      }

      @Retryable({ ...quiet, timeout: 100 })
      timed(): Promise<void> {
        throw new Error('at once');
      }
    }
    expect(() => void new Service().fetch()).toThrow('at once');
    expect(() => void new Service().timed()).toThrow('at once');
  });

  it('is a promise where the error is one to retry, although the method throws it at once', async () => {
    class Service {
      calls = 0;

      @Retryable(quiet)
      fetch(): Promise<string> {
        if (++this.calls === 1) throw reset();
        return Promise.resolve('second');
      }

      @Retryable({ ...quiet, timeout: 100 })
      timed(): Promise<string> {
        return this.fetch();
      }
    }
    expect(await finish(new Service().fetch())).toBe('second');
    expect(await finish(new Service().timed())).toBe('second');
  });

  it('is a promise of ours where the method returns another thenable', async () => {
    class Query {
      // oxlint-disable-next-line unicorn/no-thenable
      then(resolve: (value: string) => void): void {
        resolve('rows');
      }
    }
    class Service {
      @Retryable(quiet)
      run(): PromiseLike<string> {
        return new Query() as unknown as PromiseLike<string>;
      }
    }
    const result = new Service().run();
    expect(result).toBeInstanceOf(Promise);
    expect(await result).toBe('rows');
  });
});

describe('R2: static methods and calls without this', () => {
  it('are retried', async () => {
    class Service {
      static calls = 0;

      @Retryable(quiet)
      static async fetch(): Promise<unknown> {
        if (++Service.calls === 1) throw reset();
        return this;
      }
    }
    expect(await finish(Service.fetch())).toBe(Service);
    Service.calls = 0;
    const { fetch } = Service;
    expect(await finish(fetch())).toBeUndefined();
  });

  it('recover by a method only if there is an instance', async () => {
    const warned = jest.fn();
    const logger = { log: warned, warn: warned, error: warned };
    class Service {
      @Retryable({ maxRetries: 0, recover: 'spare', logger })
      async fetch(): Promise<string> {
        throw reset();
      }

      spare(): string {
        return 'spare';
      }
    }
    expect(await finish(new Service().fetch())).toBe('spare');
    const { fetch } = new Service();
    expect(await finish(fetch())).toMatchObject({ code: 'ECONNRESET' });
    expect(warned).toHaveBeenLastCalledWith(expect.stringContaining('recover'), 'Service');
  });
});

describe('R2: a class', () => {
  class Base {
    calls: Record<string, number> = {};

    async inherited(): Promise<void> {
      this.fail('inherited');
    }

    fail(method: string): void {
      this.calls[method] = (this.calls[method] ?? 0) + 1;
      throw reset();
    }
  }

  @Retryable({ ...quiet, maxRetries: 1 })
  class MailService extends Base {
    readonly field = async (): Promise<void> => this.fail('field');
    private readonly plain = { any: 'object' };

    async fetch(): Promise<void> {
      this.fail('fetch');
    }

    @Retryable({ ...quiet, maxRetries: 2 })
    async own(): Promise<void> {
      this.fail('own');
    }

    get getter(): Promise<void> {
      return this.fetch();
    }

    async onModuleInit(): Promise<void> {
      this.fail('onModuleInit');
    }

    async [Symbol.asyncDispose](): Promise<void> {
      this.fail('asyncDispose');
    }

    async [Symbol.dispose](): Promise<void> {
      this.fail('dispose');
    }

    sync(): object {
      return this.plain;
    }

    throwing(): void {
      this.fail('throwing');
    }

    async afterwards(): Promise<string> {
      return 'fine';
    }
  }
  Object.defineProperty(MailService.prototype, 'constant', { value: 7 });

  const callsOf = async (work: (service: MailService) => unknown, method: string) => {
    const service = new MailService();
    await finish(Promise.resolve(work(service)));
    return service.calls[method];
  };

  it('has its own methods retried, each replaced by its own @Retryable', async () => {
    expect(await callsOf((service) => service.fetch(), 'fetch')).toBe(2);
    expect(await callsOf((service) => service.own(), 'own')).toBe(3);
  });

  it('has its teardown left alone', async () => {
    expect(await callsOf((service) => service[Symbol.asyncDispose](), 'asyncDispose')).toBe(1);
    expect(await callsOf((service) => service[Symbol.dispose](), 'dispose')).toBe(1);
  });

  it('has neither getters, inherited methods, fields nor lifecycle hooks retried', async () => {
    const getter = Object.getOwnPropertyDescriptor(MailService.prototype, 'getter')!;
    expect(
      presetUsesOf(MailService)
        .map(({ method }) => method)
        .toSorted(),
    ).toEqual(['afterwards', 'fetch', 'own', 'sync', 'throwing'].map((method) => `MailService.${method}`));
    expect(getter.get).toBeInstanceOf(Function);
    expect(await callsOf((service) => service.inherited(), 'inherited')).toBe(1);
    expect(await callsOf((service) => service.field(), 'field')).toBe(1);
    expect(await callsOf((service) => service.onModuleInit(), 'onModuleInit')).toBe(1);
  });

  it('has what returns neither a promise nor an Observable pass through unchanged, and what is thrown too', () => {
    const service = new MailService();
    expect(service.sync()).toBe((service as any).plain);
    expect(() => service.throwing()).toThrow('ECONNRESET');
    expect(service.calls['throwing']).toBe(1);
  });

  it('still has methods that yield at once when its options have a signal, aborted or not', async () => {
    const controller = new AbortController();
    @Retryable({ signal: controller.signal, ...quiet })
    class Signalled {
      sync(): number {
        return 1;
      }

      async fetch(): Promise<number> {
        return 2;
      }
    }
    const signalled = new Signalled();
    expect(signalled.sync()).toBe(1);
    expect(await signalled.fetch()).toBe(2);
    controller.abort(new Error('over'));
    expect(signalled.sync()).toBe(1);
    await expect(signalled.fetch()).rejects.toThrow('over');
  });

  it('passes retries on to its subclasses, which may override them', async () => {
    class Special extends MailService {
      override async own(): Promise<void> {
        this.fail('own');
      }
    }
    const special = new Special();
    await finish(special.fetch());
    await finish(special.own());
    expect(special.calls).toEqual({ fetch: 2, own: 1 });
    expect(presetUsesOf(Special)).toHaveLength(5);
  });
});

describe('budget of a method', () => {
  it('is its own, in each application', async () => {
    class Service {
      calls = 0;

      @Retryable({ budget: { maxTokens: 3, tokenRatio: 1 }, maxRetries: 1, logger: false })
      async fetch(): Promise<never> {
        this.calls++;
        throw reset();
      }
    }
    const callsIn = async (app: ReturnType<typeof application>) => {
      const service = new Service();
      adopt(service, app.runtime);
      watch(service.fetch());
      await app.clock.advance(1_000);
      return service.calls;
    };
    const [one, two] = [application(), application()];
    expect(await callsIn(one)).toBe(2);
    expect(await callsIn(one)).toBe(1);
    expect(await callsIn(two)).toBe(2);
  });

  describe('without an application', () => {
    let calls = 0;
    class Service {
      @Retryable({ budget: { maxTokens: 3, tokenRatio: 1 }, maxRetries: 1, ...quiet })
      async fetch(): Promise<never> {
        calls++;
        throw reset();
      }

      @Retryable({ budget: { maxTokens: 3, tokenRatio: 1 }, maxRetries: 1, ...quiet })
      static async fetch(): Promise<never> {
        calls++;
        throw reset();
      }
    }
    const callsOn = async (self: unknown, { fetch } = Service.prototype) => {
      calls = 0;
      await finish(Reflect.apply(fetch, self, []));
      return calls;
    };

    it('is that of the instance', async () => {
      const [one, two] = [new Service(), new Service()];
      expect(await callsOn(one)).toBe(2);
      expect(await callsOn(one)).toBe(1);
      expect(await callsOn(two)).toBe(2);
    });

    it('is that of the class for a static method', async () => {
      class SubClass extends Service {}
      expect(await callsOn(Service, Service)).toBe(2);
      expect(await callsOn(Service, Service)).toBe(1);
      expect(await callsOn(SubClass, Service)).toBe(2);
    });

    it('is one for all calls without an object', async () => {
      expect(await callsOn(undefined)).toBe(2);
      expect(await callsOn('text')).toBe(1);
      expect(await callsOn(null)).toBe(1);
    });
  });
});

describe('wrong use', () => {
  const faultsOf = (decorate: () => unknown) => {
    try {
      decorate();
    } catch (error) {
      expect(error).toBeInstanceOf(PoolSettingsError);
      const { subject, faults } = error as PoolSettingsError;
      return { subject, paths: faults.map(({ path }) => path) };
    }
    return undefined;
  };

  it('is told where it stands, with every fault', () => {
    expect(
      faultsOf(() => {
        class MailService {
          @Retryable({ maxRetries: 0.5, recover: 'fallbak', wait: 3 } as any)
          async fetch(): Promise<void> {}

          async fallback(): Promise<void> {}
        }
        return MailService;
      }),
    ).toEqual({ subject: '@Retryable of MailService.fetch', paths: ['maxRetries', 'wait', 'recover'] });
    expect(
      faultsOf(() => {
        @Retryable({ delay: 'soon' })
        class MailService {}
        return MailService;
      }),
    ).toEqual({ subject: '@Retryable of MailService', paths: ['delay'] });
  });

  it('is a recover that is no method, such as a getter', () => {
    expect(
      faultsOf(() => {
        class MailService {
          @Retryable({ recover: 'spare' })
          async fetch(): Promise<void> {}

          get spare(): number {
            return 1;
          }
        }
        return MailService;
      })?.paths,
    ).toEqual(['recover']);
  });

  it('is a preset on a static method, and one without a name', () => {
    expect(
      faultsOf(() => {
        class MailService {
          @Retryable('mailbox')
          static async fetch(): Promise<void> {}
        }
        return MailService;
      }),
    ).toEqual({ subject: '@Retryable of MailService.fetch', paths: ['preset'] });
    expect(
      faultsOf(() => {
        class MailService {
          @Retryable('')
          async fetch(): Promise<void> {}
        }
        return MailService;
      })?.paths,
    ).toEqual(['preset']);
  });

  it('is a property, a getter, and standard decorators', () => {
    const decorate: any = Retryable();
    expect(faultsOf(() => decorate({}, 'field'))?.paths).toEqual(['Object.field']);
    expect(faultsOf(() => decorate({}, 'getter', { get: () => 1 }))?.paths).toEqual(['Object.getter']);
    expect(faultsOf(() => decorate(() => {}, { kind: 'method', name: 'fetch' }))?.paths).toHaveLength(1);
  });

  it('is @Retryable without parentheses', () => {
    const decorator: any = Retryable;
    expect(faultsOf(() => decorator(class MailService {}))?.paths).toEqual(['@Retryable']);
    expect(faultsOf(() => decorator({}, 'fetch', {}))?.paths).toEqual(['@Retryable']);
    expect(faultsOf(() => decorator({}, Symbol('fetch'), {}))?.paths).toEqual(['@Retryable']);
  });
});
