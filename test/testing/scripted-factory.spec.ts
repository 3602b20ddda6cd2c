import { describe, expect, test } from '@jest/globals';
import { runInNewContext } from 'node:vm';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import { ScriptedConnection, ScriptedFactory, VirtualClock } from '../../src/testing/index.js';
import { FAILURE, contextOf, stateOf } from './scripted-calls.js';

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
    // As Node's own errors are to a test in jest.
    connection.usable = runInNewContext('new Error("foreign")');
    expect(() => full.isUsable!(connection)).toThrow('foreign');
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
