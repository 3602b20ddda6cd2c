import { Client, type QueryResultRow } from 'pg';
import type { ServerKind } from './server-kind.js';

const ADMINISTRATOR = 'postgres';

/** PostgreSQL that forgets nothing but what a crash of the machine would lose, with these settings besides. */
export function postgres(settings: Readonly<Record<string, string | number>> = {}): ServerKind {
  const all = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: 'off',
    shared_buffers: '16MB',
    // In its folder, not in /dev/shm, where a `kill -9` would leave it.
    dynamic_shared_memory_type: 'mmap',
    ...settings,
  };
  return {
    name: 'PostgreSQL',
    package: 'postgresql',
    binaries: ['postgres', 'initdb'],
    folders: ['/usr/lib/postgresql/*/bin'],
    // The "fast" shutdown: SIGTERM would wait for clients to leave, and a pool never does.
    stopSignal: 'SIGINT',
    prepare: ({ folder, run }) =>
      run('initdb', [
        ...['--pgdata', `${folder}/data`, '--username', ADMINISTRATOR, '--auth', 'trust'],
        ...['--encoding', 'UTF8', '--locale', 'C', '--no-sync'],
      ]),
    args: ({ folder, port }) => [
      ...['-D', `${folder}/data`, '-p', String(port)],
      ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
    ],
    ping: (port) => askPostgres(port, 'SELECT'),
  };
}

/** Asks as the administrator, on a connection of its own; the server keeps a few for him when all others are taken. */
export async function askPostgres<Row extends QueryResultRow>(
  port: number,
  question: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const client = new Client({
    ...{ host: '127.0.0.1', port, user: ADMINISTRATOR, database: 'postgres', password: '', ssl: false },
    connectionTimeoutMillis: 2_000,
    query_timeout: 5_000,
  });
  // One that breaks says so to whoever asks; the event besides must not end the process.
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<Row>(question, [...values]);
    return rows;
  } finally {
    await client.end();
  }
}
