import { describe, expect, test } from '@jest/globals';
import type { Socket } from 'node:net';
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
  test('without a port or a path it says what is missing', () => {
    expect(() => new TcpConnectionFactory({ host: 'localhost' })).toThrow(
      'Invalid settings of TcpConnectionFactory:\n  - port: received undefined; allowed is a port number, or `path`, of a Unix socket',
    );
  });
});
