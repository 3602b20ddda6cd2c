import { once } from 'node:events';
import { connect as dial, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { Inject, Injectable } from '@nestjs/common';
import { ConnectionError, ConnectionFactory, type ConnectContext, type HookContext } from 'nestjs-connection-pool';
import { readLine } from './line-reader.js';
import { MailServer } from './mail-server.js';

/**
 * A connection that takes four steps to open. Each that fails is a connection error which says which it was, so that the
 * pool tries again and the log tells why.
 */
@Injectable()
export class MailConnectionFactory extends ConnectionFactory<TLSSocket> {
  constructor(@Inject(MailServer) private readonly server: MailServer) {
    super();
  }

  async connect({ signal }: ConnectContext): Promise<TLSSocket> {
    const socket = await step('dialling', () => this.dial(signal));
    try {
      await step('reading the greeting', () => expectReply(socket, '220', signal));
      const secure = await step('upgrading to TLS', () => this.upgrade(socket, signal));
      await step('logging in', () => this.logIn(secure, signal));
      return secure;
    } catch (error) {
      // A connect that fails leaves nothing behind.
      socket.destroy();
      throw error;
    }
  }

  override async keepalive(socket: TLSSocket, { signal }: HookContext): Promise<void> {
    await ask(socket, 'NOOP', signal);
  }

  private async dial(signal: AbortSignal): Promise<Socket> {
    const socket = dial({ host: this.server.host, port: this.server.port });
    try {
      await once(socket, 'connect', { signal });
    } catch (error) {
      socket.destroy();
      throw error;
    }
    return socket;
  }

  private async upgrade(socket: Socket, signal: AbortSignal): Promise<TLSSocket> {
    socket.write('STARTTLS\r\n');
    await expectReply(socket, '220', signal);
    const secure = connectTls({ socket, servername: 'localhost', ca: this.server.certificate });
    await once(secure, 'secureConnect', { signal });
    return secure;
  }

  private async logIn(socket: TLSSocket, signal: AbortSignal): Promise<void> {
    const password = process.env['MAIL_PASSWORD'] ?? this.server.password;
    socket.write(`LOGIN\t${this.server.user}\t${password}\r\n`);
    await expectReply(socket, '235', signal);
  }
}

/** Sends a command, and returns the text of the reply. */
export async function ask(socket: TLSSocket, command: string, signal: AbortSignal): Promise<string> {
  socket.write(`${command}\r\n`);
  return expectReply(socket, '250', signal);
}

async function expectReply(socket: Socket, code: string, signal: AbortSignal): Promise<string> {
  const line = await readLine(socket, signal);
  if (!line.startsWith(`${code} `)) throw new Error(`the server says "${line}"`);
  return line.slice(code.length + 1);
}

/** Names the step in the error. */
async function step<T>(name: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    throw new ConnectionError(`${name} failed: ${(cause as Error).message}`, { cause });
  }
}
