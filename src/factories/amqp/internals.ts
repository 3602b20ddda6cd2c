import type { Socket } from 'node:net';
import type { Channel, ChannelModel, ConfirmChannel } from 'amqplib';
import { ConnectionError } from '../../pool/connection-error.js';

/** What the client does not show of a connection. */
interface ConnectionInternals {
  readonly stream: Socket;
  readonly blocked: boolean;
}

/** Nor of a channel. */
interface ChannelInternals {
  /** What waits for the next answer. */
  readonly reply: unknown;
  readonly consumers: ReadonlyMap<string, unknown>;
}

/** What it calls back when the server confirms what was published, in order; null once that is done, though one before it is not. */
interface ConfirmChannelInternals {
  readonly unconfirmed: readonly unknown[];
}

export function socketOf({ connection }: ChannelModel): Socket {
  return (connection as unknown as ConnectionInternals).stream;
}

/** Short of memory or disk the server reads no more from those that publish, and answers them nothing: it lives all the same. */
export function isBlocked({ connection }: ChannelModel | Channel): boolean {
  return (connection as unknown as ConnectionInternals).blocked;
}

/** The tags of a channel's consumers, as far as the server has answered. */
export function consumersOf(channel: Channel): string[] {
  return [...(channel as unknown as ChannelInternals).consumers.keys()];
}

/** Whether the server owes an answer. */
export function isAsking(channel: Channel): boolean {
  return (channel as unknown as ChannelInternals).reply !== null;
}

/** Whether the server has yet to confirm, or to refuse, something that was published. */
export function isUnconfirmed(channel: ConfirmChannel): boolean {
  return (channel as unknown as ConfirmChannelInternals).unconfirmed.some((each) => each !== null);
}

const closing = new WeakSet<Channel | ChannelModel>();

/** @throws Error if its borrower has begun to close it */
export function refuseIfClosing(each: Channel | ChannelModel): void {
  if (closing.has(each)) throw new Error('It came back though its borrower had begun to close it');
}

/** The client's own close() would never settle if the connection dies before the server has answered. */
export function settleClose(each: Channel | ChannelModel): void {
  const close = each.close.bind(each);
  each.close = () => {
    closing.add(each);
    const closed = new Promise<void>((resolve, reject) => {
      close().then(resolve, reject);
      const error = new ConnectionError('The connection was closed before the server had confirmed the end');
      // The event comes at once after the answer, if there is one.
      each.once('close', () => setImmediate(reject, error));
    });
    // Whoever does not wait for it need not hear of it.
    closed.catch(() => {});
    return closed;
  };
}

/** Closes the channel, unless it is being closed; resolves when it is. */
export function ended(channel: Channel): Promise<void> {
  return new Promise((resolve) => {
    channel.once('close', () => resolve());
    void channel.close();
  });
}
