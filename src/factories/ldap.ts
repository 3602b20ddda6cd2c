import { isIP, type Socket } from 'node:net';
import { connect, type ConnectionOptions } from 'node:tls';
import { Client, ResultCodeError, type ClientOptions } from 'ldapts';
import { ConnectionError } from '../pool/connection-error.js';
import type { ConnectContext } from '../pool/connection-factory.js';
import { describeValue, type Fault } from '../pool/rules.js';
import { ClientConnectionFactory } from './client/client-connection-factory.js';
import { ignoreErrors, watchDeath } from './client/death.js';
import { connected, dial } from './client/dial.js';
import { opening } from './client/opening.js';

export type { OptionsSource } from './client/configured-connection-factory.js';

/** The client's own reconnecting, and its own dialling, are the factory's work. */
type Replaced = 'autoRebind' | 'connectTimeout' | 'createConnection' | 'createSecureConnection';

/** Where to dial and as whom to log in, and what else `ldapts` takes. */
export interface LdapConnectionOptions extends Omit<ClientOptions, Replaced> {
  /** `ldap://host` (port 389 unless it says another), or `ldaps://host` (port 636), which is TLS from the first byte on. */
  readonly url: string;
  /** As whom to log in. Default: as nobody, by an anonymous bind. */
  readonly bindDN?: string;
  /** Must not be empty where there is a `bindDN`: to many servers that is a successful login as nobody. */
  readonly password?: string;
  /** Goes over to TLS before the login, on an `ldap://` url. Default: false. */
  readonly startTLS?: boolean;
  /** Of `ldaps://` and `startTLS`: `ca`, `cert`, `key`, `servername`, `rejectUnauthorized` … */
  readonly tlsOptions?: ConnectionOptions;
}

/** What is known of a client besides what it tells. */
interface Session {
  /** What was dialled. */
  readonly plain: Socket;
  /** What is spoken on: the same, or TLS on top of it. */
  socket: Socket;
  /** Whether nobody has asked since the login for another identity. */
  isAsOpened: boolean;
  /** Whether somebody has said goodbye. */
  isEnding: boolean;
  readonly options: LdapConnectionOptions;
}

/**
 * Connections to a directory, by `ldapts`.
 *
 * @example
 * class StaffConnectionFactory extends LdapConnectionFactory {
 *   constructor(config: ConfigService) {
 *     super({ url: 'ldaps://ldap.example.org', bindDN: 'cn=app,dc=example,dc=org', password: config.getOrThrow('LDAP_PASSWORD') });
 *   }
 * }
 */
export class LdapConnectionFactory extends ClientConnectionFactory<Client, LdapConnectionOptions> {
  private readonly sessions = new WeakMap<Client, Session>();

  override isUsable(client: Client): boolean {
    // Not isConnected alone: after StartTLS it never becomes false.
    return client.isConnected && this.sessionOf(client).socket.writable;
  }

  override watch(client: Client, broken: (error?: unknown) => void): () => void {
    return watchDeath(this.sessionOf(client).socket, ['close'], broken);
  }

  /** Asks for nothing, of the entry that every server has. */
  override async keepalive(client: Client): Promise<void> {
    try {
      await client.search('', { scope: 'base', attributes: ['1.1'] });
    } catch (error) {
      // One that refuses has answered.
      if (!(error instanceof ResultCodeError) || this.isConnectionError(error)) throw error;
    }
  }

  /** Logs in again if the borrower has logged in as somebody else, or tried to: then the server takes him for nobody. */
  override reset(client: Client): void | Promise<void> {
    const session = this.sessionOf(client);
    if (session.isEnding) throw new Error('The client came back though its borrower had unbound it');
    if (!session.isAsOpened) return this.loginAgain(client, session);
  }

  private async loginAgain(client: Client, session: Session): Promise<void> {
    await this.login(client, session.options);
    session.isAsOpened = true;
  }

  override isConnectionError(error: unknown): boolean {
    if (error instanceof ResultCodeError) return error.code === UNAVAILABLE;
    return error instanceof Error && DEAD.test(error.message);
  }

  override destroy(client: Client): void {
    const { socket, plain } = this.sessionOf(client);
    socket.destroy();
    plain.destroy();
  }

