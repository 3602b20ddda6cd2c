import { randomBytes } from 'node:crypto';
import { once, type EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import { connect, type IClientOptions, type MqttClient, type Packet } from 'mqtt';
import { ConnectionError } from '../pool/connection-error.js';
import type { ConnectContext } from '../pool/connection-factory.js';
import { ClientConnectionFactory } from './client/client-connection-factory.js';
import { ignoreErrors, orDeath, watchDeath } from './client/death.js';
import { guardListeners, takeOffListeners } from './client/listeners.js';
import { opening } from './client/opening.js';

export type { OptionsSource } from './client/configured-connection-factory.js';

/** What `mqtt` takes, but for what a pool sees to itself, and for what connections cannot share. */
export interface MqttConnectionOptions extends Omit<IClientOptions, Ours> {
  /** `mqtt://broker:1883`, or with mqtts, ws, wss. Default: what `protocol`, `host` and `port` say. */
  readonly url?: string;
  /**
   * What client identifiers begin with; eight hexadecimal digits at random follow, for a broker ends the older of two
   * connections with the same. Default: the pool's name and a hyphen.
   */
  readonly clientIdPrefix?: string;
}

type Ours =
  | 'clientId'
  | 'clean'
  | 'manualConnect'
  | 'reconnectPeriod'
  | 'reconnectOnConnackError'
  | 'resubscribe'
  | 'queueQoSZero'
  | 'incomingStore'
  | 'outgoingStore'
  | 'servers';

/**
 * Connections to an MQTT broker, by `mqtt`.
 *
 * @example
 * class SensorsBroker extends MqttConnectionFactory {
 *   constructor(config: ConfigService) {
 *     super({ url: config.getOrThrow('SENSORS_BROKER'), protocolVersion: 5 });
 *   }
 * }
 */
export class MqttConnectionFactory extends ClientConnectionFactory<MqttClient, MqttConnectionOptions> {
  /** What each client has subscribed to. */
  private readonly topics = new WeakMap<MqttClient, Set<string>>();

  override isUsable(client: MqttClient): boolean {
    return client.connected && !client.disconnecting;
  }

  /** The client listens to itself from its beginning on, and in its end() only, after which nobody gets it. */
  override watch(client: MqttClient, broken: (error?: unknown) => void): () => void {
    return guardListeners(client, watchDeath(client, ['close'], broken));
  }

  /** One round trip of the protocol's own PINGREQ. */
  override async keepalive(client: MqttClient): Promise<void> {
    // The client drops a ping in silence then.
    if (!client.connected) throw new ConnectionError('The connection is closed');
    let answered!: () => void;
    const pong = new Promise<void>((resolve) => (answered = resolve));
    const onPacket = ({ cmd }: Packet): void => {
      if (cmd === 'pingresp') answered();
    };
    client.on('packetreceive', onPacket);
    client.sendPing();
    try {
      await orDeath(client, 'close', 'the broker had answered', pong);
    } finally {
      client.removeListener('packetreceive', onPacket);
    }
  }

  /** Ends subscriptions, in one round trip if there are any, and lets nobody listen to the next borrower's messages. */
  override reset(client: MqttClient): void | Promise<void> {
    takeOffListeners(client);
    const topics = this.topics.get(client)!;
    if (topics.size > 0) return unsubscribe(client, topics);
  }

  override isConnectionError(error: unknown): boolean {
    return error instanceof Error && DEAD.test(error.message);
  }

  override destroy(client: MqttClient): void {
    // Else, after an end() that hangs, this one would do nothing.
    client.disconnecting = false;
    client.end(true);
  }

  protected override async open(given: MqttConnectionOptions, context: ConnectContext): Promise<MqttClient> {
    const { url = '', clientIdPrefix = `${context.pool}-`, ...options } = given;
    const client = connect(url, {
      connectTimeout: NEVER,
      timerVariant: 'native',
      ...options,
      clientId: clientIdPrefix + randomBytes(4).toString('hex'),
      clean: true,
      manualConnect: true,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
    });
    ignoreErrors(client);
    this.noteTopics(client);
    this.leaveNobodyWaiting(client);
    client.connect();
    if (client.stream instanceof Socket) client.stream.setNoDelay(true).setKeepAlive(true, 10_000);
    const accepted = (): Promise<unknown> => once(client as unknown as EventEmitter, 'connect');
    await opening(
      context.signal,
      () => orDeath(client, 'close', 'the broker had accepted it', accepted()),
      () => this.destroy(client),
    );
    return client;
  }

  protected override part(client: MqttClient): Promise<void> {
    return client.endAsync();
  }

  private noteTopics(client: MqttClient): void {
    const topics = new Set<string>();
    this.topics.set(client, topics);
    client.on('packetsend', (packet) => {
      if (packet.cmd === 'subscribe') for (const { topic } of packet.subscriptions) topics.add(topic);
      if (packet.cmd === 'unsubscribe') for (const topic of packet.unsubscriptions) topics.delete(topic);
    });
  }

  /**
   * A client that may connect again keeps what has not been confirmed for then, and whoever awaits that would wait for ever:
   * this one will not. Nor may it keep what it is given when it is dead.
   */
  private leaveNobodyWaiting(client: MqttClient): void {
    client.on('close', () => this.destroy(client));
    client.on('end', () => {
      // The client takes it back right after this event.
      queueMicrotask(() => (client.disconnecting = true));
    });
  }
}

async function unsubscribe(client: MqttClient, topics: ReadonlySet<string>): Promise<void> {
  await client.unsubscribeAsync([...topics]);
}

/** The longest that a timer can take: how long a connect takes is the pool's `connectTimeout`. */
const NEVER = 2 ** 31 - 1;

/** What the client itself says, without a code. */
const DEAD = /^(Connection closed|No connection to broker|client disconnecting|Keepalive timeout)$/;
