import { describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket } from 'node:tls';
import { TlsConnectionFactory } from '../../src/factories/tls.js';
import { conformance } from './conformance.js';
import { ask, demand, LINE_WORK, lineService, pem } from './line-service.js';

class SecureLineFactory extends TlsConnectionFactory {
  constructor(
    port: number,
    protected readonly password = 'secret',
    ca = pem.cert,
  ) {
    super({ host: 'localhost', family: 4, port, ca });
  }

  override async keepalive(socket: TLSSocket): Promise<void> {
    await demand(socket, 'ECHO ping');
  }

  override async reset(socket: TLSSocket): Promise<void> {
    await demand(socket, 'SET ');
  }

  protected override async handshake(socket: TLSSocket): Promise<void> {
    await ask(socket);
    await demand(socket, `LOGIN ann ${this.password}`);
  }
}

class StartTlsLineFactory extends SecureLineFactory {
  protected override async beforeTls(socket: Socket): Promise<void> {
    await ask(socket);
    await demand(socket, 'STARTTLS');
  }

  protected override async handshake(socket: TLSSocket): Promise<void> {
    await demand(socket, `LOGIN ann ${this.password}`);
  }
}

conformance<TLSSocket>({
  name: 'TlsConnectionFactory',
  kind: lineService('tls'),
  factory: (port) => new SecureLineFactory(port),
  stranger: { factory: (port) => new SecureLineFactory(port, 'secret', ''), error: /self-signed certificate/ },
  ...LINE_WORK,
});

conformance<TLSSocket>({
  name: 'TlsConnectionFactory, with STARTTLS',
  kind: lineService('starttls'),
  factory: (port) => new StartTlsLineFactory(port),
  stranger: { factory: (port) => new StartTlsLineFactory(port, 'wrong'), error: /who are you/ },
  ...LINE_WORK,
});

describe('TlsConnectionFactory', () => {
  const context = () => ({ pool: 'test', attempt: 1, signal: AbortSignal.timeout(10_000) });

  test('without a port or a path it says what is missing', async () => {
    const missing = /Invalid settings of TlsConnectionFactory:\s+- port: received undefined/;
    expect(() => new TlsConnectionFactory({ host: 'localhost' })).toThrow(missing);
    await expect(new TlsConnectionFactory(() => ({})).connect(context())).rejects.toThrow(missing);
  });

  test('bytes that came in plaintext and were not read fail the connect', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).write('OK\r\nOK you are in\r\n'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    class Careless extends TlsConnectionFactory {
      protected override async beforeTls(socket: Socket): Promise<void> {
        await once(socket, 'readable');
        socket.read(4);
      }
    }
    try {
      const connecting = new Careless({ host: '127.0.0.1', port }).connect(context());
      await expect(connecting).rejects.toThrow('There are 15 bytes in plaintext that nobody read before TLS began');
    } finally {
      server.close();
    }
  });

  test('a server that hangs up before TLS begins fails the connect at once', async () => {
    const server = createServer((socket) => socket.on('error', () => {}).end('220 go away\r\n'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    class Patient extends TlsConnectionFactory {
      protected override async beforeTls(socket: Socket): Promise<void> {
        socket.resume();
        await once(socket, 'close');
      }
    }
    try {
      const connecting = new Patient({ host: '127.0.0.1', port }).connect(context());
      await expect(connecting).rejects.toThrow('The other side closed the connection before TLS began');
    } finally {
      server.close();
    }
  });

  test.each([
    ['localhost', undefined, 'localhost'],
    [undefined, undefined, 'localhost'],
    ['127.0.0.1', undefined, false],
    ['127.0.0.1', 'localhost', 'localhost'],
  ])('dialling %s with the server name %s it asks for the certificate of %s', async (host, servername, asked) => {
    const seen: unknown[] = [];
    const server = createTlsServer({ key: pem.private, cert: pem.cert }, (socket) => {
      seen.push((socket as TLSSocket & { servername: unknown }).servername);
      socket.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const factory = new TlsConnectionFactory({ host, port, servername, rejectUnauthorized: false });
    try {
      const socket = await factory.connect(context());
      socket.resume();
      await once(socket, 'close');
    } finally {
      server.close();
    }
    expect(seen).toEqual([asked]);
  });
});
