import { describe, expect, test } from '@jest/globals';
import { runInNewContext } from 'node:vm';
import { PoolSettingsError } from '../../src/pool/errors.js';
import {
  ScriptedConnection,
  ScriptedFactory,
  VirtualClock,
  type Behaviour,
  type ScriptedFactoryOptions,
  type ScriptedHook,
} from '../../src/testing/index.js';
import { faultsOf } from './argument-faults.js';
import { FAILURE, contextOf } from './scripted-calls.js';

describe('VirtualClock, where it is given what makes no sense', () => {
  const clock = new VirtualClock();
  const SPAN = 'a time of 0 or more that ends: milliseconds, or text such as "30s"';

  test.each([-1, NaN, Infinity, 'Infinity', 'soon', '', false, null, undefined])(
    '%p is no time that can pass',
    async (duration: any) => {
      const fault = [{ path: 'duration', received: expect.any(String), allowed: SPAN }];
      expect(await faultsOf(() => clock.advance(duration))).toEqual(fault);
      expect(await faultsOf(() => clock.stall(duration))).toEqual(fault);
      expect(await faultsOf(() => clock.sleep(duration))).toEqual(fault);
      expect(clock.now()).toBe(0);
    },
  );

  test('says what was called, what it was given and what it takes', async () => {
    const failure =
      'Invalid settings of VirtualClock.advance():\n  - duration: received -5; allowed is a time of 0 or more';
    await expect(clock.advance(-5)).rejects.toThrow(failure);
    await expect(clock.advance(-5)).rejects.toBeInstanceOf(PoolSettingsError);
  });

  test('all faults of its options are told at once', async () => {
    const options: any = { start: -1, seed: 0.5, random: 4, sed: 1 };
    expect(await faultsOf(() => new VirtualClock(options))).toEqual([
      { path: 'start', received: '-1', allowed: 'a number of 0 or more' },
      { path: 'seed', received: '0.5', allowed: 'a whole number' },
      { path: 'random', received: '4', allowed: 'a function that yields numbers from 0 to less than 1' },
      {
        path: 'sed',
        received: 'a value of type number',
        allowed: 'nothing of this name; there are: start, seed, random',
      },
    ]);
    const wrong: any = 7;
    expect(await faultsOf(() => new VirtualClock(wrong))).toEqual([
      { path: 'options', received: '7', allowed: 'an object of: start, seed, random' },
    ]);
    expect(new VirtualClock({ seed: -3, start: undefined }).now()).toBe(0);
  });

  test('run() takes a promise, and a limit', async () => {
    const forgotten: any = () => Promise.resolve();
    expect(await faultsOf(() => clock.run(forgotten))).toEqual([
      { path: 'promise', received: '[Function: forgotten]', allowed: 'a promise: an object with then()' },
    ]);
    expect(await faultsOf(() => clock.run(Promise.resolve(), { within: -1 }))).toEqual([
      { path: 'within', received: '-1', allowed: SPAN },
    ]);
    const misspelt: any = { witin: 5 };
    expect(await faultsOf(() => clock.run(Promise.resolve(), misspelt))).toMatchObject([{ path: 'witin' }]);
  });

  test.each([5, 1, -0.1, NaN, Infinity, '0.5', undefined])(
    'a random() that yields %p is refused',
    async (drawn: any) => {
      const clock = new VirtualClock({ random: () => drawn });
      expect(await faultsOf(() => clock.random())).toEqual([
        { path: 'random()', received: expect.any(String), allowed: 'a number from 0 to less than 1' },
      ]);
    },
  );

  test('an immediate needs something to call', async () => {
    const nothing: any = undefined;
    expect(await faultsOf(() => clock.setImmediate(nothing))).toEqual([
      { path: 'callback', received: 'undefined', allowed: 'a function to call back' },
    ]);
    await clock.settle();
  });

  test.each([{}, null, 'signal', { throwIfAborted: () => {} }])(
    '%p is no signal for a sleep, which sets no timer then',
    async (signal: any) => {
      const clock = new VirtualClock();
      expect(await faultsOf(() => clock.sleep(5, signal))).toEqual([
        {
          path: 'signal',
          received: expect.any(String),
          allowed: 'an AbortSignal: an object with throwIfAborted(), addEventListener(), removeEventListener()',
        },
      ]);
      expect(clock.pending).toBe(0);
    },
  );

  test('a timer needs something to call and a number: one that were NaN would block all others', async () => {
    const nothing: any = undefined;
    expect(await faultsOf(() => clock.setTimeout(nothing, 5))).toMatchObject([{ path: 'callback' }]);
    expect(await faultsOf(() => clock.setTimeout(() => {}, NaN))).toMatchObject([{ path: 'delay', received: 'NaN' }]);
    clock.setTimeout(() => {}, Infinity);
    await clock.advance('100 days');
    expect(clock.pending).toBe(1);
  });
});

