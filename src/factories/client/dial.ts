import { connect, type Socket, type SocketConnectOpts, type TcpSocketConnectOpts } from 'node:net';
import { ConnectionError } from '../../pool/connection-error.js';
import { describeValue, type Fault } from '../../pool/rules.js';
import { ignoreErrors } from './death.js';
import { opening } from './opening.js';

/** Where to dial, and what the socket is like. What else `net.connect` takes may be given too. */
export interface DialOptions extends Omit<Partial<TcpSocketConnectOpts>, 'port' | 'keepAliveInitialDelay'> {
  /** Default: `localhost`. */
  readonly host?: string;
  readonly port?: number;
  /** Of a Unix socket, instead of host and port. */
  readonly path?: string;
  /** TCP_NODELAY: what is written is sent at once. Default: true, for most of what is pooled asks and waits for an answer. */
  readonly noDelay?: boolean;
  /** SO_KEEPALIVE: the system finds out, after minutes, that the other side is gone. Default: true. */
  readonly keepAlive?: boolean;
  /** How long a socket is silent before the system asks, in milliseconds. Default: 10 s. */
  readonly keepAliveInitialDelay?: number;
}

/** What is wrong if it is not said where to dial. */
export function dialFaults({ port, path }: DialOptions): Fault[] {
  if (path !== undefined || port !== undefined) return [];
  const allowed = 'a port number, or `path`, of a Unix socket';
  return [{ path: 'port', received: describeValue(port), allowed }];
}

/** A socket that dials, as these options say. */
export function socketFor(options: DialOptions): Socket {
  const defaults = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 };
  const socket = connect({ ...defaults, ...options } as SocketConnectOpts);
  ignoreErrors(socket);
  return socket;
}

/** A connected socket. Given up by the signal it is destroyed. */
export function dial(options: DialOptions, signal: AbortSignal): Promise<Socket> {
  const socket = socketFor(options);
  return opening(
    signal,
    () => connected(socket, 'connect'),
    (reason) => socket.destroy(reason),
  );
}

/** Resolves when the socket has got so far; rejects with what kept it from that. */
export function connected<S extends Socket>(socket: S, event: 'connect' | 'secureConnect'): Promise<S> {
  return new Promise((resolve, reject) => {
    const over = (settle: () => void): void => {
      socket.removeListener(event, onConnect);
      socket.removeListener('error', onError);
      socket.removeListener('close', onClose);
      settle();
    };
    const onConnect = (): void => over(() => resolve(socket));
    const onError = (error: Error): void => over(() => reject(error));
    const onClose = (): void =>
      over(() => reject(new ConnectionError('The connection was closed before it was of use')));
    socket.on(event, onConnect);
    socket.on('error', onError);
    socket.on('close', onClose);
  });
}
