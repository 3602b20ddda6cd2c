import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';

/** Where Node tells of each socket as `net.connect` makes it. */
const CHANNEL = 'net.client.socket';

/** In the course of whose work something happens. */
const worker = new AsyncLocalStorage<object>();

/**
 * Does work, and tells meanwhile of each socket that it dials by `net.connect`: some clients show theirs to nobody, and leave
 * it open when they fail. A socket is told of before it dials, and one that is destroyed at that very moment dials all the same.
 */
export async function noticingSockets<T>(work: () => Promise<T>, notice: (socket: Socket) => void): Promise<T> {
  const self = {};
  const onSocket = (message: unknown): void => {
    if (worker.getStore() === self) notice((message as { readonly socket: Socket }).socket);
  };
  subscribe(CHANNEL, onSocket);
  try {
    return await worker.run(self, work);
  } finally {
    unsubscribe(CHANNEL, onSocket);
  }
}
