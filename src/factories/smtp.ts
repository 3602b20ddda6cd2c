import { finished, type Readable } from 'node:stream';
import SMTPConnection, {
  type SMTPConnectionAuth,
  type SMTPConnectionOptions,
  type SMTPConnectionSendInfo,
  type SMTPEnvelope,
} from 'nodemailer/lib/smtp-connection';
import { ConnectionError } from '../pool/connection-error.js';
import type { ConnectContext } from '../pool/connection-factory.js';
import { ClientConnectionFactory } from './client/client-connection-factory.js';
import { ignoreErrors, watchDeath } from './client/death.js';
import { guardListeners, takeOffListeners } from './client/listeners.js';
import { opening } from './client/opening.js';

export type { OptionsSource } from './client/configured-connection-factory.js';

/** What `nodemailer`'s SMTPConnection takes, and who logs in. */
export interface SmtpConnectionOptions extends SMTPConnectionOptions {
  /**
   * How long the server may be silent when it is to answer, in milliseconds. Default: 10 min. While nothing is asked of it, as
   * long as the pool likes.
   */
  readonly socketTimeout?: number;
  /** Default: nobody logs in. With `user` and `pass`, or `user` and `oauth2`, an XOAuth2 of nodemailer's. */
  readonly auth?: SMTPConnectionAuth;
}

/**
 * Connections to an SMTP server, by `nodemailer`.
 *
 * @example
 * class MailServer extends SmtpConnectionFactory {
 *   constructor(config: ConfigService) {
 *     super({ host: 'smtp.example.org', requireTLS: true, auth: { user: 'ann', pass: config.getOrThrow('MAIL_PASSWORD') } });
 *   }
 * }
 */
export class SmtpConnectionFactory extends ClientConnectionFactory<SmtpConnection, SmtpConnectionOptions> {
  override isUsable(connection: SmtpConnection): boolean {
    return connection.isUsable;
  }

  override watch(connection: SmtpConnection, broken: (error?: unknown) => void): () => void {
    return connection.watch(broken);
  }

  override keepalive(connection: SmtpConnection): Promise<void> {
    return connection.rset();
  }

  override reset(connection: SmtpConnection): void | Promise<void> {
    return connection.clear();
  }

  /** What the server says with 421 is that it closes the connection, whatever it was asked. */
  override isConnectionError(error: unknown): boolean {
    if (!(error instanceof Error)) return false;
    const { code, responseCode } = error as Error & { readonly code?: unknown; readonly responseCode?: unknown };
    return BROKEN.has(String(code)) || responseCode === 421;
  }

  override destroy(connection: SmtpConnection): void {
    connection.close();
  }

  protected override async open(
    { auth, ...options }: SmtpConnectionOptions,
    context: ConnectContext,
  ): Promise<SmtpConnection> {
    // To the client 0 is none, too.
    const connection = new SmtpConnection(new SMTPConnection(options), options.socketTimeout || undefined);
    await opening(
      context.signal,
      async () => {
        await connection.connect();
        if (auth !== undefined) await connection.login(auth);
      },
      () => connection.close(),
    );
    return connection;
  }

  protected override part(connection: SmtpConnection): Promise<void> {
    return connection.quit();
  }
}

/** What went wrong with the connection, by the client's codes; ETIMEDOUT everybody knows. */
const BROKEN = new Set(['ECONNECTION', 'ESOCKET', 'EPROTOCOL', 'ETLS', 'EDNS']);

/**
 * One connection. nodemailer's own calls back, or, when the connection is closed meanwhile, does not; this one promises, and
 * knows what is left of a mail that failed.
 */
export class SmtpConnection {
  /** What was sent last, and what became of it. */
  private sent: Promise<unknown> = Promise.resolve();
  /** How many mails are being sent, or wait for that. */
  private sending = 0;
  /** Whether the server may be in the middle of a mail that failed, and would refuse the next. */
  private isDirty = false;
  /** Those who wait for an answer of the server: what tells each of them that none will come. */
  private readonly waiting = new Set<(cause: unknown) => void>();

  /** @param patience how long the server may be silent when it is to answer, in milliseconds */
  constructor(
    private readonly smtp: SMTPConnection,
    private readonly patience = 600_000,
  ) {
    ignoreErrors(smtp);
    watchDeath(smtp, ['end'], (cause) => {
      for (const giveUp of this.waiting) giveUp(cause);
    });
  }

  /** nodemailer's own, for what there is no method for. Whatever is done with it, a RSET follows before anybody else gets it. */
  get client(): SMTPConnection {
    this.isDirty = true;
    this.allowSilence(this.patience);
    return this.smtp;
  }

  get isUsable(): boolean {
    return !this.smtp.destroyed;
  }

