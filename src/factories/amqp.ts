import type { Socket } from 'node:net';
import {
  connect,
  IllegalOperationError,
  type Channel,
  type ChannelModel,
  type ChannelOptions,
  type ConfirmChannel,
  type Options,
  type SocketOptions,
} from 'amqplib';
import { ConnectionError } from '../pool/connection-error.js';
import type { CloseReason, ConnectContext } from '../pool/connection-factory.js';
import { ClientConnectionFactory } from './client/client-connection-factory.js';
import { ignoreErrors, watchDeath } from './client/death.js';
import { opening } from './client/opening.js';
import { SharedConnections, type Seat } from './client/shared-connections.js';

export type { OptionsSource } from './client/configured-connection-factory.js';

/** What `amqplib` takes: `hostname`, `port`, `username`, `password`, `vhost`, `heartbeat` (in seconds) … */
export interface AmqpConnectionOptions extends Options.Connect {
  /** `amqp://user:password@host:5672/vhost?heartbeat=10`, or with amqps, instead of all these. */
  readonly url?: string;
  /** What the socket is like, and TLS: `ca`, `cert`, `key` … Default: `noDelay`, `keepAlive` after 10 s, the pool's name as the connection's. */
  readonly socketOptions?: SocketOptions;
}

/**
 * Connections to RabbitMQ, by `amqplib`. Most want to pool channels instead: {@link AmqpChannelFactory}.
 *
 * A channel of such a connection may be closed by the server for its user's mistake: that costs the channel alone.
 *
 * @example
 * class OrdersBroker extends AmqpConnectionFactory {
 *   constructor(config: ConfigService) {
 *     super({ url: config.getOrThrow('ORDERS_BROKER') });
 *   }
 * }
 */
export class AmqpConnectionFactory extends ClientConnectionFactory<ChannelModel, AmqpConnectionOptions> {
  /** The channels that each connection has open. */
  private readonly channels = new WeakMap<ChannelModel, Set<Channel>>();

  override isUsable(model: ChannelModel): boolean {
    return socketOf(model).writable;
  }

  override watch(model: ChannelModel, broken: (error?: unknown) => void): () => void {
    return watchDeath(model, ['close'], broken);
  }

  /** Opens and closes a channel: two round trips. The protocol has nothing less that is answered. */
  override async keepalive(model: ChannelModel): Promise<void> {
    if (isBlocked(model)) return;
    await ended(await model.createChannel());
  }

  /** Closes the channels that were left open, in one round trip if there are any. */
  override async reset(model: ChannelModel): Promise<void> {
    await Promise.all([...this.channels.get(model)!].map(ended));
  }

  /** Not what a channel was closed for: that is its user's own fault, and the connection goes on. */
  override isConnectionError(error: unknown): boolean {
    return error instanceof IllegalOperationError && error.message.startsWith('Connection clos');
  }

  override destroy(model: ChannelModel): void {
    // Without an error the client would not notice, and its heartbeat go on.
    socketOf(model).destroy(new Error('The connection was cut off'));
  }

  protected override async open(options: AmqpConnectionOptions, context: ConnectContext): Promise<ChannelModel> {
    const { url, socketOptions, ...address } = options;
    const { pool, signal } = context;
    const dialling = new AbortController();
    const all = {
      noDelay: true,
      keepAlive: true,
      keepAliveDelay: 10_000,
      ...socketOptions,
      clientProperties: { connection_name: pool, ...socketOptions?.clientProperties },
      signal: dialling.signal,
    };
    const opened = async (): Promise<ChannelModel> => {
      const model = await connect(url ?? address, all).catch(explain);
      ignoreErrors(model);
      return model;
    };
    const model = await opening(signal, opened, (reason) => dialling.abort(reason));
    settleClose(model);
    this.guardChannels(model);
    return model;
  }

  protected override part(model: ChannelModel): Promise<void> {
    const socket = socketOf(model);
    return new Promise((resolve) => {
      socket.once('close', () => resolve());
      // Its borrower may have begun to.
      void model.close();
    });
  }

  /**
   * A channel whose 'error' nobody hears throws it into the connection's own road of frames, and the connection dies of it, with
   * all other channels. So each gets a listener.
   */
  private guardChannels(model: ChannelModel): void {
    const channels = new Set<Channel>();
    this.channels.set(model, channels);
    const guarded =
      <C extends Channel>(create: (options?: ChannelOptions) => Promise<C>) =>
      async (options?: ChannelOptions): Promise<C> => {
        const channel = await create.call(model, options);
        ignoreErrors(channel);
        settleClose(channel);
        channels.add(channel);
        channel.once('close', () => channels.delete(channel));
        return channel;
      };
    model.createChannel = guarded(model.createChannel);
    model.createConfirmChannel = guarded(model.createConfirmChannel);
  }
}

/** What a connection takes, and how channels share it. */
export interface AmqpChannelOptions extends AmqpConnectionOptions, ChannelOptions {
  /** How many channels share a connection. Default: 10. */
  readonly channelsPerConnection?: number;
}

/** Channels on connections that they share, whatever their kind. */
abstract class SharedChannelFactory<C extends Channel> extends ClientConnectionFactory<C, AmqpChannelOptions> {
  private readonly connections = new SharedConnections(new AmqpConnectionFactory({}));
  private readonly seats = new WeakMap<C, Seat<ChannelModel>>();
  /** Those on which a borrower may have left something behind. */
  private readonly touched = new WeakSet<C>();

  override isUsable(channel: C): boolean {
    return this.seats.get(channel)!.isTaken;
  }

  override watch(channel: C, broken: (error?: unknown) => void): () => void {
    return watchDeath(channel, ['close'], broken);
  }

