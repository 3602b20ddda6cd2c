import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { Injectable } from '@nestjs/common';
import { ConnectionError, ConnectionFactory, type ConnectContext } from 'nestjs-connection-pool';
import { EchoServer } from './echo.server.js';

@Injectable()
export class EchoConnectionFactory extends ConnectionFactory<Socket> {
  constructor(private readonly server: EchoServer) {
    super();
  }

  async connect({ signal }: ConnectContext): Promise<Socket> {
    const socket = connect({ port: await this.server.port(), host: '127.0.0.1', signal });
    await once(socket, 'connect');
    return socket;
  }

  override async keepalive(socket: Socket): Promise<void> {
    await ask(socket, 'ping');
  }
}

/** Sends a line and waits for the one that comes back. */
export async function ask(socket: Socket, line: string): Promise<string> {
  const ended = new AbortController();
  socket.once('close', () => ended.abort());
  socket.write(`${line}\n`);
  try {
    const [reply] = (await once(socket, 'data', { signal: ended.signal })) as [Buffer];
    return reply.toString().trim();
  } catch (error) {
    throw new ConnectionError('the echo service hung up', { cause: error });
  }
}
