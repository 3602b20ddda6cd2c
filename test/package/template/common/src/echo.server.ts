import { createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { Injectable, Module, type OnApplicationShutdown } from '@nestjs/common';

/** A service for the application to talk to: it sends back every line, but cuts whoever says "flaky" off once. */
@Injectable()
export class EchoServer implements OnApplicationShutdown {
  private server?: Server;
  private flaky = true;

  async port(): Promise<number> {
    if (this.server === undefined) {
      this.server = createServer((socket) => {
        socket.on('error', () => undefined);
        createInterface(socket).on('line', (line) => {
          if (line === 'flaky' && this.flaky) {
            this.flaky = false;
            socket.resetAndDestroy();
          } else {
            socket.write(`${line}\n`);
          }
        });
      });
      this.server.listen(0, '127.0.0.1');
    }
    if (!this.server.listening) await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  onApplicationShutdown(): void {
    // Not awaited: the pool's connections are closed after this.
    this.server?.close();
  }
}

@Module({ providers: [EchoServer], exports: [EchoServer] })
export class EchoServerModule {}
