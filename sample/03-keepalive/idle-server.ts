import { createServer, type AddressInfo, type Server } from 'node:net';
import type { OnApplicationShutdown } from '@nestjs/common';

/** The server drops a connection on which nothing was said for so long, in milliseconds. */
export const IDLE_LIMIT = 2_000;

/** Echoes, and drops idle connections, as many servers, proxies and firewalls do. */
export class IdleServer implements OnApplicationShutdown {
  readonly host = '127.0.0.1';
  port = 0;
  private server: Server | undefined;

  static async launch(): Promise<IdleServer> {
    const idle = new IdleServer();
    idle.server = createServer((socket) => {
      socket.on('error', () => {});
      // What counts is what is said: a TCP keepalive probe is answered by the kernel, and never gets here.
      socket.setTimeout(IDLE_LIMIT, () => socket.resetAndDestroy());
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => idle.server?.listen(0, idle.host, resolve));
    idle.port = (idle.server.address() as AddressInfo).port;
    return idle;
  }

  onApplicationShutdown(): void {
    this.server?.close();
  }
}
