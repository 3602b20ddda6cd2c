import { EventEmitter } from 'node:events';
import { expect, test } from '@jest/globals';
import { guardListeners, takeOffListeners } from '../../../src/factories/client/listeners.js';

const hear = (): void => {};

/** What the guard itself listens to. */
const OURS = ['newListener', 'removeListener'];

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
  expect(client.eventNames()).toEqual(['news', 'end', ...OURS]);
  expect(client.listenerCount('newListener')).toBe(1);
});

test('what is gone by itself is not brought back', () => {
  const client = new EventEmitter();
  client.once('ready', hear);
  guardListeners(client, () => {});
  client.emit('ready');
  client.on('news', () => {});
  takeOffListeners(client);
  expect(client.eventNames()).toEqual(OURS);
});

test.each([
  ['one', (client: EventEmitter) => client.removeListener('news', hear)],
  ['all to an event', (client: EventEmitter) => client.removeAllListeners('news')],
  ['all', (client: EventEmitter) => client.removeAllListeners()],
])('puts back what a borrower took off: %s', (_, takeOff) => {
  const client = new EventEmitter();
  client.on('news', hear).on('error', hear);
  guardListeners(client, () => {});
  const own = client.eventNames().map((event) => client.rawListeners(event));
  for (let lease = 0; lease < 2; lease++) {
    takeOff(client);
    client.on('news', () => {});
    takeOffListeners(client);
    expect(client.eventNames().map((event) => client.rawListeners(event))).toEqual(expect.arrayContaining(own));
    expect(client.listenerCount('news')).toBe(1);
  }
});

test('leaves alone the events that are excepted', () => {
  const client = new EventEmitter();
  guardListeners(client, () => {}, ['drain']);
  client.on('drain', hear).on('news', hear);
  takeOffListeners(client);
  expect(client.eventNames()).toEqual([...OURS, 'drain']);
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
