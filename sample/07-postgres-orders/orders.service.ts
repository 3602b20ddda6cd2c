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
  /** Money that has been taken for it. */
  readonly paid: number;
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
        'CREATE TABLE IF NOT EXISTS orders (id int PRIMARY KEY, customer text NOT NULL, item text NOT NULL, amount int NOT NULL, paid int NOT NULL DEFAULT 0)',
      );
      await client.query("INSERT INTO stock VALUES ('tea', 100), ('coffee', 100) ON CONFLICT DO NOTHING");
    });
  }

  /** May run twice: an order has the number that its customer gave it, and what comes out is what there is then. */
  @Retryable()
  place({ id, customer, item, amount }: Omit<Order, 'paid'>): Promise<Order> {
    return this.pool.use((client) =>
      inTransaction(client, async () => {
        const { rowCount } = await client.query(
          'INSERT INTO orders (id, customer, item, amount) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
          [id, customer, item, amount],
        );
        // The stock only once, whether the first try came as far as its COMMIT or not.
        if (rowCount === 1) await client.query('UPDATE stock SET amount = amount - $1 WHERE item = $2', [amount, item]);
        return find(client, id);
      }),
    );
  }

  /**
   * Must not run twice, for it would take the money twice, so it is not retried: whether the first did its work nobody knows
   * if the connection breaks before it has answered.
   */
  pay(id: number, money: number): Promise<Order> {
    return this.pool.use(async (client) => {
      await client.query('UPDATE orders SET paid = paid + $2 WHERE id = $1', [id, money]);
      return find(client, id);
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

async function find(client: Client, id: number): Promise<Order> {
  const { rows } = await client.query<Order>('SELECT * FROM orders WHERE id = $1', [id]);
  const [order] = rows;
  if (order === undefined) throw new NotFoundException(`There is no order ${id}`);
  return order;
}

/** Where it fails the connection comes back in the middle of a transaction, which the factory rolls back. */
async function inTransaction<R>(client: Client, work: () => Promise<R>): Promise<R> {
  await client.query('BEGIN');
  const result = await work();
  await client.query('COMMIT');
  return result;
}
