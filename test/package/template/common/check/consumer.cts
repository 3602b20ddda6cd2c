import { ConnectionFactory, ConnectionPool, retry, type ConnectionOf, type PoolSettings } from 'nestjs-connection-pool';
import { VirtualClock } from 'nestjs-connection-pool/testing';

class TicketFactory extends ConnectionFactory<{ ticket: number }> {
  private last = 0;
  override connect(): { ticket: number } {
    return { ticket: ++this.last };
  }
}

const settings: PoolSettings = { size: { min: 0, max: 2 }, keepalive: false, clock: new VirtualClock() };
const pool = new ConnectionPool(new TicketFactory(), settings);
const used: Promise<number> = pool.use((connection: ConnectionOf<typeof TicketFactory>) => connection.ticket);
const retried: Promise<number> = retry(() => pool.use(async ({ ticket }) => ticket), { maxRetries: 1 });
// @ts-expect-error: a size is no text
const wrong: PoolSettings = { size: 'many' };

export { used, retried, wrong };
