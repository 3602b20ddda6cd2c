import { once } from 'node:events';
import { connect } from 'node:net';
import { Inject, Injectable } from '@nestjs/common';
import { ConnectionFactory, type CloseReason, type ConnectContext } from 'nestjs-connection-pool';
import { StoreClient } from './store-client.js';
import { StoreProcess } from './store-process.js';

/** How a connection to the store lives. */
@Injectable()
export class StoreConnectionFactory extends ConnectionFactory<StoreClient> {
  constructor(@Inject(StoreProcess) private readonly store: StoreProcess) {
    super();
  }

  /** Dial, read the greeting, log in. */
  async connect({ signal }: ConnectContext): Promise<StoreClient> {
    const socket = connect({ host: this.store.host, port: this.store.port, noDelay: true, signal });
    await once(socket, 'connect', { signal });
    const client = new StoreClient(socket);
    try {
      await client.readLine();
      await client.send(`LOGIN ${this.store.token}`);
    } catch (error) {
      // A connect that fails leaves nothing behind.
      socket.destroy();
      throw error;
    }
    return client;
  }

  override async keepalive(client: StoreClient): Promise<void> {
    await client.send('PING');
  }

  override isUsable({ socket }: StoreClient): boolean {
    return !socket.destroyed && socket.writable && socket.readable;
  }

  override watch({ socket }: StoreClient, broken: (error?: unknown) => void): () => void {
    const onClose = (): void => broken();
    socket.on('error', broken);
    socket.on('close', onClose);
    return () => {
      socket.off('error', broken);
      socket.off('close', onClose);
    };
  }

  override async close(client: StoreClient, reason: CloseReason): Promise<void> {
    if (reason === 'broken') client.socket.destroy();
    else await client.quit();
  }
}
