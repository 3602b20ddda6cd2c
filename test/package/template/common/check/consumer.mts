import { ConnectionFactory, ConnectionPool, retry, type ConnectionOf, type PoolSettings } from 'nestjs-connection-pool';
import { TcpConnectionFactory } from 'nestjs-connection-pool/factories/tcp';
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
class EchoFactory extends TcpConnectionFactory {
  protected override handshake(socket: ConnectionOf<typeof TcpConnectionFactory>): void {
    socket.setTimeout(1_000);
  }
}
const echo = new ConnectionPool(new EchoFactory({ port: 7 }), settings);
const port: Promise<number | undefined> = echo.use((socket) => socket.remotePort);
// @ts-expect-error: a size is no text
const wrong: PoolSettings = { size: 'many' };

export { used, retried, port, wrong };