  /** One round trip: asks for unacknowledged messages to come again, of which there are none. */
  override async keepalive(channel: C): Promise<void> {
    if (!isBlocked(channel)) await channel.recover();
  }

  /** Costs nothing after a lease that only published; else three round trips, and one for each consumer. */
  override async reset(channel: C): Promise<void> {
    channel.removeAllListeners('return');
    if (!this.touched.has(channel)) return;
    await channel.prefetch(0);
    await channel.prefetch(0, true);
    // By now the server has answered, if a borrower did not wait for it.
    const { consumers } = channel as unknown as { readonly consumers: ReadonlyMap<string, unknown> };
    await Promise.all([...consumers.keys()].map((tag) => channel.cancel(tag)));
    await channel.recover();
    this.touched.delete(channel);
  }

  /** Whatever tells that the channel is gone, for another will do. */
  override isConnectionError(error: unknown): boolean {
    if (error instanceof IllegalOperationError) return true;
    return error instanceof Error && /^(Channel ended, no reply|channel closed$)/.test(error.message);
  }

  /** One that the server has closed, for its user's mistake, leaves its connection to the others. */
  override close(channel: C, reason: CloseReason): void | Promise<void> {
    return super.close(channel, this.isUsable(channel) ? reason : 'recycled');
  }

  /** The connection is cut off only if nobody else uses it; if the server does not answer, others soon find out. */
  override destroy(channel: C): void {
    void channel.close();
    this.seats.get(channel)!.giveUp();
  }

  protected override async open(given: AmqpChannelOptions, context: ConnectContext): Promise<C> {
    const { channelsPerConnection = 10, highWaterMark, ...options } = given;
    const { pool, attempt, signal: givenUp } = context;
    const seat = this.connections.takeSeat(channelsPerConnection, (signal) =>
      new AmqpConnectionFactory(options).connect({ pool, attempt, signal }),
    );
    let channel: C | undefined;
    const opened = async (): Promise<C> => {
      try {
        const model = await seat.connection;
        channel = await this.create(model, highWaterMark === undefined ? {} : { highWaterMark });
        this.seats.set(channel, seat);
        this.noteTouches(channel);
        channel.once('close', () => void seat.leave());
        return channel;
      } catch (error) {
        void seat.leave();
        throw error;
      }
    };
    return opening(givenUp, opened, () => (channel === undefined ? seat.giveUp() : this.destroy(channel)));
  }

  protected override async part(channel: C): Promise<void> {
    if (this.isUsable(channel)) await ended(channel);
    // The last of a connection has to see it closed.
    await this.seats.get(channel)!.leave();
  }

  protected abstract create(model: ChannelModel, options: ChannelOptions): Promise<C>;

  private noteTouches(channel: C): void {
    const methods = channel as unknown as Record<string, (...args: unknown[]) => unknown>;
    for (const name of ['consume', 'get', 'prefetch', 'qos']) {
      const method = methods[name]!;
      methods[name] = (...args) => {
        this.touched.add(channel);
        return method.apply(channel, args);
      };
    }
  }
}

/**
 * Channels of RabbitMQ, by `amqplib`, on connections that they share: each connection is opened for the first of its channels, and
 * closed after the last.
 *
 * @example
 * class OrdersChannel extends AmqpChannelFactory {
 *   constructor(config: ConfigService) {
 *     super({ url: config.getOrThrow('ORDERS_BROKER') });
 *   }
 * }
 */
export class AmqpChannelFactory extends SharedChannelFactory<Channel> {
  protected override create(model: ChannelModel, options: ChannelOptions): Promise<Channel> {
    return model.createChannel(options);
  }
}

/** The same, of channels on which the server confirms what is published: `publish` takes a callback, and there is `waitForConfirms()`. */
export class AmqpConfirmChannelFactory extends SharedChannelFactory<ConfirmChannel> {
  /** What a borrower has published is confirmed, or refused, before the next waits for what is his. */
  override async reset(channel: ConfirmChannel): Promise<void> {
    await super.reset(channel);
    await channel.waitForConfirms().catch(() => {});
  }

  protected override create(model: ChannelModel, options: ChannelOptions): Promise<ConfirmChannel> {
    return model.createConfirmChannel(options);
  }
}

/** What the client does not show of a connection. */
interface Internals {
  readonly stream: Socket;
  readonly blocked: boolean;
}

function socketOf({ connection }: ChannelModel): Socket {
  return (connection as unknown as Internals).stream;
}

/** Short of memory or disk the server reads no more from those that publish, and answers them nothing: it lives all the same. */
function isBlocked({ connection }: ChannelModel | Channel): boolean {
  return (connection as unknown as Internals).blocked;
}

/** The client's own close() would never settle if the connection dies before the server has answered. */
function settleClose(each: Channel | ChannelModel): void {
  const close = each.close.bind(each);
  each.close = () => {
    const closed = new Promise<void>((resolve, reject) => {
      close().then(resolve, reject);
      const error = new ConnectionError('The connection was closed before the server had confirmed the end');
      // The event comes at once after the answer, if there is one.
      each.once('close', () => setImmediate(reject, error));
    });
    // Whoever does not wait for it need not hear of it.
    closed.catch(() => {});
    return closed;
  };
}

/** Closes the channel, unless it is being closed; resolves when it is. */
function ended(channel: Channel): Promise<void> {
  return new Promise((resolve) => {
    channel.once('close', () => resolve());
    void channel.close();
  });
}

/** The client overhears what the server says when it does not open the virtual host. */
function explain(error: unknown): never {
  if (!(error instanceof Error) || !error.message.startsWith('Expected ConnectionOpenOk')) throw error;
  const reasons = 'there is none of that name, this user may not use it, or it has too many connections';
  throw new Error(`The server did not open the virtual host: ${reasons}`, { cause: error });
}
