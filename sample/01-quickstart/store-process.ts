import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Module } from '@nestjs/common';

const SERVER = fileURLToPath(new URL('./store-server.js', import.meta.url));

/** The store's process: starts it, breaks its connections, kills it and starts it again. */
export class StoreProcess {
  readonly host = '127.0.0.1';
  readonly token = 'let-me-in';
  port = 0;
  private readonly folder = mkdtempSync(join(tmpdir(), 'quickstart-'));
  private child: ChildProcess | undefined;
  private comesBack: NodeJS.Timeout | undefined;

  static async launch(): Promise<StoreProcess> {
    const store = new StoreProcess();
    await store.start();
    return store;
  }

  /** Resets all connections. While the store is down there are none. */
  break(): void {
    if (this.child?.connected === true) this.child.send('break');
  }

  /** Dies at once; is back on the same port after this many milliseconds. Asked again meanwhile, it stays down for longer. */
  restart(downFor: number): void {
    this.child?.kill('SIGKILL');
    this.child = undefined;
    clearTimeout(this.comesBack);
    this.comesBack = setTimeout(() => void this.start(), downFor).unref();
  }

  private async start(): Promise<void> {
    const child = fork(SERVER, [String(this.port), this.token, join(this.folder, 'store.txt')]);
    this.child = child;
    const [address] = (await once(child, 'message')) as [AddressInfo];
    this.port = address.port;
    // It ends when this process does, and does not keep it from ending.
    child.unref();
    child.channel?.unref();
  }
}

@Module({
  providers: [{ provide: StoreProcess, useFactory: () => StoreProcess.launch() }],
  exports: [StoreProcess],
})
export class StoreProcessModule {}
