import { isIP, type Socket } from 'node:net';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { ConnectionError } from '../pool/connection-error.js';
import type { ConnectContext } from '../pool/connection-factory.js';
import type { Fault } from '../pool/rules.js';
import { ConfiguredConnectionFactory } from './client/configured-connection-factory.js';
import { connected, dial, dialFaults, type DialOptions } from './client/dial.js';
import { ignoreErrors } from './client/death.js';
import { opening } from './client/opening.js';

export type { OptionsSource } from './client/configured-connection-factory.js';

/** Where to dial, what the socket is like, and what `tls.connect` takes: `ca`, `cert`, `key`, `rejectUnauthorized` … */
export interface TlsConnectionOptions extends DialOptions, Omit<ConnectionOptions, 'socket' | keyof DialOptions> {
  /** Whose certificate is expected, and asked for (SNI). Default: `host`, unless that is an address. */
  readonly servername?: string;
}

/**
 * TLS connections. Extend it for the protocol that is spoken on them: {@link beforeTls} for what is said in plaintext first
 * (STARTTLS), {@link handshake} for what comes after (greeting, login), `keepalive` for a ping.
 *
 * @example
 * class MailConnectionFactory extends TlsConnectionFactory {
 *   constructor() {
 *     super({ host: 'mail.example.org', port: 143 });
 *   }
 *
 *   protected override async beforeTls(socket: Socket) {
 *     await greeting(socket);
 *     socket.write('a STARTTLS\r\n');
 *     await answer(socket, 'a OK');
 *   }
 * }
 */
export class TlsConnectionFactory<
  O extends TlsConnectionOptions = TlsConnectionOptions,
> extends ConfiguredConnectionFactory<TLSSocket, O> {
  protected override async open(options: O, { signal }: ConnectContext): Promise<TLSSocket> {
    const plain = await dial(options, signal);
    let socket: Socket = plain;
    return opening(
      signal,
      async () => {
        await this.beforeTls?.(plain, signal);
        assertFitForTls(plain);
        const secure = connect({ ...tlsOptions(options), socket: plain });
        ignoreErrors(secure);
        socket = secure;
        await connected(secure, 'secureConnect');
        await this.handshake?.(secure, signal);
        return secure;
      },
      (reason) => {
        socket.destroy(reason);
        plain.destroy();
      },
    );
  }

  protected override faultsOf(options: O): Fault[] {
    return dialFaults(options);
  }

  /** What both sides say in plaintext before TLS begins. It must read all that the other side says, and no more. */
  protected beforeTls?(socket: Socket, signal: AbortSignal): void | Promise<void>;

  /** What both sides say before the connection is of use. If it throws, the connect has failed, and the socket is destroyed. */
  protected handshake?(socket: TLSSocket, signal: AbortSignal): void | Promise<void>;
}

function tlsOptions(options: TlsConnectionOptions): ConnectionOptions {
  const { host = 'localhost', servername = isIP(host) === 0 ? host : '', path: _, ...rest } = options;
  return { ...rest, host, servername };
}

/**
 * On a socket that is gone TLS would neither begin nor fail. And what arrived in plaintext must not pass for something that was
 * said under TLS: whoever sits in between could have put it there (the STARTTLS injection of CVE-2011-0411).
 */
function assertFitForTls(plain: Socket): void {
  const isAlive = !plain.destroyed && plain.readable && plain.writable;
  if (!isAlive) throw new ConnectionError('The other side closed the connection before TLS began');
  if (plain.readableLength === 0) return;
  throw new ConnectionError(`There are ${plain.readableLength} bytes in plaintext that nobody read before TLS began`);
}