  /**
   * Sends a mail; after those that are being sent on this connection already.
   *
   * @param envelope who sends it, and to whom it goes, whatever the message says
   * @param message all of it, with its headers. If it is a stream and breaks off, the connection is closed: there is no other
   * way to take back what the server has got of it
   * @returns what the server said, and those of the recipients that it refused: if it refuses all of them, it rejects
   */
  send(envelope: SMTPEnvelope, message: string | Buffer | Readable): Promise<SMTPConnectionSendInfo> {
    this.sending++;
    const sent = this.sent.then(() => this.sendNow(envelope, message));
    this.sent = sent.then(
      () => this.sending--,
      () => this.sending--,
    );
    return sent;
  }

  /** Dials, and hears what the server offers; with TLS, if it is to be. */
  async connect(): Promise<void> {
    try {
      await this.ask('the server greeted', (done) => {
        this.smtp.once('error', done);
        this.smtp.connect(done);
      });
    } catch (error) {
      throw new ConnectionError((error as Error).message, { cause: error });
    }
  }

  async login(auth: SMTPConnectionAuth): Promise<void> {
    // The client writes into what it is given.
    await this.ask('the server answered the login', (done) => this.smtp.login({ ...auth }, done));
  }

  /** Has the server forget what it has heard of a mail. It is the cheapest there is to ask as well. */
  async rset(): Promise<void> {
    await this.ask('the server answered RSET', (done) => this.smtp.reset(done));
    this.isDirty = false;
  }

  /**
   * Waits for mails that nobody waits for, and has the server forget the last one if it failed. Returns nothing at once if all
   * is well, which it is after most.
   */
  clear(): void | Promise<void> {
    takeOffListeners(this.smtp);
    if (this.sending > 0 || this.isDirty) return this.clean();
  }

  /** Tells when the connection is closed; returns what stops that. nodemailer listens to itself only while it connects. */
  watch(closed: (error?: unknown) => void): () => void {
    return guardListeners(this.smtp, watchDeath(this.smtp, ['end'], closed));
  }

  /** Waits for mails that are being sent, of which a QUIT would become a line, says goodbye, and closes when the server has answered. */
  async quit(): Promise<void> {
    await this.sent;
    if (this.smtp.destroyed) return;
    await new Promise((resolve) => {
      this.smtp.once('end', resolve);
      this.smtp.quit();
    });
    this.close();
  }

  /** At once: the client alone would leave the socket half open for 5 s, unless the server closes it. */
  close(): void {
    const { _socket: socket } = this.smtp;
    this.smtp.close();
    if (socket) socket.destroy();
  }

  private async clean(): Promise<void> {
    await this.sent;
    await this.forget();
  }

  private async forget(): Promise<void> {
    if (this.isDirty) await this.rset();
  }

  private async sendNow(envelope: SMTPEnvelope, message: string | Buffer | Readable): Promise<SMTPConnectionSendInfo> {
    await this.forget();
    this.isDirty = true;
    const info = await this.ask<SMTPConnectionSendInfo>('the server took the mail', (done) => {
      const stopWatching = isStream(message) ? this.closeUnlessWhole(message, done) : (): void => {};
      this.smtp.send({ ...envelope }, message, (error, answer) => {
        stopWatching();
        done(error, answer);
      });
    });
    this.isDirty = false;
    return info;
  }

  /** What the server has got already would otherwise be ended, and become a mail, by what is said next. */
  private closeUnlessWhole(message: Readable, failed: (error: Error) => void): () => void {
    return finished(message, { writable: false }, (error) => {
      if (!error || this.smtp.destroyed) return;
      failed(error);
      this.close();
    });
  }

  /** The client would close a connection on which nothing is said, also if nothing is to be said. 0: for ever. */
  private allowSilence(milliseconds: number): void {
    const { _socket: socket } = this.smtp;
    if (socket) socket.setTimeout(milliseconds);
  }

  /** The client calls back, or says that it is over, or says that it is over and calls back right afterwards. */
  private ask<T>(what: string, ask: (done: (error?: Error | null, answer?: T) => void) => void): Promise<T> {
    this.allowSilence(this.patience);
    return new Promise((resolve, reject) => {
      const giveUp = (cause: unknown): void => {
        const error = new ConnectionError(`The connection was closed before ${what}`, { cause });
        queueMicrotask(() => reject(error));
      };
      this.waiting.add(giveUp);
      ask((error, answer) => {
        this.waiting.delete(giveUp);
        this.allowSilence(0);
        if (error) reject(error);
        else resolve(answer as T);
      });
    });
  }
}

function isStream(message: string | Buffer | Readable): message is Readable {
  return typeof message === 'object' && 'pipe' in message;
}