  protected override async open(options: LdapConnectionOptions, { signal }: ConnectContext): Promise<Client> {
    const { url, bindDN: _dn, password: _password, startTLS = false, tlsOptions, ...config } = options;
    const { host, port, isSecure } = addressOf(url);
    const plain = await dial({ host, port }, signal);
    const session: Session = { plain, socket: plain, isAsOpened: false, isEnding: false, options };

    const secure = (more?: ConnectionOptions): Socket => {
      const servername = isIP(host) === 0 ? host : '';
      const socket = connect({ host, servername, ...tlsOptions, ...more, socket: plain });
      ignoreErrors(socket);
      session.socket = socket;
      return socket;
    };
    let isTaken = false;
    /** The client dials anew when its connection is lost, and nobody is logged in there. */
    const take = (): Socket => {
      if (isTaken) throw new ConnectionError('The LDAP connection is lost');
      isTaken = true;
      return session.socket;
    };

    return opening(
      signal,
      async () => {
        if (isSecure) await connected(secure(), 'secureConnect');
        const client = new Client({
          ...config,
          url: `ldap://${url.slice(url.indexOf('://') + 3)}`,
          createConnection: take,
          createSecureConnection: secure as unknown as typeof connect,
        });
        this.sessions.set(client, session);
        noteBinds(client, session);
        if (startTLS) await client.startTLS();
        await this.login(client, options);
        session.isAsOpened = true;
        return client;
      },
      (reason) => {
        session.socket.destroy(reason);
        plain.destroy();
      },
    );
  }

  /**
   * Logs in, as the first thing on a connection, and again when a borrower has logged in as somebody else. Override it for
   * SASL: `client.bindSASL('EXTERNAL')`.
   */
  protected async login(client: Client, { url, bindDN = '', password = '' }: LdapConnectionOptions): Promise<void> {
    try {
      await client.bind(bindDN, password);
    } catch (error) {
      if (!(error instanceof ResultCodeError)) throw error;
      // The error's own message is the server's comment, which mostly is none.
      const who = bindDN === '' ? 'nobody' : bindDN;
      throw new Error(`${url} does not let ${who} in: ${error.name}, ${error.message.trim()}`, { cause: error });
    }
  }

  protected override faultsOf({ url, bindDN = '', password = '' }: LdapConnectionOptions): Fault[] {
    const faults: Fault[] = [];
    if (!/^ldaps?:\/\//.test(url) || !URL.canParse(url)) {
      faults.push({ path: 'url', received: describeValue(url), allowed: '`ldap://host:port` or `ldaps://host:port`' });
    }
    if (bindDN !== '' && password === '') {
      const allowed = 'a text that is not empty, for with an empty one many servers let everybody in, as nobody';
      faults.push({ path: 'password', received: describeValue(password), allowed });
    }
    return faults;
  }

  protected override part(client: Client): Promise<void> {
    return client.unbind();
  }

  private sessionOf(client: Client): Session {
    return this.sessions.get(client)!;
  }
}

function addressOf(url: string): { host: string; port: number; isSecure: boolean } {
  const { protocol, hostname, port } = new URL(url);
  const isSecure = protocol === 'ldaps:';
  // An IPv6 address stands in brackets there, and nowhere else.
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) || (isSecure ? 636 : 389), isSecure };
}

/** The client itself knows neither who it is nor, after a bind that failed, that it is nobody. */
function noteBinds(client: Client, session: Session): void {
  const { bind, bindSASL, unbind } = client;
  client.bind = (...args) => {
    session.isAsOpened = false;
    return bind.apply(client, args);
  };
  client.bindSASL = (...args) => {
    session.isAsOpened = false;
    return bindSASL.apply(client, args);
  };
  client.unbind = () => {
    session.isEnding = true;
    return unbind.apply(client);
  };
}

/** The server shuts down: https://www.rfc-editor.org/rfc/rfc4511#section-4.4.1 */
const UNAVAILABLE = 52;

/** What the client itself says, without a code. After its own time-out it has destroyed the connection. */
const DEAD =
  /^(Socket error\.|Connection closed before message response|Socket connection not established)|: Operation timed out$/;
