import { performance } from 'node:perf_hooks';
import type { Socket } from 'node:net';

/** What goes over a connection: bytes, the end of them (FIN), or a reset (RST). */
export type Packet =
  { readonly kind: 'data'; readonly bytes: Buffer } | { readonly kind: 'end' } | { readonly kind: 'reset' };

/** Lets a packet go on. */
export type Pass = (packet: Packet) => void;

/** What a fault does to packets of one way: pass them on at once or later, changed, in pieces, or not at all. */
export type Stage = (packet: Packet, pass: Pass) => void;

/** A stage that holds back more than this stops reading, so that the sender's writes back up as on a slow line. */
const HIGH_WATER = 64 * 1024;

/** What a way needs of the connection that it is a half of. */
export interface WayEnds {
  /** Calls back after so many milliseconds, unless the connection is closed by then. */
  later(delay: number, act: () => void): void;
  /** Hands the packet to the other side. */
  deliver(packet: Packet): void;
}

/** One direction of a connection: packets come in from one side, go through the stages in order, and out at the other. */
export class Way {
  /** Bytes that came in, whatever became of them. */
  bytes = 0;
  private readonly stages: Stage[] = [];
  private holds = 0;

  /** @param source where the packets come from, which is paused while too many are held back */
  constructor(
    private readonly source: Pick<Socket, 'pause' | 'resume'>,
    private readonly ends: WayEnds,
  ) {}

  /** Sends all that comes from now on through this stage too, after those there are. */
  add(stage: Stage): void {
    this.stages.push(stage);
  }

  feed(packet: Packet): void {
    this.bytes += sizeOf(packet);
    this.step(packet, 0);
  }

  /** Nothing is read while this was called more often than {@link release}. */
  hold(): void {
    if (this.holds++ === 0) this.source.pause();
  }

  release(): void {
    if (--this.holds === 0) this.source.resume();
  }

  /**
   * A stage that lets packets go in the order in which they came.
   *
   * @param due when a packet may go, given when the one before it may and what time it is; Infinity is never
   * @param apart whether two never go in the same turn of the event loop, however late they are
   */
  inTime(due: (packet: Packet, previous: number, now: number) => number, apart = false): Stage {
    const waiting: Array<{ readonly at: number; readonly packet: Packet; readonly pass: Pass }> = [];
    let previous = 0;
    let held = 0;
    const count = (bytes: number): void => {
      const wasHigh = held > HIGH_WATER;
      held += bytes;
      if (held > HIGH_WATER && !wasHigh) this.hold();
      if (held <= HIGH_WATER && wasHigh) this.release();
    };
    // Only for the first, for timers of different lengths may fire in another order than that in which they are due.
    const setTimer = (): void => {
      if (waiting.length > 0) this.ends.later(Math.max(0, waiting[0]!.at - performance.now()), letGo);
    };
    const letGo = (): void => {
      const now = performance.now();
      do {
        const { packet, pass } = waiting.shift()!;
        count(-sizeOf(packet));
        pass(packet);
      } while (!apart && waiting.length > 0 && waiting[0]!.at <= now);
      setTimer();
    };
    return (packet, pass) => {
      previous = due(packet, previous, performance.now());
      count(sizeOf(packet));
      if (waiting.push({ at: previous, packet, pass }) === 1) setTimer();
    };
  }

  private step(packet: Packet, place: number): void {
    const stage = this.stages[place];
    if (stage === undefined) this.ends.deliver(packet);
    else stage(packet, (passed) => this.step(passed, place + 1));
  }
}

export function sizeOf(packet: Packet): number {
  return packet.kind === 'data' ? packet.bytes.length : 0;
}

/** The packet in pieces of so many bytes; what is no data stays whole. */
export function pieces(packet: Packet, size: number): Packet[] {
  if (packet.kind !== 'data') return [packet];
  const count = Math.ceil(packet.bytes.length / size);
  return Array.from({ length: count }, (_, i) => ({
    kind: 'data',
    bytes: packet.bytes.subarray(i * size, (i + 1) * size),
  }));
}

/** The packets with all bytes that follow each other in one. */
export function merged(packets: readonly Packet[]): Packet[] {
  const bytes = packets.flatMap((packet) => (packet.kind === 'data' ? [packet.bytes] : []));
  const rest = packets.filter(({ kind }) => kind !== 'data');
  // Nothing comes after the end or a reset.
  return bytes.length === 0 ? rest : [{ kind: 'data', bytes: Buffer.concat(bytes) }, ...rest];
}
