import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { createSecureContext, TLSSocket, type SecureContext } from 'node:tls';
import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { generate } from 'selfsigned';

/**
 * A mail-like service on loopback. It speaks in the clear until STARTTLS, then real TLS on the same socket, with a
 * certificate that is made when it starts. Logging in before TLS is refused.
 */
@Injectable()
export class MailServer implements OnApplicationShutdown {
  readonly host = '127.0.0.1';
  port = 0;
  /** The certificate, which clients are to trust. */
  certificate = '';
  readonly user = 'reader';
  readonly password = 'open sesame';
  private server: Server | undefined;

  static async launch(): Promise<MailServer> {
    const mail = new MailServer();
    const pem = await generate([{ name: 'commonName', value: 'localhost' }], {
      keyType: 'ec',
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
    });
    mail.certificate = pem.cert;
    const context = createSecureContext({ key: pem.private, cert: pem.cert });
    mail.server = createServer((socket) => mail.greet(socket, context));
    await new Promise<void>((resolve) => mail.server?.listen(0, mail.host, resolve));
    mail.port = (mail.server.address() as AddressInfo).port;
    return mail;
  }

  onApplicationShutdown(): void {
    this.server?.close();
  }

  /** In the clear, there is nothing to do but STARTTLS. */
  private greet(socket: Socket, context: SecureContext): void {
    socket.on('error', () => {});
    socket.write('220 mail ready\r\n');
    socket.once('data', (data: Buffer) => {
      if (data.toString() !== 'STARTTLS\r\n') {
        socket.end('530 STARTTLS first\r\n');
        return;
      }
      socket.write('220 go ahead\r\n');
      this.serve(new TLSSocket(socket, { isServer: true, secureContext: context }));
    });
  }

  private serve(socket: TLSSocket): void {
    let loggedIn = false;
    socket.on('error', () => {});
    const lines = createInterface({ input: socket });
    // It repeats the socket's errors.
    lines.on('error', () => {});
    lines.on('line', (line) => {
      const [command, ...args] = line.split('\t');
      if (command === 'LOGIN') {
        loggedIn = args[0] === this.user && args[1] === this.password;
        socket.write(loggedIn ? '235 welcome\r\n' : '535 wrong user or password\r\n');
      } else if (!loggedIn) {
        socket.write('530 log in first\r\n');
      } else {
        socket.write(command === 'COUNT' ? '250 3\r\n' : command === 'NOOP' ? '250 ok\r\n' : '500 what?\r\n');
      }
    });
  }
}
