import {
  IllegalOperationError,
  type Channel,
  type ChannelModel,
  type ChannelOptions,
  type ConfirmChannel,
  type Options,
} from 'amqplib';
import type { CloseReason, ConnectContext } from '../../pool/connection-factory.js';
import { ClientConnectionFactory } from '../client/client-connection-factory.js';
import { watchDeath } from '../client/death.js';
import { guardListeners, takeOffListeners } from '../client/listeners.js';
import { opening } from '../client/opening.js';
import { SharedConnections, type Seat } from '../client/shared-connections.js';
import { AmqpConnectionFactory, type AmqpConnectionOptions } from './connections.js';
import { consumersOf, ended, isAsking, isBlocked, isUnconfirmed, refuseIfClosing } from './internals.js';

/** What a connection takes, and how channels share it. */
export interface AmqpChannelOptions extends AmqpConnectionOptions, ChannelOptions {
  /** How many channels share a connection. Default: 10. */
  readonly channelsPerConnection?: number;
}

/** Channels on connections that they share, whatever their kind. */
abstract class SharedChannelFactory<C extends Channel> extends ClientConnectionFactory<C, AmqpChannelOptions> {
  private readonly connections = new SharedConnections(new AmqpConnectionFactory({}));
  private readonly seats = new WeakMap<C, Seat<ChannelModel>>();
  private readonly traces = new WeakMap<C, Traces>();

  override isUsable(channel: C): boolean {
    return this.seats.get(channel)!.isTaken;
  }

  /** The client listens to a channel from its beginning on. */
  override watch(channel: C, broken: (error?: unknown) => void): () => void {
    return guardListeners(channel, watchDeath(channel, ['close'], broken));
  }

  /** One round trip: asks for unacknowledged messages to come again, of which there are none. */
  override async keepalive(channel: C): Promise<void> {
    if (!isBlocked(channel)) await channel.recover();
  }

  /**
   * Costs nothing after a lease that only published, one round trip if it did so with `mandatory`, or did not wait for an
   * answer; after one that consumed three, and one for each consumer.
   */
  override reset(channel: C): void | Promise<void> {
    takeOffListeners(channel);
    refuseIfClosing(channel);
    const traces = this.traces.get(channel)!;
    return traces.ofConsuming || traces.ofReturns || isAsking(channel) ? undo(channel, traces) : undefined;
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
        this.traces.set(channel, tracesOn(channel));
        channel.on('close', () => void seat.leave());
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
}

/** What borrowers may have left behind on a channel. */
interface Traces {
  /** Consumers, limits of how much comes at a time, messages that were not acknowledged. */
  ofConsuming: boolean;
  /** What nobody wanted is sent back, which takes a while, to whoever listens then. */
  ofReturns: boolean;
}

function tracesOn(channel: Channel): Traces {
  const traces = { ofConsuming: false, ofReturns: false };
  const methods = channel as unknown as Record<string, (...args: unknown[]) => unknown>;
  for (const name of ['consume', 'get', 'prefetch', 'qos']) {
    const method = methods[name]!;
    methods[name] = (...args) => {
      traces.ofConsuming = true;
      return method.apply(channel, args);
    };
  }
  const publish = methods['publish']!;
  methods['publish'] = (...args) => {
    const options = args[3] as Options.Publish | undefined;
    if (options?.mandatory) traces.ofReturns = true;
    return publish.apply(channel, args);
  };
  return traces;
}

async function undo(channel: Channel, traces: Traces): Promise<void> {
  if (traces.ofConsuming) {
    await channel.prefetch(0);
    await channel.prefetch(0, true);
    // By now the server has answered, if a borrower did not wait for it.
    await Promise.all(consumersOf(channel).map((tag) => channel.cancel(tag)));
  }
  // Answered after all that is to be sent back, and after what else was asked: a mistake fails this, not the next borrower.
  await channel.recover();
  traces.ofConsuming = false;
  traces.ofReturns = false;
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
  override reset(channel: ConfirmChannel): void | Promise<void> {
    const undone = super.reset(channel);
    return isUnconfirmed(channel) ? allConfirmed(channel, undone) : undone;
  }

  protected override create(model: ChannelModel, options: ChannelOptions): Promise<ConfirmChannel> {
    return model.createConfirmChannel(options);
  }
}

async function allConfirmed(channel: ConfirmChannel, undone: void | Promise<void>): Promise<void> {
  await undone;
  // The client ends its wait at the first that is refused, and would refuse the next borrower's for the others.
  while (isUnconfirmed(channel)) await channel.waitForConfirms().catch(() => {});
}
