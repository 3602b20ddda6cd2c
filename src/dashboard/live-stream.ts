import type { ServerResponse } from 'node:http';
import type { BeforeApplicationShutdown } from '@nestjs/common';
import type { Frame } from './frames.js';
import type { Sampler } from './sampler.js';
import { Viewer } from './viewer.js';

/**
 * The pages that are open, each with a stream of server-sent events. The first has the sampler started, the last that leaves
 * has it stopped.
 */
export class LiveStream implements BeforeApplicationShutdown {
  private readonly viewers = new Set<Viewer>();
  private closed = false;

  constructor(private readonly sampler: Sampler) {}

  /** Sends everything to this response from now on; its head has yet to be written. */
  attach(response: ServerResponse): void {
    if (this.closed) {
      response.writeHead(503).end();
      return;
    }
    // Who has gone while a guard was deciding does not go once more.
    if (response.destroyed || response.closed) return;
    if (this.viewers.size === 0) this.sampler.start((frame) => this.show(frame));
    const viewer = new Viewer(response, () => this.leave(viewer));
    this.viewers.add(viewer);
    this.catchUp(viewer);
  }

  /** Before Nest closes the server, which waits for every response to end. */
  beforeApplicationShutdown(): void {
    this.closed = true;
    for (const viewer of [...this.viewers]) viewer.end();
    // Not when they have gone, for what they listen to may outlive the application.
    this.viewers.clear();
    this.sampler.stop();
  }

  private show(frame: Frame): void {
    // Written once for all.
    const message = messageOf('frame', frame);
    for (const viewer of [...this.viewers]) {
      // What a slow one has missed it need not have: it is told how things stand.
      if (viewer.isBehind) this.catchUp(viewer);
      else viewer.send(message);
    }
  }

  private catchUp(viewer: Viewer): void {
    if (viewer.isReady) viewer.send(messageOf('snapshot', this.sampler.snapshot()), true);
    else viewer.skip();
  }

  private leave(viewer: Viewer): void {
    if (this.viewers.delete(viewer) && this.viewers.size === 0) this.sampler.stop();
  }
}

function messageOf(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
