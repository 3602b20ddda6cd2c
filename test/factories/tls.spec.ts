import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
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
