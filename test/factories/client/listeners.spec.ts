import { EventEmitter } from 'node:events';
import { expect, test } from '@jest/globals';
import { guardListeners, takeOffListeners } from '../../../src/factories/client/listeners.js';

const hear = (): void => {};

test('takes off what was added since, whichever way it was, and nothing that was there before', () => {
  const client = new EventEmitter();
  client.on('news', hear).once('end', hear);
  guardListeners(client, () => {});
  const own = client.rawListeners('end');
  client
    .on('news', () => {})
    .once('end', () => {})
    .prependOnceListener('news', () => {});
  client.on('error', () => {}).on('newListener', () => {});
  takeOffListeners(client);
  expect(client.rawListeners('news')).toEqual([hear]);
  expect(client.rawListeners('end')).toEqual(own);
  expect(client.eventNames()).toEqual(['news', 'end', 'newListener']);
  expect(client.listenerCount('newListener')).toBe(1);
});

test('what is gone by itself is not brought back', () => {
  const client = new EventEmitter();
  client.once('ready', hear);
  guardListeners(client, () => {});
  client.emit('ready');
  client.on('news', () => {});
  takeOffListeners(client);
  expect(client.eventNames()).toEqual(['newListener']);
});

test('leaves alone the events that are excepted', () => {
  const client = new EventEmitter();
  guardListeners(client, () => {}, ['drain']);
  client.on('drain', hear).on('news', hear);
  takeOffListeners(client);
  expect(client.eventNames()).toEqual(['newListener', 'drain']);
});

test('leaves alone a client that is watched no more, and one that never was', () => {
  let isWatched = true;
  const client = new EventEmitter();
  const stop = guardListeners(client, () => (isWatched = false));
  client.on('news', hear);
  stop();
  takeOffListeners(client);
  expect(client.eventNames()).toEqual(['news']);
  expect(isWatched).toBe(false);
  const other = new EventEmitter().on('news', hear);
  takeOffListeners(other);
  expect(other.eventNames()).toEqual(['news']);
});