interface Fake {
  readonly id: number;
  readonly ended: AbortSignal;
}

describe('ScriptedFactory, where it is given what makes no sense', () => {
  test('all faults of its options are told at once', async () => {
    const options: any = { clock: {}, hooks: ['ping', 'reset', 3], create: 'a client', watch: true };
    expect(await faultsOf(() => new ScriptedFactory(options))).toEqual([
      { path: 'clock', received: '{}', allowed: 'a Clock: an object with setTimeout()' },
      { path: 'hooks[0]', received: "'ping'", allowed: "one of 'keepalive', 'reset', 'isUsable'" },
      { path: 'hooks[2]', received: '3', allowed: "one of 'keepalive', 'reset', 'isUsable'" },
      { path: 'create', received: "'a client'", allowed: 'a function that makes a connection' },
      {
        path: 'watch',
        received: 'a value of type boolean',
        allowed: 'nothing of this name; there are: clock, hooks, create',
      },
    ]);
    const noList: any = { hooks: 'keepalive' };
    expect(await faultsOf(() => new ScriptedFactory(noList))).toEqual([
      {
        path: 'hooks',
        received: "'keepalive'",
        allowed: "a list, each of which is one of 'keepalive', 'reset', 'isUsable'",
      },
    ]);
  });

  test.each<[what: string, behaviour: any, path: string, received: string]>([
    ['misspelt', 'fial', '', "'fial'"],
    ['no behaviour', undefined, '', 'undefined'],
    ['an empty object', {}, '', '{}'],
    ['an unknown outcome', { reject: 1 }, '', '{ reject: 1 }'],
    ['two outcomes', { fail: 1, throw: 2 }, '', '{ fail: 1, throw: 2 }'],
    ['in the past', { after: -1 }, '.after', '-1'],
    ['never', { after: Infinity }, '.after', 'Infinity'],
    ['at no time', { after: undefined, outcome: 'hang' }, '.after', 'undefined'],
    ['later misspelt', { after: 5, outcome: 'fial' }, '.outcome', "'fial'"],
    ['an outcome in the wrong place', { after: 5, fail: FAILURE }, '.fail', 'a value of type object'],
  ])('a behaviour that is %s is refused before it is played', async (_what, behaviour, path, received) => {
    const factory = new ScriptedFactory();
    expect(await faultsOf(() => factory.always('connect', behaviour))).toMatchObject([
      { path: `behaviour${path}`, received },
    ]);
    expect(await faultsOf(() => factory.next('connect', 'succeed', behaviour))).toMatchObject([
      { path: `behaviours[1]${path}`, received },
    ]);
    expect((await factory.connect(contextOf())).id).toBe(1);
  });

  test('says what was called, what it was given and what it takes', () => {
    const behaviour: any = 'fial';
    expect(() => new ScriptedFactory().always('connect', behaviour)).toThrow(
      "Invalid settings of ScriptedFactory.always('connect'):\n  - behaviour: received 'fial'; allowed is 'succeed', " +
        "'hang', 'obey', { fail: error }, { throw: error }, { yield: value } or " +
        '{ after: milliseconds, outcome?: any of these }',
    );
  });

  test('a script for a hook that there is not, or that this factory does not have, is refused', async () => {
    const factory = new ScriptedFactory({ hooks: ['reset'] });
    const misspelt: any = 'conect';
    for (const hook of [misspelt, 'keepalive'] as ScriptedHook[]) {
      const allowed = "one of 'connect', 'reset', 'close', which this factory has; the option \"hooks\" gives it more";
      const fault = [{ path: 'hook', received: `'${hook}'`, allowed }];
      expect(await faultsOf(() => factory.always(hook, 'hang'))).toEqual(fault);
      expect(await faultsOf(() => factory.next(hook, 'hang'))).toEqual(fault);
    }
  });

  test.each<[hook: ScriptedHook, behaviour: Behaviour, path: string, received: string]>([
    ['keepalive', { yield: 5 }, '', '{ yield: 5 }'],
    ['reset', { yield: 5 }, '', '{ yield: 5 }'],
    ['reset', { after: 5, outcome: { after: 5, outcome: { yield: 5 } } }, '.outcome.outcome', '{ yield: 5 }'],
    ['close', { yield: 5 }, '', '{ yield: 5 }'],
    ['close', 'obey', '', "'obey'"],
    ['close', { after: 5, outcome: 'obey' }, '.outcome', "'obey'"],
  ])('what %s cannot do is refused: %j', async (hook, behaviour, path, received) => {
    const factory = new ScriptedFactory({ hooks: ['keepalive', 'reset'] });
    const obey = hook === 'close' ? '' : "'obey', ";
    const allowed =
      `'succeed', 'hang', ${obey}{ fail: error }, { throw: error } or ` +
      '{ after: milliseconds, outcome?: any of these }';
    const fault = { received, allowed };
    expect(await faultsOf(() => factory.always(hook, behaviour))).toEqual([{ path: `behaviour${path}`, ...fault }]);
    expect(await faultsOf(() => factory.next(hook, behaviour))).toEqual([{ path: `behaviours[0]${path}`, ...fault }]);
  });

  test('a next that says nothing is refused', async () => {
    const faults = await faultsOf(() => new ScriptedFactory().next('connect'));
    expect(faults).toMatchObject([
      {
        path: 'behaviours',
        received: '[]',
        allowed: expect.stringMatching(/^a list of at least one, each .* 'succeed'/),
      },
    ]);
  });

  test('a connection dies of an Error, of whatever realm, and of nothing else', async () => {
    const factory = new ScriptedFactory({ create: (id, ended) => ({ id, ended }) });
    const [fake, connection] = [await factory.connect(contextOf()), new ScriptedConnection(1)];
    for (const wrong of ['read ECONNRESET', 5, null, { code: 'ECONNRESET' }] as any[]) {
      const fault = [{ path: 'error', received: expect.any(String), allowed: 'an Error' }];
      expect(await faultsOf(() => factory.kill(fake, wrong))).toEqual(fault);
      expect(await faultsOf(() => connection.die(wrong))).toEqual(fault);
    }
    expect(fake.ended.aborted).toBe(false);
    const foreign: Error = runInNewContext('new Error("foreign")');
    expect(foreign).not.toBeInstanceOf(Error);
    factory.kill(fake, foreign);
    expect(fake.ended.reason).toBe(foreign);
    const next = await factory.connect(contextOf());
    const aborted = new DOMException('gone', 'AbortError');
    factory.kill(next, aborted);
    expect(next.ended.reason).toBe(aborted);
  });

  test('a connection that it has not opened cannot be killed', async () => {
    const stranger = new ScriptedConnection(1);
    const faults = await faultsOf(() => new ScriptedFactory().kill(stranger));
    expect(faults).toMatchObject([{ path: 'connection', allowed: 'a connection that this factory has opened' }]);
  });

  test('times may be written as text', async () => {
    const clock = new VirtualClock();
    const factory = new ScriptedFactory({ clock }).next('connect', { after: '2s', outcome: { after: '1s' } });
    await clock.run(factory.connect(contextOf()));
    expect(clock.now()).toBe(3_000);
  });

  test('what is right for the compiler is right', () => {
    const options: ScriptedFactoryOptions = { clock: undefined, hooks: undefined };
    const scripted: ScriptedFactory = new ScriptedFactory(options);
    const fakes: ScriptedFactory<Fake> = new ScriptedFactory({ create: (id, ended) => ({ id, ended }) });
    const opening: ScriptedFactory<Fake> = new ScriptedFactory({ create: async (id, ended) => ({ id, ended }) });
    const behaviours: Behaviour[] = ['succeed', 'hang', 'obey', { fail: undefined }, { throw: null }, { yield: 0 }];
    for (const factory of [scripted, fakes, opening]) expect(factory.next('connect', ...behaviours)).toBe(factory);
    expect(fakes.next('close', ...behaviours.slice(0, 2), ...behaviours.slice(3, 5))).toBe(fakes);
  });
});
