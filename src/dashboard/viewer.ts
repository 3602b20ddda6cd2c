import type { ServerResponse } from 'node:http';
import type { Clock } from '../pool/clock.js';

/** Whoever has taken nothing for so long is gone, whatever its socket says; in milliseconds. */
const PATIENCE = 60_000;

/**
 * One open page. A message is written only if the one before has left our hands, so that a slow page costs one message of
 * memory, however long it is slow.
 */
export class Viewer {
  /** Whether it has missed something. */
  isBehind = false;
  /** Since when it has not taken what it was sent. */
  private stuckSince: number | undefined;

  /**
   * @param renewAt when it has to ask anew whether it may look
   * @param left called once, when it is gone
   */
  constructor(
    private readonly response: ServerResponse,
    private readonly clock: Clock,
    private readonly renewAt: number,
    left: () => void,
  ) {
    response.on('drain', () => (this.stuckSince = undefined));
    response.once('close', left);
    // A page that goes away in the middle of a message is no error of ours; 'close' follows.
    response.on('error', () => undefined);
  }

  /** Whether it has taken all that it was sent. */
  get isReady(): boolean {
    return this.stuckSince === undefined;
  }

  /** Whether it has looked for as long as it may without being asked for its rights again. */
  get isOver(): boolean {
    return this.clock.now() >= this.renewAt;
  }

  /** To be called only if it is ready. */
  send(message: string): void {
    if (!this.response.write(message)) this.stuckSince = this.clock.now();
  }

  /** It is not ready for what there is to tell. */
  skip(): void {
    this.isBehind = true;
    if (this.clock.now() - this.stuckSince! >= PATIENCE) this.response.destroy();
  }

  end(message?: string): void {
    // One that does not read would not see its end either.
    if (this.isReady) this.response.end(message);
    else this.response.destroy();
  }
}
