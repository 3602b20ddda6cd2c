import { once } from 'node:events';
import type { Socket } from 'node:net';
import { ConnectionError } from 'nestjs-connection-pool';

interface Reply {
  resolve(line: string): void;
  reject(error: Error): void;
}

/** A connection to the store: a line there, a line back. */
export class StoreClient {
  private readonly lines: string[] = [];
  private readonly awaited: Reply[] = [];
  private rest = '';
  private lost: Error | undefined;

  constructor(readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.receive(text));
    socket.on('error', (error) => this.lose(error));
    socket.on('close', () => this.lose());
  }

  async send(command: string): Promise<string> {
    this.socket.write(`${command}\n`);
    const line = await this.readLine();
    if (line.startsWith('ERR')) throw new Error(`The store says: ${line}`);
    return line;
  }

  readLine(): Promise<string> {
    const line = this.lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.lost !== undefined) return Promise.reject(this.lost);
    return new Promise((resolve, reject) => this.awaited.push({ resolve, reject }));
  }

  /** Lets the server finish, and waits for it. */
  async quit(): Promise<void> {
    this.socket.end();
    if (!this.socket.closed) await once(this.socket, 'close');
  }

  private receive(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) {
      const reply = this.awaited.shift();
      if (reply === undefined) this.lines.push(line);
      else reply.resolve(line);
    }
  }

  private lose(cause?: Error): void {
    const lost = (this.lost ??= new ConnectionError('The store closed the connection', { cause }));
    for (const reply of this.awaited.splice(0)) reply.reject(lost);
  }
}
