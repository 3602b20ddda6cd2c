import { describe, expect, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { ConnectionError } from '../../src/pool/connection-error.js';
import type { ConnectContext } from '../../src/pool/connection-factory.js';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import type { PoolSettings } from '../../src/pool/settings.js';
import { ScriptedConnection, ScriptedFactory, VirtualClock } from '../../src/testing/index.js';
import type { Behaviour, ScriptedFactoryOptions, ScriptedHook } from '../../src/testing/index.js';
import { faultsOf } from './faults.js';

const FAILURE = new Error('scripted');

function contextOf(controller = new AbortController()): ConnectContext {
  return { pool: 'p', attempt: 1, signal: controller.signal };
}

/** How a promise stands after everything has happened that needs no time. */
async function stateOf(promise: Promise<unknown>, clock: VirtualClock): Promise<unknown> {
  let state: unknown = 'pending';
  promise.then(
    (value) => (state = { value }),
    (error: unknown) => (state = { error }),
  );
  await clock.settle();
  return state;
}

describe('ScriptedFactory', () => {
  test('succeeds unless it is told otherwise, and numbers its connections', async () => {
    const factory = new ScriptedFactory();
    const context = contextOf();
    const [one, two] = [await factory.connect(context), await factory.connect(contextOf())];
    expect([one.id, two.id]).toEqual([1, 2]);
    expect([factory.opened, factory.live]).toEqual([
      [one, two],
      [one, two],
    ]);
    await factory.close(one, 'idle');
    expect([factory.closed, one.closedFor, factory.live]).toEqual([
      [{ connection: one, reason: 'idle' }],
      ['idle'],
      [two],
    ]);
    expect(factory.calls).toEqual({ connect: 2, keepalive: 0, reset: 0, close: 1 });
    expect(factory.connectContexts[0]).toBe(context);
  });

  test('does each of the next behaviours once, then the usual one', async () => {
    const clock = new VirtualClock();
    const factory = new ScriptedFactory({ clock });
    factory.always('connect', { fail: FAILURE }).next('connect', 'succeed').next('connect', 'hang', { yield: 5 });
    expect(await stateOf(factory.connect(contextOf()), clock)).toEqual({ value: factory.opened[0] });
    expect(await stateOf(factory.connect(contextOf()), clock)).toBe('pending');
    expect(await stateOf(factory.connect(contextOf()), clock)).toEqual({ value: 5 });
    expect(await stateOf(factory.connect(contextOf()), clock)).toEqual({ error: FAILURE });
    expect(await stateOf(factory.connect(contextOf()), clock)).toEqual({ error: FAILURE });
  });

  test('throws before there is a promise, if it is told to', () => {
    const factory = new ScriptedFactory().next('connect', { throw: FAILURE });
    expect(() => factory.connect(contextOf())).toThrow(FAILURE);
  });

  test('obeys its signal, and rejects with the reason of that', async () => {
    const clock = new VirtualClock();
    const factory = new ScriptedFactory({ clock }).always('connect', 'obey');
    const controller = new AbortController();
    const connecting = factory.connect(contextOf(controller));
    expect(await stateOf(connecting, clock)).toBe('pending');
    controller.abort(FAILURE);
    expect(await stateOf(connecting, clock)).toEqual({ error: FAILURE });
    expect(await stateOf(factory.connect(contextOf(controller)), clock)).toEqual({ error: FAILURE });
  });

  test('obeys without a signal by hanging', async () => {
    const clock = new VirtualClock();
    const factory = new ScriptedFactory({ clock }).next('close', 'obey');
    expect(await stateOf(factory.close(new ScriptedConnection(1), 'idle'), clock)).toBe('pending');
  });

  test.each<[string, Parameters<ScriptedFactory['next']>[1], unknown]>([
    ['succeeds', { after: 100 }, { value: expect.any(ScriptedConnection) }],
    ['fails', { after: 100, outcome: { fail: FAILURE } }, { error: FAILURE }],
    ['fails, where it would have thrown', { after: 100, outcome: { throw: FAILURE } }, { error: FAILURE }],
    ['waits once more', { after: 50, outcome: { after: 50, outcome: { yield: 5 } } }, { value: 5 }],
  ])('%s after a time on its clock', async (_what, behaviour, expected) => {
    const clock = new VirtualClock();
    const factory = new ScriptedFactory({ clock }).next('connect', behaviour);
    const connecting = factory.connect(contextOf());
    await clock.advance(99);
    expect(await stateOf(connecting, clock)).toBe('pending');
    await clock.advance(1);
    expect(await stateOf(connecting, clock)).toEqual(expected);
  });

  test('takes real time without a clock', async () => {
    const factory = new ScriptedFactory().next('connect', { after: 1 });
    expect((await factory.connect(contextOf())).id).toBe(1);
  });

  test('has the hooks that it is given, and no others', async () => {
    const bare = new ScriptedFactory();
    expect([bare.keepalive, bare.reset, bare.isUsable]).toEqual([undefined, undefined, undefined]);
    const full = new ScriptedFactory({ hooks: ['keepalive', 'reset', 'isUsable'] });
    const connection = new ScriptedConnection(1);
    await full.keepalive!(connection, contextOf());
    await full.reset!(connection, contextOf());
    expect(full.calls).toEqual({ connect: 0, keepalive: 1, reset: 1, close: 0 });
    expect(full.isUsable!(connection)).toBe(true);
    connection.usable = false;
    expect(full.isUsable!(connection)).toBe(false);
    connection.usable = FAILURE;
    expect(() => full.isUsable!(connection)).toThrow(FAILURE);
  });

  test("its connections die as sockets do: 'error' if there is one, then 'close'", () => {
    const connection = new ScriptedConnection(1);
    const events: unknown[] = [];
    connection.on('error', (error) => events.push(error)).on('close', () => events.push('close'));
    connection.die();
    connection.die(FAILURE);
    expect(events).toEqual(['close', FAILURE, 'close']);
  });

  test('closes also what is no connection of its own', async () => {
    const factory = new ScriptedFactory().next('connect', { yield: 'a handle' });
    const pool = new ConnectionPool(factory, { size: 1, clock: new VirtualClock() });
    await pool.ready();
    await pool.close();
    expect(factory.closed).toEqual([{ connection: 'a handle', reason: 'shutdown' }]);
    expect(factory.calls.close).toBe(1);
  });

  test('makes a pool that is called scripted', () => {
    expect(new ConnectionPool(new ScriptedFactory()).name).toBe('scripted');
  });
});

/** A client that is no EventEmitter, and knows of its end by the signal alone. */
class FakeClient {
  constructor(
    readonly id: number,
    readonly ended: AbortSignal,
    private readonly clock: VirtualClock,
  ) {}

  async search(): Promise<number> {
    await this.clock.sleep(20, this.ended);
    return this.id;
  }
}

const RESET = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });

