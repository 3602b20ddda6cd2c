import { Injectable, NotFoundException, type OnApplicationBootstrap } from '@nestjs/common';
import { InjectPool, Retryable, type PoolOf } from 'nestjs-connection-pool';
import type { ConnectionOf } from 'nestjs-connection-pool';
import { OrdersDb } from './orders.db.js';

type Client = ConnectionOf<typeof OrdersDb>;

export interface Order {
  readonly id: number;
  readonly customer: string;
  readonly item: string;
  readonly amount: number;
  readonly paid: boolean;
}

@Injectable()
export class OrdersService implements OnApplicationBootstrap {
  constructor(@InjectPool(OrdersDb) private readonly pool: PoolOf<typeof OrdersDb>) {}

  @Retryable()
  async onApplicationBootstrap(): Promise<void> {
    await this.pool.use(async (client) => {
      await client.query(
        'CREATE TABLE IF NOT EXISTS stock (item text PRIMARY KEY, amount int NOT NULL CHECK (amount >= 0))',
      );
      await client.query(
        'CREATE TABLE IF NOT EXISTS orders (id int PRIMARY KEY, customer text NOT NULL, item text NOT NULL, amount int NOT NULL, paid boolean NOT NULL DEFAULT false)',
      );
      await client.query("INSERT INTO stock VALUES ('tea', 100), ('coffee', 100) ON CONFLICT DO NOTHING");
    });
  }

  /** May run twice: an order has the number that its customer gave it. */
  @Retryable()
  place(order: Omit<Order, 'paid'>): Promise<{ placed: boolean }> {
    return this.pool.use((client) =>
      inTransaction(client, async () => {
        const { id, customer, item, amount } = order;
        const { rowCount } = await client.query(
          'INSERT INTO orders (id, customer, item, amount) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
          [id, customer, item, amount],
        );
        if (rowCount === 0) return { placed: false };
        await client.query('UPDATE stock SET amount = amount - $1 WHERE item = $2', [amount, item]);
        return { placed: true };
      }),
    );
  }

  /** Must not run twice, so it is not retried: whether the first did its work nobody knows if the connection breaks. */
  pay(id: number): Promise<Order> {
    return this.pool.use(async (client) => {
      const { rows } = await client.query<Order>('UPDATE orders SET paid = true WHERE id = $1 RETURNING *', [id]);
      const [order] = rows;
      if (order === undefined) throw new NotFoundException(`There is no order ${id}`);
      return order;
    });
  }

  @Retryable()
  all(): Promise<Order[]> {
    return this.pool.use(async (client) => {
      const { rows } = await client.query<Order>('SELECT * FROM orders ORDER BY id');
      return rows;
    });
  }

  /** A borrower who begins a transaction and forgets it. */
  async careless(): Promise<void> {
    await this.pool.use(async (client) => {
      await client.query('BEGIN');
      await client.query('DELETE FROM orders');
    });
  }
}

/** Where it fails the connection comes back in the middle of a transaction, which the factory rolls back. */
async function inTransaction<R>(client: Client, work: () => Promise<R>): Promise<R> {
  await client.query('BEGIN');
  const result = await work();
  await client.query('COMMIT');
  return result;
}
