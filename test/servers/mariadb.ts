import type { Socket } from 'node:net';
import { createConnection } from 'mysql2';
import type { RowDataPacket } from 'mysql2/promise';
import type { ServerKind } from './server-kind.js';

const INSTALL = '../bin/mariadb-install-db';

/** MariaDB that forgets nothing but what a crash of the machine would lose, with these settings besides. */
export function mariadb(settings: Readonly<Record<string, string | number>> = {}): ServerKind {
  const all = {
    'bind-address': '127.0.0.1',
    'skip-name-resolve': 'ON',
    'skip-log-bin': 'ON',
    'performance-schema': 'OFF',
    'innodb-flush-log-at-trx-commit': 2,
    'innodb-buffer-pool-size': '8M',
    'innodb-log-file-size': '4M',
    'innodb-doublewrite': 'OFF',
    'innodb-fast-shutdown': 2,
    ...settings,
  };
  return {
    name: 'MariaDB',
    package: 'mariadb-server',
    // Debian has them apart.
    binaries: ['mariadbd', INSTALL],
    folders: ['/usr/sbin'],
    stopSignal: 'SIGTERM',
    prepare: ({ folder, run }) =>
      run(INSTALL, [
        ...['--no-defaults', '--skip-test-db', '--auth-root-authentication-method=normal'],
        `--datadir=${folder}/data`,
      ]),
    args: ({ folder, port }) => [
      ...['--no-defaults', `--datadir=${folder}/data`, `--socket=${folder}/socket`, `--port=${port}`],
      ...Object.entries(all).map(([name, value]) => `--${name}=${value}`),
    ],
    ping: (port) => askMariadb(port, 'DO 0'),
  };
}

/** Asks as the administrator, on a connection of its own. */
export async function askMariadb<Row extends RowDataPacket>(
  port: number,
  question: string,
  values: readonly unknown[] = [],
): Promise<Row[]> {
  const connection = createConnection({ host: '127.0.0.1', port, user: 'root', connectTimeout: 2_000 });
  // One that breaks says so to whoever asks; the event besides must not end the process.
  connection.on('error', () => {});
  try {
    const [rows] = await connection.promise().query<Row[]>(question, [...values]);
    return rows;
  } finally {
    // At once: the connection's own destroy() waits for the server.
    (connection as unknown as { readonly stream: Socket }).stream.destroy();
  }
}
