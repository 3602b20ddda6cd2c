import { EventEmitter } from 'node:events';
import { callbackify } from 'node:util';
import PgPool from 'pg-pool';
import type { Client, PoolClient } from 'pg';
import type { Pooled } from '../connection.js';
import { useOf, type Subject, type SubjectConfig } from '../subject.js';

type Borrowed<C> = PoolClient & { readonly connection: C };

/** pg-pool as it is, over a client that has all that the pool asks of one, and no server behind it. */
export function makePgPool<C extends Pooled>({ size, connect, acquireTimeout }: SubjectConfig<C>): Subject<C> {
  const open = callbackify(connect);
  class StandInClient extends EventEmitter {
    readonly _queryable = true;
    readonly _ending = false;
    /** There from connect() on. */
    connection: C | undefined;

    connect(callback: (error: Error | null) => void): void {
      open((error, connection) => {
        this.connection = connection;
        callback(error);
      });
    }

    end(callback: () => void): void {
      callback();
    }

    ref(): void {}

    unref(): void {}
  }
  const pool = new PgPool<Client>(
    { max: size, min: size, connectionTimeoutMillis: acquireTimeout },
    StandInClient as unknown as new () => Client,
  );
  const verbs: Omit<Subject<C, Borrowed<C>>, 'use'> = {
    acquire: () => pool.connect() as unknown as Promise<Borrowed<C>>,
    connectionOf: (client) => client.connection,
    release: (client) => client.release(),
    discard: (client) => client.release(true),
    close: () => pool.end(),
  };
  return { ...verbs, use: useOf(verbs) };
}
