import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { AddressInfo, Server } from 'node:net';
import process from 'node:process';
import type { Service } from '../scenario.js';

/** Milliseconds in which a server has to listen. */
const PATIENCE = 10_000;

/** Starts a program that calls serveParent(); the service's address is its port. */
export async function startServer(program: URL): Promise<Service> {
  const child = fork(program, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  try {
    const port = await portOf(child);
    return { address: String(port), stop: () => end(child) };
  } catch (error) {
    await end(child);
    throw error;
  }
}

async function portOf(child: ChildProcess): Promise<number> {
  const listening = new AbortController();
  const ended = once(child, 'exit', { signal: listening.signal }).then(([code]) => {
    throw new Error(`the server ended with ${String(code)}`);
  });
  try {
    const told = once(child, 'message', { signal: AbortSignal.timeout(PATIENCE) });
    const [port] = (await Promise.race([told, ended])) as [number];
    return port;
  } finally {
    listening.abort();
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

/** In the server's own process: listens on a free port of loopback, tells the parent, and ends when the parent has gone. */
export function serveParent(server: Server): void {
  process.once('disconnect', () => process.exit());
  server.listen(0, '127.0.0.1', 1_024, () => process.send?.((server.address() as AddressInfo).port));
}
