import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import { ConnectionFactory, type ConnectContext, type HookContext } from 'nestjs-connection-pool';
import { IdleServer } from './idle-server.js';

/** No keepalive at all. */
@Injectable()
export class PlainFactory extends ConnectionFactory<Socket> {
  constructor(@Inject(IdleServer) private readonly server: IdleServer) {
    super();
  }

  async connect({ signal }: ConnectContext): Promise<Socket> {
    const socket = connect({ host: this.server.host, port: this.server.port, noDelay: true, signal });
    await once(socket, 'connect', { signal });
    return socket;
  }
}

/** Keepalive by TCP: the kernels ask each other every half second whether they are there. */
@Injectable()
export class TcpKeepaliveFactory extends PlainFactory {
  override async connect(context: ConnectContext): Promise<Socket> {
    const socket = await super.connect(context);
    return socket.setKeepAlive(true, 500);
  }
}

/** Keepalive by the application: the pool says something, and hears an answer. */
@Injectable()
export class PingingFactory extends PlainFactory {
  override async keepalive(socket: Socket, { signal }: HookContext): Promise<void> {
    socket.write('ping');
    await once(socket, 'data', { signal });
  }
}
