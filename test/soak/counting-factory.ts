import { ConnectionFactory } from '../../src/pool/connection-factory.js';
import type { CloseReason, ConnectContext, HookContext } from '../../src/pool/connection-factory.js';
import { LineClient, type Address } from '../faults/line-client.js';

/** Opens clients of a line server and counts what it does; it remembers only those that are open, however long it runs. */
export class CountingFactory extends ConnectionFactory<LineClient> {
  static override poolName = 'soak';

  readonly live = new Set<LineClient>();
  readonly counts = { connects: 0, opened: 0, failed: 0, closed: 0, pings: 0, resets: 0 };
  /** Replies that were another caller's. */
  readonly stale: string[] = [];

  constructor(private readonly address: Address) {
    super();
  }

  override async connect({ signal }: ConnectContext): Promise<LineClient> {
    this.counts.connects++;
    let client: LineClient;
    try {
      client = await LineClient.open(this.address, 'ann', signal);
    } catch (error) {
      this.counts.failed++;
      throw error;
    }
    this.counts.opened++;
    this.live.add(client);
    return client;
  }

  override async keepalive(client: LineClient, { signal }: HookContext): Promise<void> {
    this.counts.pings++;
    await client.request('PING', '', signal);
  }

  override async reset(client: LineClient, { signal }: HookContext): Promise<void> {
    this.counts.resets++;
    await client.request('RESET', '', signal);
  }

  override async close(client: LineClient, reason: CloseReason): Promise<void> {
    this.counts.closed++;
    this.live.delete(client);
    this.stale.push(...client.stale);
    if (reason === 'broken') client.destroy();
    else await client.end();
  }
}
