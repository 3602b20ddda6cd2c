import { Pool } from 'pg';
import { useOf, type Subject } from '../subject.js';
import { configOf, PostgresClient } from './postgres-client.js';
import type { PoolClient } from 'pg';

type Borrowed = PoolClient & PostgresClient;

/** pg's own pool, over its own clients. */
export function makePostgresPool(address: string, size: number): Subject<PostgresClient> {
  // Those that are idle while others have their turn are kept.
  const pool = new Pool({ ...configOf(address), max: size, min: size, Client: PostgresClient });
  const verbs: Omit<Subject<PostgresClient, Borrowed>, 'use'> = {
    acquire: () => pool.connect() as Promise<Borrowed>,
    connectionOf: (client) => client,
    release: (client) => client.release(),
    discard: (client) => client.release(true),
    close: () => pool.end(),
  };
  return { ...verbs, use: useOf(verbs) };
}
