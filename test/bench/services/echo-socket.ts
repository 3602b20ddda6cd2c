import { once } from 'node:events';
import { Socket } from 'node:net';
import type { Askable } from './contestants.js';

const MESSAGE_LENGTH = 64;

/** A socket to the echo server, as any other; besides it knows how to ask. */
export class EchoSocket extends Socket implements Askable {
  isLent = false;
  isDoomed = false;
  private received = '';
  private whenComplete: (() => void) | undefined;
  private whenBroken: ((error: Error) => void) | undefined;

  static async connect(address: string): Promise<EchoSocket> {
    const socket = new EchoSocket();
    socket.on('data', (chunk) => socket.receive(chunk));
    socket.on('close', () => socket.whenBroken?.(new Error('the connection to the echo server was closed')));
    socket.setNoDelay(true).connect(Number(address), '127.0.0.1');
    await once(socket, 'connect');
    socket.on('error', (error) => socket.whenBroken?.(error));
    return socket;
  }

  async ask(number: number): Promise<void> {
    const message = String(number).padEnd(MESSAGE_LENGTH, '.');
    this.received = '';
    const complete = new Promise<void>((resolve, reject) => {
      this.whenComplete = resolve;
      this.whenBroken = reject;
    });
    this.write(message, 'latin1');
    await complete;
    if (this.received !== message) throw new Error(`"${message}" was echoed as "${this.received}"`);
  }

  private receive(chunk: Buffer): void {
    this.received += chunk.toString('latin1');
    if (this.received.length >= MESSAGE_LENGTH) this.whenComplete?.();
  }
}
