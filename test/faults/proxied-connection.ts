import { performance } from 'node:perf_hooks';
import { Socket } from 'node:net';
import type { FaultyConnection, Random } from './fault.js';
import { readSpecs, type FaultSpec, type ReadFault } from './fault-spec.js';
import { sizeOf, Way, type Packet, type Stage } from './way.js';

/** Longer than this is for ever: Node's timers know no more. */
const FOR_EVER = 2 ** 31 - 1;

export interface ProxiedConnectionOptions {
  /** 1 for the first that the proxy accepted. */
  readonly id: number;
  readonly random: Random;
  /** How long the proxy's end stays open when the client has left and nobody answers it, in milliseconds. */
  readonly linger: number;
  /** Called once, when both sides are closed. */
  readonly over: () => void;
}

/** A connection that the proxy has accepted: the client's socket, the server's, and what is wrong between them. */
export class ProxiedConnection implements FaultyConnection {
  readonly id: number;
  /** The port that the client dialled from, by which a test can tell whose connection it is. */
  readonly clientPort: number;
  /** From the client to the server, and back. */
  readonly up: Way;
  readonly down: Way;
  /** The names of the faults that were applied to it, in order. */
  readonly faults: string[] = [];
  readonly random: Random;
  private readonly server = new Socket({ allowHalfOpen: true });
  /** The sides that take no more for now. */
  private readonly full = new Set<Socket>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private readonly options: ProxiedConnectionOptions;
  private isDialled = false;
  private clientLeft = false;
  private closedSides = 0;
  private lastPacketAt = performance.now();

  constructor(
    private readonly client: Socket,
    options: ProxiedConnectionOptions,
  ) {
    this.id = options.id;
    this.clientPort = client.remotePort ?? 0;
    this.random = options.random;
    this.options = options;
    const later = (delay: number, act: () => void): void => this.later(delay, act);
    this.up = new Way(client, { later, deliver: (packet) => this.deliver(packet, this.up, this.server) });
    this.down = new Way(this.server, { later, deliver: (packet) => this.deliver(packet, this.down, client) });
    this.listen(client, this.up);
    this.listen(this.server, this.down);
    client.on('end', () => this.leave()).on('close', () => this.leave());
  }

  /** Whether the client still has its end, as far as anybody can tell here: it has sent neither FIN nor RST. */
  get isOpen(): boolean {
    return !this.clientLeft;
  }

  private get isOver(): boolean {
    return this.closedSides === 2;
  }

  /**
   * Makes it bad from now on, in addition to what is wrong with it already; several faults act in the order given.
   * @throws PoolSettingsError which names what is wrong, what was received, and what is allowed
   */
  apply(...faults: readonly FaultSpec[]): this {
    for (const fault of readSpecs(faults, 'apply').flat()) this.afflict(fault);
    return this;
  }

  /** Begins to talk to the server, unless what is wrong with it forbids that. */
  dial(port: number, host: string): void {
    if (this.server.destroyed) return;
    this.isDialled = true;
    this.server.connect({ port, host, noDelay: true });
  }

  /** Applies a fault that was read before: now, or when its time has come. */
  afflict({ name, fault, options, timing }: ReadFault): void {
    this.faults.push(name);
    const { after, afterBytes, afterIdle, way = 'both' } = timing;
    const affected = way === 'both' ? [this.up, this.down] : [this[way]];
    const stages = new Map<Way, Stage>();
    let missing = afterBytes ?? Infinity;
    let hasBegun = false;
    const begin = (): void => {
      if (hasBegun) return;
      hasBegun = true;
      for (const each of affected) stages.set(each, fault.stage?.(each, options, this) ?? forward);
      fault.begin?.(this, options);
    };
    for (const each of affected) {
      each.add((packet, pass) => {
        if (hasBegun) return stages.get(each)!(packet, pass);
        const [before, rest] = cut(packet, missing);
        missing -= sizeOf(packet);
        pass(before);
        if (missing <= 0) begin();
        if (rest !== undefined) stages.get(each)!(rest, pass);
      });
    }
    if (after !== undefined) this.later(after, begin);
    if (afterIdle !== undefined) this.whenIdle(afterIdle, begin);
    if (after === undefined && afterBytes === undefined && afterIdle === undefined) begin();
  }

  // What faults do -------------------------------------------------------------------------------------------------

  reset(): void {
    this.mute();
    cutOff(this.client);
    this.isolate();
  }

  end(): void {
    this.mute();
    this.client.end();
    if (this.isDialled) this.server.end();
    else this.server.destroy();
  }

  isolate(): void {
    if (this.server.pending) this.server.destroy();
    else cutOff(this.server);
  }

  say(text: string): void {
    this.down.feed({ kind: 'data', bytes: Buffer.from(text) });
  }

  later(delay: number, act: () => void): void {
    if (this.isOver || delay > FOR_EVER) return;
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      act();
    }, delay);
    this.timers.add(timer);
  }

  // ----------------------------------------------------------------------------------------------------------------

  /** Cuts everything off, for the proxy closes. Resolves when both sockets are closed. */
  async close(): Promise<void> {
    const sides = [this.client, this.server].filter((socket) => !socket.closed);
    const closed = sides.map((socket) => new Promise((resolve) => socket.once('close', resolve)));
    this.client.destroy();
    this.server.destroy();
    await Promise.all(closed);
  }

  private listen(socket: Socket, way: Way): void {
    socket.on('data', (bytes) => this.take({ kind: 'data', bytes }, way));
    socket.on('end', () => this.take({ kind: 'end' }, way));
    // Told by 'close' as well.
    socket.on('error', () => {});
    socket.on('close', (hadError) => {
      // Whatever the error was, whoever is at the other side can only be told that the connection is lost.
      if (hadError) this.take({ kind: 'reset' }, way);
      this.closedSides++;
      if (this.isOver) this.finish();
    });
  }

  private take(packet: Packet, way: Way): void {
    this.lastPacketAt = performance.now();
    way.feed(packet);
  }

  private deliver(packet: Packet, way: Way, to: Socket): void {
    if (packet.kind === 'reset') {
      cutOff(to);
    } else if (packet.kind === 'end') {
      to.end();
    } else if (!to.destroyed && !to.writableEnded && !to.write(packet.bytes) && !this.full.has(to)) {
      this.full.add(to);
      way.hold();
      const goOn = (): void => {
        to.off('drain', goOn).off('close', goOn);
        this.full.delete(to);
        way.release();
      };
      to.on('drain', goOn).on('close', goOn);
    }
  }

  /** Nothing goes through any more. */
  private mute(): void {
    for (const way of [this.up, this.down]) way.add(() => {});
  }

  private leave(): void {
    if (this.clientLeft) return;
    this.clientLeft = true;
    this.later(this.options.linger, () => void this.close());
  }

  private whenIdle(idle: number, act: () => void): void {
    const look = (): void => {
      const left = this.lastPacketAt + idle - performance.now();
      if (left <= 0) act();
      else this.later(Math.ceil(left), look);
    };
    look();
  }

  private finish(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    this.options.over();
  }
}

/** With a RST; while a FIN is under way libuv refuses that, and Node would never close the socket. */
function cutOff(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}

const forward: Stage = (packet, pass) => pass(packet);

/** The packet as far as so many bytes, and what is left of it, if anything. */
function cut(packet: Packet, size: number): [Packet, Packet?] {
  if (packet.kind !== 'data' || packet.bytes.length <= size) return [packet];
  const { bytes } = packet;
  return [
    { kind: 'data', bytes: bytes.subarray(0, size) },
    { kind: 'data', bytes: bytes.subarray(size) },
  ];
}
