import { EventEmitter } from 'node:events';
import PgPool from 'pg-pool';
import type { Client, PoolClient } from 'pg';
import { Connection } from '../connection.js';
import { useOf, type MakeSubject, type Subject } from '../subject.js';

type Borrowed = PoolClient & { readonly connection: Connection };

/** pg-pool as it is, over a client that has all that the pool asks of one, and no server behind it. */
export const makePgPool: MakeSubject = ({ size, connect, acquireTimeout }) => {
  class StandInClient extends EventEmitter {
    readonly _queryable = true;
    readonly _ending = false;
    connection = new Connection();

    connect(callback: (error?: Error) => void): void {
      void this.open(callback);
    }

    private async open(callback: (error?: Error) => void): Promise<void> {
      this.connection = await connect();
      callback();
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
  const verbs: Omit<Subject<Borrowed>, 'use'> = {
    acquire: () => pool.connect() as unknown as Promise<Borrowed>,
    connectionOf: (client) => client.connection,
    release: (client) => client.release(),
    discard: (client) => client.release(true),
    close: () => pool.end(),
  };
  return { ...verbs, use: useOf(verbs) };
};
