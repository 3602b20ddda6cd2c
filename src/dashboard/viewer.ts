import type { ServerResponse } from 'node:http';

/** Whoever has taken nothing for so many frames is gone, whatever its socket says. */
const PATIENCE = 60;

/**
 * One open page. A message is written only if the one before has left our hands, so that a slow page costs one message of
 * memory, however long it is slow.
 */
export class Viewer {
  /** Whether it has missed something. */
  isBehind = false;
  /** Whether it has taken all that it was sent. */
  isReady = true;
  private missed = 0;

  /** @param left called once, when it is gone */
  constructor(
    private readonly response: ServerResponse,
    left: () => void,
  ) {
    response.on('drain', () => {
      this.isReady = true;
      this.missed = 0;
    });
    response.once('close', left);
    // A page that goes away in the middle of a message is no error of ours; 'close' follows.
    response.on('error', () => undefined);
  }

  /** @param isAll whether it makes up for all that was missed */
  send(message: string, isAll = false): void {
    if (!this.isReady) {
      this.skip();
      return;
    }
    if (isAll) this.isBehind = false;
    this.isReady = this.response.write(message);
  }

  skip(): void {
    this.isBehind = true;
    if (++this.missed >= PATIENCE) this.response.destroy();
  }

  end(): void {
    // One that does not read would not see its end either.
    if (this.isReady) this.response.end();
    else this.response.destroy();
  }
}
