import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, closeSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { locate, whatIsMissing } from './binaries.js';
import { freeze, isAlive, send } from './processes.js';
import type { Place, ServerKind } from './server-kind.js';
import { until } from '../until.js';
import { Watchdog } from './watchdog.js';

/** How long a server may take to answer after its start, and to end. */
const START_LIMIT = 30_000;
const STOP_LIMIT = 10_000;

/**
 * A server that belongs to one suite alone, on a free port of 127.0.0.1 and in a folder of its own, so that it can be
 * killed, paused and restarted. Only processes that it has started itself are ever sent a signal.
 */
export class PrivateServer implements AsyncDisposable {
  readonly host = '127.0.0.1';
  private ownPort = 0;
  private child: ChildProcess | undefined;
  /** Those that pause() has stopped, the server first. */
  private frozen: readonly number[] = [];
  /** Its data and its log. */
  readonly folder: string;
  private readonly user: User | undefined;
  private readonly watchdog: Watchdog;

  private constructor(
    private readonly kind: ServerKind,
    private readonly bin: string,
  ) {
    this.folder = mkdtempSync(path.join(tmpdir(), `${kind.binaries[0]}-`));
    this.watchdog = new Watchdog(this.folder, kind.stopSignal);
    this.user = kind.isOurs === true ? undefined : unprivileged();
    if (this.user !== undefined) chownSync(this.folder, this.user.uid, this.user.gid);
  }

  /** A new server, which answers. */
  static async start(kind: ServerKind): Promise<PrivateServer> {
    const bin = locate(kind);
    if (bin === undefined) throw new Error(whatIsMissing(kind));
    const server = new PrivateServer(kind, bin);
    try {
      await kind.prepare?.(server.place);
      // Somebody else may have taken the port in between.
      await server.launch(3, freePort);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  get port(): number {
    return this.ownPort;
  }

  /** The server's process; undefined while there is none. */
  get pid(): number | undefined {
    return this.child?.pid;
  }

  /** `kill -9`, of the server and all that it has started, as when the machine goes; resolves when they are gone. */
  async kill(): Promise<void> {
    if (this.pid === undefined) return;
    const pids = freeze(this.pid);
    this.frozen = [];
    for (const pid of pids) send(pid, 'SIGKILL');
    await until(() => this.child === undefined && !pids.some(isAlive), 'killed processes have gone', STOP_LIMIT);
  }

  /** Stops the server, with all that it has started, in the middle of whatever it does: it neither answers nor ends. */
  pause(): void {
    if (this.pid === undefined) throw new Error(`${this.kind.name} is not running`);
    this.frozen = freeze(this.pid);
    this.watchdog.watch(this.frozen);
  }

  /** Lets it go on after pause(). */
  resume(): void {
    if (this.frozen.length === 0) return;
    // Those that the server waits for first, so that it finds them as it left them.
    for (const pid of this.frozen.toReversed()) send(pid, 'SIGCONT');
    this.watchdog.watch(this.frozen.slice(0, 1));
    this.frozen = [];
  }

  /** Starts it again, in its folder and on its port, after it has ended in an orderly way if it still runs. */
  async restart(): Promise<void> {
    await this.end();
    // After kill() it may find that something of it is still there, for a moment.
    await this.launch(10, () => this.port);
  }

  /** Ends it for good, and removes its folder. */
  async stop(): Promise<void> {
    try {
      await this.end();
    } finally {
      await rm(this.folder, { recursive: true, force: true });
      this.watchdog.dismiss();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  private get place(): Place {
    return { folder: this.folder, port: this.port, run: (program, args) => this.run(program, args) };
  }

  private async end(): Promise<void> {
    const { child } = this;
    if (child === undefined) return;
    this.resume();
    child.kill(this.kind.stopSignal);
    const deadline = performance.now() + STOP_LIMIT;
    while (this.child !== undefined && performance.now() < deadline) await pause(5);
    await this.kill();
  }

  /** @param attempts how often it may end as soon as it is started */
  private async launch(attempts: number, port: () => number | Promise<number>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.ownPort = await port();
      try {
        await this.tryToLaunch();
        return;
      } catch (error) {
        const ended = this.child === undefined;
        await this.kill();
        if (!ended || attempt === attempts) throw error;
        await pause(200);
      }
    }
  }

  private async tryToLaunch(): Promise<void> {
    this.kind.configure?.(this.place);
    const child = this.spawn(this.kind.starter ?? this.kind.binaries[0]!, this.kind.args(this.place));
    await once(child, 'spawn');
    this.child = child;
    child.once('exit', () => (this.child = undefined));
    // Nobody who forgets to stop it is kept from ending.
    child.unref();
    await until(
      () => this.answers(),
      () => `${this.kind.name} answers; ${this.lastWords()}`,
      START_LIMIT,
    );
  }

  private async answers(): Promise<boolean> {
    const answered = await this.kind.ping(this.port).then(
      () => true,
      () => false,
    );
    // Looked at afterwards: what answered may be somebody else's, if ours found its port taken.
    if (this.child === undefined) throw new Error(`${this.kind.name} ended at once; ${this.lastWords()}`);
    return answered;
  }

  private async run(program: string, args: readonly string[]): Promise<void> {
    const child = this.spawn(program, args);
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`${program} failed (${code}); ${this.lastWords()}`);
  }

  private spawn(program: string, args: readonly string[]): ChildProcess {
    const log = openSync(this.log, 'a');
    const child = spawn(path.resolve(this.bin, program), args, {
      cwd: this.folder,
      // The server's own session, so that a Ctrl-C in the terminal does not end it before its clients.
      detached: true,
      stdio: ['ignore', log, log],
      env: { PATH: process.env['PATH'], HOME: this.folder, LC_ALL: 'C', ...this.kind.environment?.(this.place) },
      ...this.user,
    });
    closeSync(log);
    child.once('spawn', () => this.watchdog.watch([child.pid!]));
    child.once('exit', () => this.watchdog.watch([]));
    return child;
  }

  private get log(): string {
    return path.join(this.folder, 'log');
  }

  private lastWords(): string {
    return `its log ends with:\n${readFileSync(this.log, 'utf8').slice(-2_000)}`;
  }
}

interface User {
  readonly uid: number;
  readonly gid: number;
}

/** As root everything is started as `nobody`: PostgreSQL insists on it, and the others need no more. */
function unprivileged(): User | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const [, uid, gid] = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8')) ?? [];
  if (uid === undefined || gid === undefined) throw new Error('There is no user "nobody", as whom servers are started');
  return { uid: Number(uid), gid: Number(gid) };
}

/**
 * Below the ports that the system gives to whoever dials: none of those may take it while the server is down, and a client
 * that dials it then must not get itself, as happens within that range.
 */
async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = 10_000 + Math.floor(Math.random() * 22_000);
    if (await isFree(port)) return port;
  }
  throw new Error('None of 100 ports was free');
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    probe.listen(port, '127.0.0.1');
    await once(probe, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    probe.close();
  }
}
