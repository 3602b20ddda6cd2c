import { Client, type ClientConfig } from 'pg';
import type { Askable } from './contestants.js';

/** All that it takes, so that nothing in the environment sends it elsewhere. */
export function configOf(address: string): ClientConfig {
  return {
    ...{ host: '127.0.0.1', port: Number(address), ssl: false },
    ...{ user: 'postgres', database: 'postgres', password: '' },
  };
}

export class PostgresClient extends Client implements Askable {
  isLent = false;
  isDoomed = false;

  static async open(address: string): Promise<PostgresClient> {
    const client = new PostgresClient(configOf(address));
    await client.connect();
    return client;
  }

  ask(number: number): Promise<void> {
    return ask(this, number);
  }
}

export async function ask(client: Client, number: number): Promise<void> {
  const query = { name: 'number', text: 'SELECT $1::int AS number', values: [number] };
  const { rows } = await client.query<{ readonly number: number }>(query);
  if (rows[0]?.number !== number) throw new Error(`${number} was answered ${JSON.stringify(rows)}`);
}
