import { expect, test } from '@jest/globals';
import { Socket } from 'node:net';
import { ConnectionError } from '../../../src/index.js';
import { connected } from '../../../src/factories/client/dial.js';

test('a socket that closes without a word before it is connected is an error, and keeps no listeners', async () => {
  const socket = new Socket();
  const listeners = socket.eventNames();
  const connecting = connected(socket, 'connect');
  socket.destroy();
  await expect(connecting).rejects.toThrow(new ConnectionError('The connection was closed before it was of use'));
  expect(socket.eventNames()).toEqual(listeners);
});
