import type { VirtualClock } from '../../../src/testing/index.js';
import type { MailClient } from './mail-client.js';

/** A client without a server: every search takes 20 ms and finds two mails, unless the connection ends meanwhile. */
export class FakeMailClient implements MailClient {
  searches = 0;

  constructor(
    private readonly clock: VirtualClock,
    private readonly ended: AbortSignal,
  ) {}

  async search(): Promise<number[]> {
    this.searches++;
    await this.clock.sleep(20, this.ended);
    return [7, 9];
  }

  async noop(): Promise<void> {}

  async logout(): Promise<void> {}
}
