import {
  connect,
  IllegalOperationError,
  type Channel,
  type ChannelModel,
  type ChannelOptions,
  type Options,
  type SocketOptions,
} from 'amqplib';
import type { ConnectContext } from '../../pool/connection-factory.js';
import { ClientConnectionFactory } from '../client/client-connection-factory.js';
import { ignoreErrors, watchDeath } from '../client/death.js';
import { guardListeners, takeOffListeners } from '../client/listeners.js';
import { opening } from '../client/opening.js';
import { ended, isBlocked, refuseIfClosing, settleClose, socketOf } from './internals.js';

/** What `amqplib` takes: `hostname`, `port`, `username`, `password`, `vhost`, `heartbeat` (in seconds) … */
export interface AmqpConnectionOptions extends Options.Connect {
  /** `amqp://user:password@host:5672/vhost?heartbeat=10`, or with amqps, instead of all these. */
  readonly url?: string;
  /** What the socket is like, and TLS: `ca`, `cert`, `key` … Default: `noDelay`, `keepAlive` after 10 s, the pool's name as the connection's. */
  readonly socketOptions?: SocketOptions;
}

/**
 * Connections to RabbitMQ, by `amqplib`. Most want to pool channels instead, by `AmqpChannelFactory`.
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
    return guardListeners(model, watchDeath(model, ['close'], broken));
  }

  /** Opens and closes a channel: two round trips. The protocol has nothing less that is answered. */
  override async keepalive(model: ChannelModel): Promise<void> {
    if (isBlocked(model)) return;
    await ended(await model.createChannel());
  }

  /** Closes the channels that were left open, in one round trip if there are any. */
  override reset(model: ChannelModel): void | Promise<void> {
    takeOffListeners(model);
    refuseIfClosing(model);
    const channels = this.channels.get(model)!;
    return channels.size === 0 ? undefined : allEnded(channels);
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
        channel.on('close', () => channels.delete(channel));
        return channel;
      };
    model.createChannel = guarded(model.createChannel);
    model.createConfirmChannel = guarded(model.createConfirmChannel);
  }
}

/** The client overhears what the server says when it does not open the virtual host. */
function explain(error: unknown): never {
  if (!(error instanceof Error) || !error.message.startsWith('Expected ConnectionOpenOk')) throw error;
  const reasons = 'there is none of that name, this user may not use it, or it has too many connections';
  throw new Error(`The server did not open the virtual host: ${reasons}`, { cause: error });
}

async function allEnded(channels: Iterable<Channel>): Promise<void> {
  await Promise.all([...channels].map(ended));
}
