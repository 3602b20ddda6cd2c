import type { Server } from 'node:net';
import process from 'node:process';

export const LOOPBACK = '127.0.0.1';

/** Where the search for a free port begins and ends: below those that systems give to whoever asks for any. */
const FIRST = 12_000;
const PORTS = 16_000;

/**
 * Listens on a port that stays free while nobody listens there. One from the system's own range would not: while a
 * listener is down, somebody else may be given its port, and a client that dials it may even be connected to itself.
 */
export async function listen(server: Server): Promise<number> {
  // Processes that run side by side begin at different places.
  const start = (process.pid * 127) % PORTS;
  for (let tried = 0; tried < PORTS; tried++) {
    const port = FIRST + ((start + tried) % PORTS);
    if (await listenOn(server, port)) return port;
  }
  throw new Error(`no port from ${FIRST} to ${FIRST + PORTS} is free on ${LOOPBACK}`);
}

/** False if the port is taken. */
export function listenOn(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      server.off('listening', onListening);
      if (error.code === 'EADDRINUSE') resolve(false);
      else reject(error);
    };
    const onListening = (): void => {
      server.off('error', onError);
      resolve(true);
    };
    server.once('error', onError).once('listening', onListening);
    server.listen(port, LOOPBACK);
  });
}
