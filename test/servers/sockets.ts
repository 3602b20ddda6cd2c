import { readFileSync } from 'node:fs';

/** As /proc/net/tcp has it. */
const ESTABLISHED = '01';

/**
 * How many connections to this port of 127.0.0.1 are established, as the system says: whatever the server says of itself, or
 * if it stands still.
 */
export function establishedTo(port: number): number {
  const lines = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  return lines.filter((line) => {
    const [, , remote, state] = line.trim().split(/\s+/);
    return state === ESTABLISHED && Number.parseInt(remote!.split(':')[1]!, 16) === port;
  }).length;
}
