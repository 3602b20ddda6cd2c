import { describe, expect, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import { PassThrough } from 'node:stream';
import { ConnectionError } from '../../src/pool/connection-error.js';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import type { PoolSettings } from '../../src/pool/settings.js';
import { ScriptedFactory, VirtualClock } from '../../src/testing/index.js';
import { FAILURE, contextOf, stateOf } from './scripted-calls.js';

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
async function poolOf<C>(
  create: (id: number, ended: AbortSignal, clock: VirtualClock) => C | Promise<C>,
  settings?: PoolSettings,
) {
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

  test('a create that takes its time is awaited: what it makes is opened, and can be killed', async () => {
    const { factory, pool, clock } = await poolOf(async (id, ended, time) => {
      // The first is there last.
      await time.sleep(id === 1 ? 20 : 10);
      return new FakeClient(id, ended, time);
    });
    expect(factory.opened.map(({ id }) => id)).toEqual([2, 1]);
    factory.kill(factory.opened[0]!, RESET);
    await clock.run(pool.ready());
    expect(factory.closed).toEqual([{ connection: factory.opened[0], reason: 'broken' }]);
    await clock.advance(10);
    expect(factory.live.map(({ id }) => id)).toEqual([1, 3]);
  });

  test('a create that rejects makes a connect that fails, and the next has another number', async () => {
    const ids: number[] = [];
    const create = async (id: number): Promise<object> => {
      ids.push(id);
      if (id === 1) throw FAILURE;
      return {};
    };
    const factory = new ScriptedFactory({ create });
    await expect(factory.connect(contextOf())).rejects.toBe(FAILURE);
    expect(factory.opened).toEqual([]);
    const connection = await factory.connect(contextOf());
    expect([factory.opened, ids]).toEqual([[connection], [1, 2]]);
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

  test('a create that is under way comes to nothing, and what it was making is told so', async () => {
    const clock = new VirtualClock();
    let ended: AbortSignal | undefined;
    const create = async (id: number, signal: AbortSignal): Promise<FakeClient> => {
      ended = signal;
      await clock.sleep(20);
      return new FakeClient(id, signal, clock);
    };
    const factory = new ScriptedFactory({ clock, create });
    const connecting = factory.connect(contextOf());
    factory.down(FAILURE);
    await expect(clock.run(connecting)).rejects.toBe(FAILURE);
    expect([factory.opened, ended?.reason]).toEqual([[], FAILURE]);
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
