import { readdirSync, readFileSync } from 'node:fs';

/** Processes by their id, as /proc shows them: a server's own, which signals are sent to, and never by a name. */

/** What a process's own line says of it; undefined if there is none, or only a zombie, which holds nothing any more. */
function parentOf(pid: number): number | undefined {
  let line: string;
  try {
    line = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined;
  }
  // The second field is the name, in parentheses, and may contain anything, more parentheses included.
  const [state, parent] = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return state === 'Z' || state === 'X' ? undefined : Number(parent);
}

export function isAlive(pid: number): boolean {
  return parentOf(pid) !== undefined;
}

export function childrenOf(parents: ReadonlySet<number>): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const parent = parentOf(pid);
      return parent !== undefined && parents.has(parent);
    });
}

/** Sends a signal; false if the process has gone. */
export function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}

/**
 * Stops a process and all that it has started, from the root on, so that nobody who still runs makes more. It yields them,
 * the root first.
 */
export function freeze(root: number): number[] {
  const frozen = new Set<number>();
  let found = [root];
  while (found.length > 0) {
    for (const pid of found) {
      send(pid, 'SIGSTOP');
      frozen.add(pid);
    }
    // Looked at again after the signals: a child may have been made in the last moment.
    found = childrenOf(frozen).filter((pid) => !frozen.has(pid));
  }
  return [...frozen];
}
