import { expect, test } from '@jest/globals';
import { Socket } from 'node:net';
import { connected } from '../../../src/factories/client/dial.js';

test('a socket that closes without a word before it is connected is an error, and keeps no listeners', async () => {
  const socket = new Socket();
  const listeners = socket.eventNames();
  const connecting = connected(socket, 'connect');
  socket.destroy();
  await expect(connecting).rejects.toThrow('The other side closed the connection');
  expect(socket.eventNames()).toEqual(listeners);
});
