import type { ServerResponse } from 'node:http';
import type { BeforeApplicationShutdown } from '@nestjs/common';
import type { Clock, Timer } from '../pool/clock.js';
import type { Frame } from './frames.js';
import type { Sampler } from './sampler.js';
import { Viewer } from './viewer.js';

/**
 * How long the sampler goes on when the last page has gone, in milliseconds: one that is loaded again, or whose stream is
 * renewed, finds its lines as they were.
 */
const LINGER = 10_000;

/** The part of a stream's life that is drawn by lot, so that pages which came at once do not all come back at once. */
const SPREAD = 0.2;

/** Has a page open another stream at once. The data is nothing, but without any there would be no event. */
const RENEW = messageOf('renew', null);

/**
 * The pages that are open, each with a stream of server-sent events. The first has the sampler started; some seconds after the
 * last has left it is stopped.
 *
 * No stream goes on for ever, for guards are asked only when one begins.
 */
export class LiveStream implements BeforeApplicationShutdown {
  private readonly viewers = new Set<Viewer>();
  private lingering: Timer | undefined;
  /** How things stood at the last look, once somebody has asked: written once for all. */
  private snapshot: string | undefined;
  private closed = false;

  /** @param lifetime of a stream, in milliseconds */
  constructor(
    private readonly sampler: Sampler,
    private readonly clock: Clock,
    private readonly lifetime: number,
  ) {}

  /** Sends everything to this response from now on; its head has yet to be written. */
  attach(response: ServerResponse): void {
    if (this.closed) {
      response.writeHead(503).end();
      return;
    }
    // Who has gone while a guard was deciding does not go once more.
    if (response.destroyed || response.closed) return;
    this.stopLingering();
    this.sampler.start((frame) => this.show(frame));
    const renewAt = this.clock.now() + this.lifetime * (1 - SPREAD * this.clock.random());
    const viewer = new Viewer(response, this.clock, renewAt, () => this.leave(viewer));
    this.viewers.add(viewer);
    viewer.send(this.everything());
  }

  /** Before Nest closes the server, which waits for every response to end. */
  beforeApplicationShutdown(): void {
    this.closed = true;
    for (const viewer of [...this.viewers]) viewer.end();
    // Not when they have gone, for what they listen to may outlive the application.
    this.viewers.clear();
    this.stopLingering();
    this.stop();
  }

  private show(frame: Frame): void {
    this.snapshot = undefined;
    if (this.viewers.size === 0) return;
    // Written once for all.
    const message = messageOf('frame', frame);
    for (const viewer of [...this.viewers]) {
      if (!viewer.isReady) viewer.skip();
      else if (viewer.isOver) this.renew(viewer);
      else if (viewer.isBehind) this.catchUp(viewer);
      else viewer.send(message);
    }
  }

  /** What a slow one has missed it need not have: it is told how things stand. */
  private catchUp(viewer: Viewer): void {
    viewer.isBehind = false;
    viewer.send(this.everything());
  }

  private renew(viewer: Viewer): void {
    this.leave(viewer);
    viewer.end(RENEW);
  }

  private everything(): string {
    return (this.snapshot ??= messageOf('snapshot', this.sampler.snapshot()));
  }

  private leave(viewer: Viewer): void {
    if (!this.viewers.delete(viewer) || this.viewers.size > 0) return;
    this.lingering = this.clock.setTimeout(() => this.stop(), LINGER);
    // Nobody waits for this.
    this.lingering.unref();
  }

  private stopLingering(): void {
    if (this.lingering !== undefined) this.clock.clearTimeout(this.lingering);
    this.lingering = undefined;
  }

  private stop(): void {
    this.sampler.stop();
    this.snapshot = undefined;
  }
}

function messageOf(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
