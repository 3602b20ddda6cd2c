import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import {
  ClosedConnectionError,
  connect,
  ConnectionError,
  DrainingConnectionError,
  RequestError,
  type NatsConnection,
  type NodeConnectionOptions,
  type Subscription,
} from '@nats-io/transport-node';
import type { ConnectContext } from '../pool/connection-factory.js';
import { ClientConnectionFactory } from './client/client-connection-factory.js';
import { ignoreErrors, orDeath, watchDeath } from './client/death.js';
import { noticingSockets } from './client/noticing-sockets.js';
import { opening } from './client/opening.js';

export type { OptionsSource } from './client/configured-connection-factory.js';

/** What the client's `connect` takes, but for all that is about reconnecting: that is the pool's business. */
export type NatsConnectionOptions = Omit<NodeConnectionOptions, Reconnecting>;

type Reconnecting =
  | 'reconnect'
  | 'maxReconnectAttempts'
  | 'reconnectTimeWait'
  | 'reconnectJitter'
  | 'reconnectJitterTLS'
  | 'reconnectDelayHandler'
  | 'waitOnFirstConnect'
  | 'ignoreAuthErrorAbort';

/**
 * Connections to NATS, by `@nats-io/transport-node`.
 *
 * @example
 * class OrdersNats extends NatsConnectionFactory {
 *   constructor(config: ConfigService) {
 *     super({ servers: config.getOrThrow('NATS_SERVERS'), user: 'orders', pass: config.getOrThrow('NATS_PASSWORD') });
 *   }
 * }
 */
export class NatsConnectionFactory extends ClientConnectionFactory<NatsConnection, NatsConnectionOptions> {
  /** Emits 'close', with the error if there is one: the client has but a promise, of which nobody can take leave. */
  private readonly lives = new WeakMap<NatsConnection, EventEmitter>();

  override isUsable(connection: NatsConnection): boolean {
    return !connection.isClosed() && !connection.isDraining();
  }

  override watch(connection: NatsConnection, broken: (error?: unknown) => void): () => void {
    return watchDeath(this.lives.get(connection)!, ['close'], broken);
  }

  /** One round trip of the protocol's own PING. */
  override keepalive(connection: NatsConnection): Promise<void> {
    return this.flush(connection);
  }

  /** Ends subscriptions; nothing is waited for, since the client drops what still arrives for them. */
  override reset(connection: NatsConnection): void {
    const { subscriptions } = (connection as unknown as Internals).protocol;
    // That of the client's own, for the answers to requests, stays.
    const own = subscriptions.getMux();
    if (subscriptions.size() === (own === null ? 0 : 1)) return;
    for (const subscription of subscriptions.all()) if (subscription !== own) subscription.unsubscribe();
  }

  override isConnectionError(error: unknown): boolean {
    if (error instanceof RequestError) return /^connection (closed|disconnected)$/.test(error.message);
    return [ClosedConnectionError, DrainingConnectionError, ConnectionError].some((kind) => error instanceof kind);
  }

  /** The client's close() cuts off at once. */
  override destroy(connection: NatsConnection): void {
    void connection.close();
  }

  protected override async open(options: NatsConnectionOptions, context: ConnectContext): Promise<NatsConnection> {
    const { signal, pool } = context;
    const sockets = new Set<Socket>();
    const tls = new AbortController();
    const cut = (reason: Error): void => {
      tls.abort(reason);
      for (const socket of sockets) {
        // The client takes all listeners away, between two steps.
        ignoreErrors(socket);
        socket.destroy(reason);
      }
    };
    const notice = (socket: Socket): void => {
      sockets.add(socket);
      // The client goes on to the next server.
      if (signal.aborted) queueMicrotask(() => cut(signal.reason as Error));
    };
    const all = {
      name: pool,
      ignoreClusterUpdates: true,
      timeout: NEVER,
      ...options,
      // A socket that tls.connect dials is not told of.
      ...(options.tls && { tls: { ...options.tls, signal: tls.signal } }),
      reconnect: false,
    };
    const connection = await opening(signal, () => noticingSockets(() => connect(all), notice), cut);
    const life = new EventEmitter();
    this.lives.set(connection, life);
    void connection.closed().then((error) => life.emit('close', error));
    return connection;
  }

  /** What was published just before close() would be lost. */
  protected override async part(connection: NatsConnection): Promise<void> {
    await this.flush(connection);
    await connection.close();
  }

  /** The client's own, which is never settled if the connection dies meanwhile. */
  private flush(connection: NatsConnection): Promise<void> {
    return orDeath(this.lives.get(connection)!, 'close', 'the server had answered', connection.flush());
  }
}

/** The longest that a timer can take: how long a connect takes is the pool's `connectTimeout`. */
const NEVER = 2 ** 31 - 1;

/** What the client does not show. */
interface Internals {
  readonly protocol: {
    readonly subscriptions: {
      size(): number;
      all(): Subscription[];
      getMux(): Subscription | null;
    };
  };
}
