import { createServer, type Server, type Socket } from 'node:net';
import { describeValue, duration, isPlainObject, readObject, rule, wholeNumber } from '../../src/pool/rules.js';
import { VirtualClock } from '../../src/testing/virtual-clock.js';
import type { Random } from './fault.js';
import { reading, readSpecs, type FaultSpec, type FaultSpecs, type ReadFault } from './fault-spec.js';
import { listen, listenOn, LOOPBACK } from './loopback.js';
import { ProxiedConnection } from './proxied-connection.js';

export interface FaultProxyOptions {
  /** The port on 127.0.0.1 to which connections are forwarded. */
  readonly upstream: number;
  /** Seeds all that is random: connection n is always as jittery as it was. Default: 1. */
  readonly seed?: number;
  /** How long a socket whose client has left stays open when nobody answers its FIN, in milliseconds. Default: 30 s. */
  readonly linger?: number;
}

const RULES = {
  upstream: rule('a port from 1 to 65535', (value) => (isPort(value) ? value : undefined)),
  seed: wholeNumber(0),
  linger: duration(),
};

/**
 * A TCP proxy on loopback that misbehaves as it is told: each connection with faults of its own, from the accept on or
 * later, while it is live. TLS goes through it as the bytes that it is, so that a handshake can be cut after any of them.
 *
 * The faults, their options and defaults are in {@link FAULTS}; each also takes `after`, `afterBytes`, `afterIdle` and
 * `way`. Several on one connection act in the order given: what was done to a packet by one, the next gets.
 *
 * Where the server cannot be reached, a client is accepted and then reset, as by a load balancer with nothing behind it.
 *
 * @example
 * const proxy = await FaultProxy.launch({ upstream: server.port });
 * proxy.next('silent', ['split', { fault: 'latency', delay: 20, jitter: 5 }]);   // the next two connections, once each
 * proxy.always({ fault: 'reset', afterBytes: 100, way: 'down' });                // all others
 * proxy.connections[0]?.apply('halfOpen');                                       // one that is live
 * proxy.apply('reset');                                                          // all that are
 * proxy.down();                                                                  // refuse
 */
export class FaultProxy {
  readonly host = LOOPBACK;
  /** How many connections it has ever accepted. */
  accepted = 0;
  private _port = 0;
  private listener: Server | undefined;
  private listening = Promise.resolve();
  private readonly live = new Set<ProxiedConnection>();
  private coming: ReadFault[][] = [];
  private usual: ReadFault[] = [];
  private readonly past = { up: 0, down: 0 };

  private constructor(
    private readonly upstream: number,
    private readonly seed: number,
    private readonly linger: number,
  ) {}

  /** @throws PoolSettingsError which names what is wrong, what was received, and what is allowed */
  static async launch(options: FaultProxyOptions): Promise<FaultProxy> {
    const { upstream, seed, linger } = reading('the fault proxy', (reading) => {
      if (!isPlainObject(options)) {
        reading.faults.push({
          path: 'options',
          received: describeValue(options),
          allowed: '{ upstream, seed, linger }',
        });
        return {};
      }
      const given = readObject<Required<FaultProxyOptions>>(options, RULES, '', reading);
      if (options.upstream === undefined) RULES.upstream.read(undefined, 'upstream', reading);
      return given;
    });
    const proxy = new FaultProxy(upstream!, seed ?? 1, linger ?? 30_000);
    proxy.listener = proxy.makeListener();
    proxy._port = await listen(proxy.listener);
    return proxy;
  }

  /** Where it listens; the same after it was down. */
  get port(): number {
    return this._port;
  }

  /** What is wrong with the next connections, once each: `next('silent', ['split', 'latency'])` is for two of them. */
  next(...each: readonly FaultSpecs[]): this {
    this.coming.push(...readSpecs(each, 'next'));
    return this;
  }

  /** What is wrong with every connection for which {@link next} said nothing. Without arguments: nothing. */
  always(...faults: readonly FaultSpec[]): this {
    this.usual = readSpecs(faults, 'always').flat();
    return this;
  }

  /** Makes all connections bad that are open now. */
  apply(...faults: readonly FaultSpec[]): this {
    const read = readSpecs(faults, 'apply').flat();
    for (const connection of this.connections) for (const fault of read) connection.afflict(fault);
    return this;
  }

  /**
   * Ends the script: it listens, and connections from now on are sound. Those that are bad stay so, for what was swallowed
   * is gone.
   */
  async heal(): Promise<void> {
    this.coming = [];
    this.usual = [];
    await this.up();
  }

  /** Stops listening: connects are refused. Connections that are open stay so. */
  down(): void {
    // One that is just getting up is closed when it is up.
    if (this.listener?.listening === true) this.listener.close();
    this.listener = undefined;
  }

  /** Listens again, on the same port. */
  up(): Promise<void> {
    if (this.listener === undefined) {
      this.listener = this.makeListener();
      this.listening = this.listenAgain(this.listener);
    }
    return this.listening;
  }

  /** The connections whose clients have not left, in the order in which they were accepted. */
  get connections(): readonly ProxiedConnection[] {
    return [...this.live].filter((connection) => connection.isOpen);
  }

  /** How many of them there are. */
  get open(): number {
    return this.connections.length;
  }

  /** How many bytes came from clients, and from the server, whatever became of them. */
  get bytes(): { readonly up: number; readonly down: number } {
    const { up, down } = this.past;
    const live = [...this.live];
    return {
      up: live.reduce((sum, connection) => sum + connection.up.bytes, up),
      down: live.reduce((sum, connection) => sum + connection.down.bytes, down),
    };
  }

  /** Stops listening and cuts everything off. Resolves when no socket is left. */
  async close(): Promise<void> {
    this.down();
    await Promise.all([...this.live].map((connection) => connection.close()));
  }

  private async listenAgain(listener: Server): Promise<void> {
    if (!(await listenOn(listener, this.port))) throw new Error(`somebody else has taken port ${this.port}`);
    // Taken down meanwhile.
    if (this.listener !== listener) listener.close();
  }

  private makeListener(): Server {
    return createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.accept(socket));
  }

  private accept(socket: Socket): void {
    const id = ++this.accepted;
    const connection = new ProxiedConnection(socket, {
      id,
      random: seededRandom(this.seed + id),
      linger: this.linger,
      over: () => this.forget(connection),
    });
    this.live.add(connection);
    for (const fault of this.coming.shift() ?? this.usual) connection.afflict(fault);
    connection.dial(this.upstream, LOOPBACK);
  }

  private forget(connection: ProxiedConnection): void {
    this.live.delete(connection);
    this.past.up += connection.up.bytes;
    this.past.down += connection.down.bytes;
  }
}

/** Numbers that are always the same for the same seed. */
export function seededRandom(seed: number): Random {
  const clock = new VirtualClock({ seed });
  return () => clock.random();
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) > 0 && (value as number) < 65_536;
}
