import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chownSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** That of `DATABASE_URL`, or one of our own in a temporary folder, which goes with us. */
export class Database {
  private child: ChildProcess | undefined;

  private constructor(
    readonly url: string,
    private readonly own?: { readonly bin: string; readonly folder: string; readonly port: number },
  ) {}

  static async open(): Promise<Database> {
    const url = process.env['DATABASE_URL'];
    if (url !== undefined) return new Database(url);
    const bin = findPrograms();
    const folder = mkdtempSync(path.join(tmpdir(), 'orders-'));
    const port = await freePort();
    const database = new Database(`postgres://postgres@127.0.0.1:${port}/postgres`, { bin, folder, port });
    try {
      database.initialise();
      await database.start();
      return database;
    } catch (error) {
      await database.close();
      throw error;
    }
  }

  /** Ends all sessions, and starts anew. */
  async restart(): Promise<void> {
    if (this.own === undefined) throw new Error('The server of DATABASE_URL is not ours to restart');
    await this.stop();
    await this.start();
  }

  async close(): Promise<void> {
    await this.stop();
    if (this.own !== undefined) rmSync(this.own.folder, { recursive: true, force: true });
  }

  private initialise(): void {
    const { bin, folder } = this.own!;
    const { uid, gid } = nobody();
    if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
    const args = ['-D', `${folder}/data`, '-U', 'postgres', '-A', 'trust', '--no-sync'];
    execFileSync(path.join(bin, 'initdb'), args, { stdio: 'pipe', ...nobody() });
  }

  private async start(): Promise<void> {
    const { bin, folder, port } = this.own!;
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off'];
    const args = ['-D', `${folder}/data`, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
    this.child = spawn(path.join(bin, 'postgres'), args, { stdio: 'ignore', ...nobody() });
    for (let tries = 0; tries < 500; tries++) {
      if (await answers(port)) return;
      await pause(20);
    }
    throw new Error('PostgreSQL did not start within 10 s');
  }

  private async stop(): Promise<void> {
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    // PostgreSQL's "fast" shutdown: it does not wait for its clients to leave.
    child.kill('SIGINT');
    await once(child, 'exit');
  }
}

function findPrograms(): string {
  const versions = '/usr/lib/postgresql';
  const installed = exists(versions) ? readdirSync(versions).map((version) => path.join(versions, version, 'bin')) : [];
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), ...installed.toSorted().toReversed()];
  const bin = folders.find((folder) => exists(path.join(folder, 'postgres')) && exists(path.join(folder, 'initdb')));
  if (bin === undefined) {
    throw new Error(
      'This sample needs PostgreSQL: apt-get install postgresql, or set DATABASE_URL to one that is there',
    );
  }
  return bin;
}

function exists(file: string): boolean {
  try {
    accessSync(file);
    return true;
  } catch {
    return false;
  }
}

/** PostgreSQL refuses to run as root. */
function nobody(): { uid?: number; gid?: number } & { readonly cwd?: string } {
  if (process.getuid?.() !== 0) return {};
  const [, uid, gid] = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8')) ?? [];
  return { uid: Number(uid), gid: Number(gid), cwd: '/' };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
