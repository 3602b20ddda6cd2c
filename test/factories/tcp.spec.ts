import { describe, expect, jest, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { TcpConnectionFactory } from '../../src/factories/tcp.js';
import { conformance } from './conformance.js';
import { ask, demand, LINE_WORK, lineService } from './line-service.js';

class LineConnectionFactory extends TcpConnectionFactory {
  constructor(
    port: number,
    private readonly password = 'secret',
  ) {
    super({ host: '127.0.0.1', port });
  }

  override async keepalive(socket: Socket): Promise<void> {
    await demand(socket, 'ECHO ping');
  }

  override async reset(socket: Socket): Promise<void> {
    await demand(socket, 'SET ');
  }

  protected override async handshake(socket: Socket): Promise<void> {
    await ask(socket);
    await demand(socket, `LOGIN ann ${this.password}`);
  }
}

conformance<Socket>({
  name: 'TcpConnectionFactory',
  kind: lineService(),
  factory: (port) => new LineConnectionFactory(port),
  stranger: { factory: (port) => new LineConnectionFactory(port, 'wrong'), error: /who are you/ },
  ...LINE_WORK,
});

describe('TcpConnectionFactory', () => {
  const context = () => ({ pool: 'test', attempt: 1, signal: AbortSignal.timeout(10_000) });
  const missing =
    'Invalid settings of TcpConnectionFactory:\n  - port: received undefined; allowed is a port number, or `path`, of a Unix socket';

  test('without a port or a path it says what is missing', () => {
    expect(() => new TcpConnectionFactory({ host: 'localhost' })).toThrow(missing);
  });

  test('so it does when options that are asked for anew lack them', async () => {
    await expect(new TcpConnectionFactory(() => ({})).connect(context())).rejects.toThrow(missing);
  });

  test('dials Unix sockets, without anything to be said first', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'tcp-'));
    const server = createServer().listen(path.join(folder, 'socket'));
    await once(server, 'listening');
    try {
      const socket = await new TcpConnectionFactory({ path: path.join(folder, 'socket') }).connect(context());
      expect(socket.readyState).toBe('open');
      socket.destroy();
    } finally {
      server.close();
      rmSync(folder, { recursive: true });
    }
  });

  test('sends at once and has the system look after the socket, unless it is told otherwise', async () => {
    const asked: unknown[] = [];
    const note = jest.spyOn(Socket.prototype, 'connect').mockImplementation(function (
      this: Socket,
      ...args: unknown[]
    ) {
      asked.push((args[0] as [object])[0]);
      return this.destroy(new Error('enough'));
    });
    await expect(new TcpConnectionFactory({ port: 7 }).connect(context())).rejects.toThrow('enough');
    await expect(new TcpConnectionFactory({ port: 7, noDelay: false }).connect(context())).rejects.toThrow('enough');
    note.mockRestore();
    const usual = { port: 7, keepAlive: true, keepAliveInitialDelay: 10_000 };
    expect(asked).toMatchObject([
      { ...usual, noDelay: true },
      { ...usual, noDelay: false },
    ]);
  });
});