/** A pool of fakes, full, and past the second in which a loss would count as a failed connect. */
async function poolOf<C>(create: (id: number, ended: AbortSignal, clock: VirtualClock) => C, settings?: PoolSettings) {
  const clock = new VirtualClock();
  const factory = new ScriptedFactory({ clock, create: (id, ended) => create(id, ended, clock) });
  const pool = new ConnectionPool(factory, { clock, size: 2, reconnect: { jitter: 'none' }, ...settings });
  await clock.run(pool.ready());
  await clock.advance('1s');
  return { clock, factory, pool };
}

const fakeClients = (settings?: PoolSettings) =>
  poolOf((id, ended, clock) => new FakeClient(id, ended, clock), settings);

describe('ScriptedFactory with a client of your own', () => {
  test('opens what create makes, numbered, and pools it', async () => {
    const { factory, pool, clock } = await fakeClients();
    expect(factory.opened.map(({ id }) => id)).toEqual([1, 2]);
    expect(await clock.run(pool.use((client) => client.search()))).toBe(1);
    await clock.run(pool.close());
    expect(factory.closed.map(({ connection, reason }) => [connection.id, reason])).toEqual([
      [2, 'shutdown'],
      [1, 'shutdown'],
    ]);
    expect(factory.live).toEqual([]);
  });

  test('a create that throws makes a connect that fails', async () => {
    const factory = new ScriptedFactory<object>({
      create: () => {
        throw FAILURE;
      },
    });
    expect(() => factory.connect(contextOf())).toThrow(FAILURE);
    expect([factory.opened, factory.live]).toEqual([[], []]);
  });

  test('one that is killed while idle is replaced at once', async () => {
    const { factory, pool, clock } = await fakeClients();
    const [one, two] = factory.opened as [FakeClient, FakeClient];
    factory.kill(one, RESET);
    expect(one.ended.reason).toBe(RESET);
    await clock.settle();
    expect(factory.closed).toEqual([{ connection: one, reason: 'broken' }]);
    expect(factory.live).toEqual([two, factory.opened[2]]);
    expect(pool.stats()).toMatchObject({ idle: 2, totals: { connectFailures: 0 } });
  });

  test('one that is killed in use fails what is under way on it, and is not lent again', async () => {
    const { factory, pool, clock } = await fakeClients();
    const searching = stateOf(
      pool.use((client) => client.search()),
      clock,
    );
    factory.kill(factory.opened[0]!);
    expect(await searching).toEqual({ error: new ConnectionError('The other side closed the connection') });
    await clock.settle();
    expect(factory.closed).toEqual([{ connection: factory.opened[0], reason: 'broken' }]);
  });

  test('one that the pool closes ends too, with the reason of that', async () => {
    const { factory, pool, clock } = await fakeClients({ size: 1 });
    const lease = await pool.acquire();
    const searching = stateOf(lease.connection.search(), clock);
    lease.discard();
    expect(await searching).toEqual({ error: new ConnectionError('The pool closed the connection (broken)') });
    // Nobody is watching any more, and nothing happens to the pool.
    factory.kill(factory.opened[0]!, RESET);
    await clock.settle();
    expect(factory.closed).toHaveLength(1);
  });

  test("an EventEmitter emits 'error', if there is one, and 'close', and the pool hears it", async () => {
    const { factory, clock } = await poolOf(() => new EventEmitter());
    const [one, two] = factory.opened as [EventEmitter, EventEmitter];
    const events: unknown[] = [];
    for (const each of [one, two]) {
      each.on('error', (error) => events.push(error)).on('close', () => events.push('close'));
    }
    factory.kill(one);
    factory.kill(two, RESET);
    await clock.settle();
    expect(events).toEqual(['close', RESET, 'close']);
    expect(factory.closed).toEqual([
      { connection: one, reason: 'broken' },
      { connection: two, reason: 'broken' },
    ]);
  });

  test('a stream is destroyed, and the pool hears it', async () => {
    const { factory, clock } = await poolOf(() => new PassThrough(), { size: 1 });
    const [stream] = factory.opened as [PassThrough];
    factory.kill(stream, RESET);
    await clock.settle();
    expect([stream.destroyed, stream.errored]).toEqual([true, RESET]);
    expect(factory.closed).toEqual([{ connection: stream, reason: 'broken' }]);
  });

  test('the hook isUsable says whether it has been killed', () => {
    const factory = new ScriptedFactory({ hooks: ['isUsable'], create: () => ({}) });
    void factory.connect(contextOf());
    const [connection] = factory.opened as [object];
    expect([factory.isUsable!(connection), factory.isUsable!({})]).toEqual([true, true]);
    factory.kill(connection);
    expect(factory.isUsable!(connection)).toBe(false);
  });

  test('what a script yields is pooled as it is, and nobody tells of its death', async () => {
    const clock = new VirtualClock();
    const factory = new ScriptedFactory({ clock, create: (id) => ({ id }) }).next('connect', { yield: 'a handle' });
    const pool = new ConnectionPool(factory, { clock, size: 1 });
    await clock.run(pool.ready());
    await clock.run(pool.close());
    expect(factory.closed).toEqual([{ connection: 'a handle', reason: 'shutdown' }]);
    expect(factory.opened).toEqual([]);
  });
});

