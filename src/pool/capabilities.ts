import type { CloseReason } from './connection-factory.js';
import { silence } from './hook-call.js';

/** What can be asked of a connection about which its factory says nothing. Told by its shape, never by its class. */

export interface StreamLike {
  readonly destroyed: boolean;
  readonly readable?: boolean;
  readonly writable?: boolean;
  readonly readableLength?: number;
  readonly closed?: boolean;
  readonly bytesRead?: number;
  readonly encrypted?: boolean;
  listenerCount?(event: string): number;
  destroy(): unknown;
}

export interface EmitterLike {
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  removeListener(event: string, listener: (...args: unknown[]) => void): unknown;
}

type Methods = Partial<Record<PropertyKey, () => unknown>>;

export function isStream(connection: unknown): connection is StreamLike {
  return hasShape(connection, ({ destroyed, destroy, read, write }) => {
    const flows = typeof read === 'function' || typeof write === 'function';
    return typeof destroyed === 'boolean' && typeof destroy === 'function' && flows;
  });
}

export function isEmitter(connection: unknown): connection is EmitterLike {
  return hasShape(
    connection,
    ({ on, emit, removeListener }) =>
      typeof on === 'function' && typeof emit === 'function' && typeof removeListener === 'function',
  );
}

/** An object that throws when it is asked for what it does not have (some Proxies do) has no shape of ours. */
function hasShape(connection: unknown, test: (members: Record<string, unknown>) => boolean): boolean {
  try {
    return isObject(connection) && test(connection as Record<string, unknown>);
  } catch {
    return false;
  }
}

/** How much a stream had received when it became idle. What it has beyond that at the next borrow, nobody asked for. */
export interface Reception {
  /** Bytes that lay there unread. */
  readonly unread: number;
  /** All bytes ever, of a plain socket to which nobody listens; it may let them flow away unread. */
  readonly received: number;
}

export function receptionOf(stream: StreamLike): Reception {
  return { unread: stream.readableLength ?? 0, received: bytesUnheard(stream) ?? Infinity };
}

/** Alive, and with no bytes that arrived while it was idle and that nobody has read. */
export function isUsableStream(stream: StreamLike, before: Reception | undefined): boolean {
  // A stream of one direction has no `readable` or no `writable` at all.
  if (stream.destroyed || stream.readable === false || stream.writable === false) return false;
  if (before === undefined) return true;
  return (stream.readableLength ?? 0) <= before.unread && (bytesUnheard(stream) ?? 0) <= before.received;
}

/**
 * After `once('data')` a socket goes on flowing, and what then arrives is thrown away: only its counter tells. With TLS the
 * counter tells nothing, for session tickets come at any time.
 */
function bytesUnheard(stream: StreamLike): number | undefined {
  // First, for most have somebody who listens, and the counter is asked of the operating system's side of the socket.
  if (stream.encrypted === true || stream.listenerCount?.('data') !== 0) return undefined;
  return typeof stream.bytesRead === 'number' ? stream.bytesRead : undefined;
}

/** Calls back at the connection's death; returns what stops that. Undefined if the connection cannot tell. */
export function watchEmitter(connection: unknown, broken: (error?: unknown) => void): (() => void) | undefined {
  if (!isEmitter(connection)) return undefined;
  const onError = (error: unknown): void => broken(error);
  const onEnd = (): void => broken();
  connection.on('error', onError);
  connection.on('end', onEnd);
  connection.on('close', onEnd);
  return () => {
    connection.removeListener('error', onError);
    connection.removeListener('end', onEnd);
    connection.removeListener('close', onEnd);
  };
}

const ignore = (): void => {};

/** Those that have the listener: a client that can connect again comes back as the same object. */
const tolerated = new WeakSet<object>();

/** Stays on the connection for good, so that no late 'error' becomes an uncaught exception. */
export function tolerateErrors(connection: unknown): void {
  if (!isEmitter(connection) || tolerated.has(connection)) return;
  tolerated.add(connection);
  try {
    connection.on('error', ignore);
  } catch {
    // Then it is no EventEmitter that anybody could use.
  }
}

const ABRUPT = ['destroy', 'terminate', 'disconnect', Symbol.dispose, Symbol.asyncDispose, 'close', 'end', 'quit'];
const POLITE = ['quit', 'end', Symbol.asyncDispose, Symbol.dispose, 'close', 'destroy'];

/** Closes by the first suitable method that the connection has; nothing if it has none. */
export function closeByShape(connection: unknown, reason: CloseReason): unknown {
  const methods = methodsOf(connection);
  const name = (reason === 'broken' ? ABRUPT : POLITE).find((each) => typeof methods[each] === 'function');
  if (name === undefined) return undefined;
  if (reason === 'broken' || !isStream(connection) || !isEmitter(connection)) return methods[name]?.();
  return connection.closed === true ? undefined : closeStream(connection, name);
}

/** The last resort; false if the connection has no destroy(). */
export function destroy(connection: unknown): boolean {
  try {
    const methods = methodsOf(connection);
    if (typeof methods['destroy'] !== 'function') return false;
    silence(methods['destroy']());
  } catch {
    // It had its chance; the slot is free all the same.
  }
  return true;
}

/** A stream is closed when it says so, not when its method returns. */
function closeStream(stream: EmitterLike, method: PropertyKey): Promise<void> {
  const methods = methodsOf(stream);
  return new Promise((resolve) => {
    const onClose = (): void => {
      stream.removeListener('close', onClose);
      resolve();
    };
    stream.on('close', onClose);
    try {
      silence(methods[method]?.());
    } catch {
      // Its end is awaited all the same; if that does not come, it is destroyed.
    }
    // A stream that still has unread bytes never gets to its end, and so never closes, unless they are read away.
    methods['resume']?.();
  });
}

function methodsOf(connection: unknown): Methods {
  return isObject(connection) ? connection : {};
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
