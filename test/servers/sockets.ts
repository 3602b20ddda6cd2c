import { readFileSync } from 'node:fs';

/** As /proc/net/tcp has it. */
const ESTABLISHED = '01';

/** One that no process has any more: the system only sees to its end. */
const NOBODYS = '0';

/**
 * How many connections to this port of 127.0.0.1 are established, as the system says: whatever the server says of itself, or
 * if it stands still.
 */
export function establishedTo(port: number): number {
  return socketsTo(port).filter(({ state }) => state === ESTABLISHED).length;
}

/** How many sockets to this port some process still has, also such as it has begun to close. */
export function heldTo(port: number): number {
  return socketsTo(port).filter(({ inode }) => inode !== NOBODYS).length;
}

function socketsTo(port: number): ReadonlyArray<{ readonly state: string; readonly inode: string }> {
  const lines = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , remote]) => Number.parseInt(remote!.split(':')[1]!, 16) === port)
    .map((fields) => ({ state: fields[3]!, inode: fields[9]! }));
}