describe('ScriptedFactory, down and up', () => {
  test('all connections die at once, connects are refused, and it is as before when it is up', async () => {
    const { factory, pool, clock } = await fakeClients();
    const [one, two] = factory.opened;
    const waiting = pool.use((client) => client.search());
    factory.down();
    expect(factory.opened.map(({ ended }) => ended.aborted)).toEqual([true, true]);
    await expect(waiting).rejects.toMatchObject({ code: 'ECONNRESET' });
    await clock.advance('5s');
    expect(factory.closed).toEqual([
      { connection: two, reason: 'broken' },
      { connection: one, reason: 'broken' },
    ]);
    expect(pool.stats()).toMatchObject({ open: 0, lastConnectError: { code: 'ECONNREFUSED' } });
    factory.up();
    await clock.advance('10s');
    expect(pool.stats()).toMatchObject({ idle: 2, downSince: undefined });
  });

  test('down and up in one go is a restart', async () => {
    const { factory, pool, clock } = await fakeClients();
    factory.down();
    factory.up();
    await clock.settle();
    // The first of them asked while it was down.
    await clock.advance(100);
    expect(factory.closed.map(({ reason }) => reason)).toEqual(['broken', 'broken']);
    await clock.advance('1s');
    expect(pool.stats()).toMatchObject({ idle: 2, downSince: undefined });
  });

  test('a connect that is under way fails too, unless it hangs; what was said of the next ones is kept', async () => {
    const clock = new VirtualClock();
    const factory = new ScriptedFactory({ clock }).next('connect', { after: 100 }, 'hang');
    const [slow, hanging] = [factory.connect(contextOf()), factory.connect(contextOf())];
    factory.next('connect', { yield: 5 }).down(FAILURE);
    expect(await stateOf(factory.connect(contextOf()), clock)).toEqual({ error: FAILURE });
    const outcome = stateOf(slow, clock);
    await clock.advance(100);
    expect([await outcome, await stateOf(hanging, clock)]).toEqual(['pending', 'pending']);
    expect(await stateOf(slow, clock)).toEqual({ error: FAILURE });
    factory.up();
    expect(await stateOf(factory.connect(contextOf()), clock)).toEqual({ value: 5 });
    expect(factory.calls.connect).toBe(4);
  });

  test('ScriptedConnections die in it as well', async () => {
    const factory = new ScriptedFactory();
    const connection = await factory.connect(contextOf());
    const events: unknown[] = [];
    connection.on('error', (error) => events.push(error)).on('close', () => events.push('close'));
    factory.down();
    expect(events).toEqual([RESET, 'close']);
  });
});

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
      "Invalid settings of ScriptedFactory.always():\n  - behaviour: received 'fial'; allowed is 'succeed', 'hang', 'obey', " +
        '{ fail: error }, { throw: error }, { yield: value } or { after: milliseconds, outcome?: any of these }',
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
    const fakes: ScriptedFactory<FakeClient> = new ScriptedFactory({
      create: (id, ended) => new FakeClient(id, ended, new VirtualClock()),
    });
    const behaviours: Behaviour[] = ['succeed', 'hang', 'obey', { fail: undefined }, { throw: null }, { yield: 0 }];
    expect([scripted.next('connect', ...behaviours), fakes.next('close', ...behaviours)]).toEqual([scripted, fakes]);
  });
});
