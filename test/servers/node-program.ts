import path from 'node:path';
import process from 'node:process';
import type { ServerKind } from './server-kind.js';

/**
 * A server that an npm package brings, as a program of its own, so that it can be killed and paused like any other. It is
 * one of test/servers/programs, gets its port as the first argument, and listens on 127.0.0.1.
 *
 * @param ping resolves if it answers
 */
export function nodeProgram(
  name: string,
  script: string,
  ping: ServerKind['ping'],
  args: readonly string[] = [],
): ServerKind {
  return {
    name,
    package: 'nodejs',
    binaries: [path.basename(process.execPath)],
    folders: [path.dirname(process.execPath)],
    stopSignal: 'SIGTERM',
    isOurs: true,
    args: ({ port }) => [path.join(import.meta.dirname, 'programs', script), String(port), ...args],
    ping,
  };
}
