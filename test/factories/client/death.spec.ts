import { describe, expect, jest, test } from '@jest/globals';
import { EventEmitter } from 'node:events';
import { ignoreErrors, orDeath, watchDeath } from '../../../src/factories/client/death.js';
import { ConnectionError } from '../../../src/index.js';

const CAUSE = new Error('reset');

describe('watching for the death of a client', () => {
  test('tells of it with the error that was emitted before', () => {
    const [client, broken] = [new EventEmitter(), jest.fn()];
    watchDeath(client, ['end', 'close'], broken);
    client.emit('error', CAUSE);
    expect(broken).not.toHaveBeenCalled();
    client.emit('close', true);
    expect(broken.mock.calls).toEqual([[CAUSE]]);
  });

  test('or with what the event itself says, or with nothing', () => {
    const [client, broken] = [new EventEmitter(), jest.fn()];
    watchDeath(client, ['end', 'close'], broken);
    client.emit('end');
    client.emit('close', CAUSE);
    expect(broken.mock.calls).toEqual([[undefined], [CAUSE]]);
  });

  test('leaves no listener behind when it is stopped', () => {
    const [client, broken] = [new EventEmitter(), jest.fn()];
    watchDeath(client, ['end', 'close'], broken)();
    expect(client.eventNames()).toEqual([]);
  });

  test('an error that nobody else hears ends no process', () => {
    const client = new EventEmitter();
    expect(() => client.emit('error', CAUSE)).toThrow();
    ignoreErrors(client);
    expect(() => client.emit('error', CAUSE)).not.toThrow();
  });
});

describe('a call that a dead client would leave unanswered', () => {
  test('is answered if the client lives', async () => {
    const client = new EventEmitter();
    await expect(orDeath(client, 'close', 'the answer came', Promise.resolve(7))).resolves.toBe(7);
    expect(client.eventNames()).toEqual([]);
  });

  test('fails with its own error', async () => {
    await expect(orDeath(new EventEmitter(), 'close', 'the answer came', Promise.reject(CAUSE))).rejects.toBe(CAUSE);
  });

  test('fails with a connection error if the client dies', async () => {
    const client = new EventEmitter();
    const asked = orDeath(client, 'close', 'the answer came', new Promise(() => {}));
    client.emit('close', CAUSE);
    await expect(asked).rejects.toThrow(ConnectionError);
    await expect(asked).rejects.toMatchObject({
      message: 'The connection was closed before the answer came',
      cause: CAUSE,
    });
    expect(client.eventNames()).toEqual([]);
  });
});
