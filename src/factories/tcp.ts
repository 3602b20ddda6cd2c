import type { Socket } from 'node:net';
import type { ConnectContext } from '../pool/connection-factory.js';
import type { Fault } from '../pool/rules.js';
import { ConfiguredConnectionFactory } from './client/configured-connection-factory.js';
import { dial, dialFaults, type DialOptions } from './client/dial.js';
import { opening } from './client/opening.js';

export type { OptionsSource } from './client/configured-connection-factory.js';

/** Where to dial, and what the socket is like. What else `net.connect` takes may be given too. */
export type TcpConnectionOptions = DialOptions;

/**
 * Plain TCP connections, or those of a Unix socket. Extend it for the protocol that is spoken on them: {@link handshake} for
 * the greeting and the login, `keepalive` for a ping.
 *
 * TCP itself has no ping: whether the other side still answers only its protocol can tell.
 *
 * @example
 * class EchoConnectionFactory extends TcpConnectionFactory {
 *   constructor(config: ConfigService) {
 *     super({ host: config.get('ECHO_HOST'), port: 7 });
 *   }
 * }
 */
export class TcpConnectionFactory<
  O extends TcpConnectionOptions = TcpConnectionOptions,
> extends ConfiguredConnectionFactory<Socket, O> {
  protected override async open(options: O, { signal }: ConnectContext): Promise<Socket> {
    const socket = await dial(options, signal);
    await opening(
      signal,
      async () => this.handshake?.(socket, signal),
      (reason) => socket.destroy(reason),
    );
    return socket;
  }

  protected override faultsOf(options: O): Fault[] {
    return dialFaults(options);
  }

  /** What both sides say before the connection is of use. If it throws, the connect has failed, and the socket is destroyed. */
  protected handshake?(socket: Socket, signal: AbortSignal): void | Promise<void>;
}
