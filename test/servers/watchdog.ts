import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';

/**
 * Reads lines `<server> <others that were paused>...`, of which the last holds. When there are no more, whoever wrote them
 * has died: the server is asked to end, after five seconds it has to, and its folder goes. It ends by a signal that lets
 * it clear up, for what PostgreSQL has in shared memory outlives a `kill -9`.
 */
const SCRIPT = `
  while read -r line; do last=$line; done
  set -- $last
  if [ $# -gt 0 ]; then
    kill -s CONT "$@"
    kill -s "$SIGNAL" "$1"
    turn=0
    while kill -s 0 "$1" && [ $turn -lt 50 ]; do sleep 0.1; turn=$((turn + 1)); done
    kill -s KILL -- "-$1"
  fi
  rm -rf -- "$FOLDER"
`;

/**
 * Sees to it that no server is left behind, however the process that started it may end. A shell that waits for the end of
 * its input is all that it takes.
 */
export class Watchdog {
  private readonly shell: ChildProcess;

  constructor(folder: string, signal: NodeJS.Signals) {
    this.shell = spawn('sh', ['-c', SCRIPT], {
      stdio: ['pipe', 'ignore', 'ignore'],
      // In a session of its own, for a Ctrl-C means everybody in the terminal's.
      detached: true,
      env: { ...process.env, FOLDER: folder, SIGNAL: signal.replace('SIG', '') },
    });
    // Neither may keep the tests' process alive.
    this.shell.unref();
    (this.shell.stdin as Socket).on('error', () => {}).unref();
  }

  /** From now on it is these processes that would have to go: the server first, then those that are paused. */
  watch(pids: readonly number[]): void {
    this.shell.stdin?.write(`${pids.join(' ')}\n`);
  }

  /** There is nothing to look after any more. */
  dismiss(): void {
    this.shell.stdin?.end('\n');
  }
}
