import type { Socket } from 'node:net';
import { buildConnector, Client, type Dispatcher } from 'undici';
import { ConnectionError } from '../pool/connection-error.js';
import type { ConnectContext } from '../pool/connection-factory.js';
import { ClientConnectionFactory } from './client/client-connection-factory.js';
import { guardListeners, takeOffListeners } from './client/listeners.js';
import { opening } from './client/opening.js';

export type { OptionsSource } from './client/configured-connection-factory.js';

/** A request that the server answers cheaply; the last step of opening, and the ping. */
export interface HttpPing {
  /** Default: `'OPTIONS'`, which most servers answer without doing anything. */
  readonly method?: Dispatcher.HttpMethod;
  /** Default: `'/'`. */
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Which answers mean that all is well. Default: any, also 404 and 503, for the connection has carried it. */
  readonly accepts?: (statusCode: number) => boolean;
}

/** What an undici `Client` takes, but for how it dials, which `connect` says, and the pipelining, which is 1. */
export interface HttpConnectionOptions extends Omit<
  Client.Options,
  | 'allowH2'
  | 'autoSelectFamily'
  | 'autoSelectFamilyAttemptTimeout'
  | 'connect'
  | 'connectTimeout'
  | 'localAddress'
  | 'maxCachedSessions'
  | 'pipelining'
  | 'socketPath'
> {
  /** Whom to talk to, without a path: `https://api.example.org`. */
  readonly origin: string | URL;
  /** How to dial: what `tls.connect` takes for https (`ca`, `cert`, `key`, `servername` …), and `socketPath`, `localAddress`, `family` … */
  readonly connect?: Partial<buildConnector.BuildOptions>;
  /** What the server is asked when a connection is opened, and pinged. Default: `OPTIONS /`, and any answer will do. */
  readonly ping?: HttpPing;
  /**
   * How long a connection may be idle, in milliseconds, if the server does not say it (`Keep-Alive: timeout=5`).
   * Default: 10 min, the longest that is believed of a server, too (`keepAliveMaxTimeout`).
   */
  readonly keepAliveTimeout?: number;
}

/**
 * HTTP and HTTPS connections, by `undici`: each an undici `Client` that has dialled, shaken hands, and had an answer, and
 * that never dials again. Of HTTP/1.1, one request at a time.
 *
 * @example
 * class ParcelsApi extends HttpConnectionFactory {
 *   constructor(config: ConfigService) {
 *     super({ origin: config.getOrThrow('PARCELS_API'), ping: { path: '/health', method: 'GET' } });
 *   }
 * }
 */
export class HttpConnectionFactory extends ClientConnectionFactory<Client, HttpConnectionOptions> {
  private readonly pings = new WeakMap<Client, HttpPing>();
  private readonly sockets = new WeakMap<Client, Socket>();

  override isUsable(client: Client): boolean {
    return client.stats.connected;
  }

  /** The client never listens to itself. */
  override watch(client: Client, broken: (error?: unknown) => void): () => void {
    const onDisconnect = (_origin: unknown, _targets: unknown, error: Error): void => broken(error);
    const socket = this.sockets.get(client)!;
    client.on('disconnect', onDisconnect);
    // Sooner: before whoever has read an answer that ends the connection gives it back, and it is merely found to be of no use.
    socket.on('error', broken);
    return guardListeners(client, () => {
      client.removeListener('disconnect', onDisconnect);
      socket.removeListener('error', broken);
    });
  }

  /** HTTP has no session. A request goes on as long as its answer was not read. */
  override reset(client: Client): void {
    takeOffListeners(client);
    if (client.stats.size > 0) {
      throw new Error('The connection came back while a request went on, or an answer was not read');
    }
  }

  /** One round trip: HTTP has no ping of its own. */
  override keepalive(client: Client): Promise<void> {
    return ask(client, this.pings.get(client)!);
  }

  override isConnectionError(error: unknown): boolean {
    if (!(error instanceof Error)) return false;
    const { code, name } = error as Error & { readonly code?: unknown };
    return name === 'HTTPParserError' || BROKEN.has(code);
  }

  /** What the client itself ends: idle for too long, with an answer that says so, or with a request that is aborted. */
  override isAbandonment(error: unknown): boolean {
    return error instanceof Error && (error as { readonly code?: unknown }).code === 'UND_ERR_INFO';
  }

  override destroy(client: Client): void {
    void client.destroy();
  }

  protected override async open(
    { origin, connect, ping = {}, ...options }: HttpConnectionOptions,
    { signal }: ConnectContext,
  ): Promise<Client> {
    // No time-out of its own: the signal has one.
    const line = new Line({ keepAliveInitialDelay: 10_000, ...connect, timeout: 0, allowH2: false });
    const client = new Client(origin, {
      keepAliveTimeout: 600_000,
      ...options,
      pipelining: 1,
      connect: (target, callback) => line.dial(target, callback),
    });
    await opening(
      signal,
      () => ask(client, ping),
      // With its socket the request goes, and there is nothing more of the client.
      (reason) => line.cut(reason),
    );
    this.pings.set(client, ping);
    this.sockets.set(client, line.socket!);
    return client;
  }

  protected override part(client: Client): Promise<void> {
    return client.close();
  }
}

/** The one connection of a client. By itself a client would dial again whenever it has lost one. */
class Line {
  socket: Socket | undefined;
  private readonly connect: buildConnector.connector;

  constructor(private readonly options: buildConnector.BuildOptions) {
    this.connect = buildConnector(options);
  }

  dial(target: buildConnector.Options, callback: buildConnector.Callback): void {
    if (this.socket === undefined) {
      // The client's own would take its place, though it has none.
      const { localAddress } = this.options as { readonly localAddress?: string };
      // The types keep back what it returns.
      this.socket = this.connect({ ...target, localAddress }, callback) as unknown as Socket;
      return;
    }
    // Later: one that is called back at once never sees to its request.
    queueMicrotask(() => callback(new ConnectionError('The connection is closed'), null));
  }

  cut(reason: Error): void {
    this.socket?.destroy(reason);
  }
}

/** @throws ConnectionError if the answer is not accepted, or ends the connection */
async function ask(
  client: Client,
  { method = 'OPTIONS', path = '/', headers, accepts = () => true }: HttpPing,
): Promise<void> {
  // Without `reset: false` a HEAD would end the connection.
  const { statusCode, body } = await client.request({ method, path, headers, reset: false });
  await body.dump({ limit: LONGEST_ANSWER });
  if (!accepts(statusCode)) throw new ConnectionError(`The server answers ${statusCode} to ${method} ${path}`);
  if (client.stats.connected) return;
  throw new ConnectionError(
    `With its answer to ${method} ${path} the server ends the connection ("Connection: close", or a short "Keep-Alive: timeout")`,
  );
}

/** In bytes. A ping that yields more ends its connection, so that it is found out. */
const LONGEST_ANSWER = 131_072;

/**
 * Besides the network's: no answer in time, and a client that is closed. What an answer says is never an error, and an
 * aborted request is known by its name.
 */
const BROKEN = new Set<unknown>([
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CLOSED',
  'UND_ERR_DESTROYED',
]);
