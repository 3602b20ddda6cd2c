import { createClient } from 'redis';
import type { ServerKind } from './server-kind.js';

/** Redis that keeps nothing on disk, with these settings besides. */
export function redis(settings: Readonly<Record<string, string | number>> = {}): ServerKind {
  return {
    name: 'Redis',
    package: 'redis-server',
    binaries: ['redis-server'],
    stopSignal: 'SIGTERM',
    args: ({ folder, port }) =>
      Object.entries({ port, bind: '127.0.0.1', dir: folder, save: '', appendonly: 'no', ...settings }).flatMap(
        ([name, value]) => [`--${name}`, String(value)],
      ),
    ping: (port) => askRedis(port, 'PING'),
  };
}

/** Sends one command, on a connection of its own. */
export async function askRedis(port: number, ...command: string[]): Promise<unknown> {
  const client = createClient({
    socket: { host: '127.0.0.1', port, connectTimeout: 2_000, reconnectStrategy: false },
    disableClientInfo: true,
  });
  // One that breaks says so to whoever asks; the event besides must not end the process.
  client.on('error', () => {});
  try {
    await client.connect();
    return await client.sendCommand(command);
  } finally {
    client.destroy();
  }
}
