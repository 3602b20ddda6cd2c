import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chownSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ImapFlow } from 'imapflow';

/** Where it is, and who logs in, as imapflow wants to know it. */
interface Login {
  readonly host: string;
  readonly port?: number;
  readonly secure: boolean;
  readonly auth: { readonly user: string; readonly pass: string };
}

/** What is unread in a server of our own. */
const MAIL: Readonly<Record<string, readonly string[]>> = {
  INBOX: ['Lunch?', 'Re: Lunch?'],
  Orders: ['Two pounds of tea', 'A pound of coffee', 'Where is my tea?'],
  Lists: ['Connection pools'],
};

/** That of `IMAP_URL`, or a Dovecot of our own in a temporary folder, which goes with us. */
export class MailServer {
  private constructor(
    readonly login: Login,
    private readonly own?: { readonly folder: string; readonly child: ChildProcess },
  ) {}

  static async open(): Promise<MailServer> {
    const url = process.env['IMAP_URL'];
    if (url !== undefined) return new MailServer(loginOf(new URL(url)));
    const program = findProgram();
    const folder = mkdtempSync(path.join(tmpdir(), 'mailbox-'));
    const { uid, gid } = nobody();
    if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
    const port = await freePort();
    writeFileSync(path.join(folder, 'passwords'), 'ann:{PLAIN}secret\n');
    writeFileSync(configOf(folder), configuration(folder, port));
    // In a session of its own: a Ctrl-C means everybody in the terminal's, and it has to go last.
    const child = spawn(program, ['-F', '-c', configOf(folder)], { stdio: 'ignore', detached: true, ...nobody() });
    for (let tries = 0; tries < 500 && !(await answers(port)); tries++) await pause(20);
    const login = { host: '127.0.0.1', port, secure: false, auth: { user: 'ann', pass: 'secret' } };
    await deliver(login);
    return new MailServer(login, { folder, child });
  }

  /** Ends all sessions, as it happens when a server is maintained. */
  async kick(): Promise<void> {
    if (this.own === undefined) throw new Error('The sessions of the server of IMAP_URL are not ours to end');
    await promisify(execFile)('doveadm', ['-c', configOf(this.own.folder), 'kick', '*']);
  }

  async close(): Promise<void> {
    if (this.own === undefined) return;
    const { child, folder } = this.own;
    if (child.kill('SIGTERM')) await once(child, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of a URL like `imaps://ann:secret@imap.example.org`. */
function loginOf({ protocol, hostname, port, username, password }: URL): Login {
  const auth = { user: decodeURIComponent(username), pass: decodeURIComponent(password) };
  return { host: hostname, secure: protocol === 'imaps:', auth, ...(port !== '' && { port: Number(port) }) };
}

async function deliver(login: Login): Promise<void> {
  const client = new ImapFlow({ ...login, logger: false });
  await client.connect();
  for (const [mailbox, subjects] of Object.entries(MAIL)) {
    await client.mailboxCreate(mailbox);
    for (const subject of subjects) {
      await client.append(
        mailbox,
        `From: bob@example.org\r\nTo: ann@example.org\r\nSubject: ${subject}\r\n\r\nHello!\r\n`,
      );
    }
  }
  await client.logout();
}

function findProgram(): string {
  const folders = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin'];
  const program = folders.map((folder) => path.join(folder, 'dovecot')).find(exists);
  if (program === undefined) {
    throw new Error(
      'This sample needs Dovecot: apt-get install dovecot-imapd, or set IMAP_URL to a mailbox that is there (imaps://user:password@host)',
    );
  }
  return program;
}

function exists(file: string): boolean {
  try {
    accessSync(file);
    return true;
  } catch {
    return false;
  }
}

/** Nothing in it needs root. */
function nobody(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const [, uid, gid] = /^nobody:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8')) ?? [];
  return { uid: Number(uid), gid: Number(gid) };
}

function configOf(folder: string): string {
  return path.join(folder, 'dovecot.conf');
}

/** Everything in its folder, and as the user whose folder it is. */
function configuration(folder: string, port: number): string {
  const { uid, gid } = statSync(folder);
  const user = nameOf('/etc/passwd', uid);
  const group = nameOf('/etc/group', gid);
  return `
base_dir = ${folder}/run
state_dir = ${folder}/state
log_path = ${folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = ${user}
default_internal_group = ${group}
default_login_user = ${user}
mail_location = maildir:${folder}/mail/%u
mail_uid = ${user}
mail_gid = ${group}
first_valid_uid = 1
passdb {
  driver = passwd-file
  args = ${folder}/passwords
}
userdb {
  driver = static
  args = uid=${user} gid=${group} home=${folder}/mail/%u
}
namespace inbox {
  inbox = yes
}
service imap-login {
  chroot =
  inet_listener imap {
    port = ${port}
  }
  inet_listener imaps {
    port = 0
  }
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
`;
}

function nameOf(file: string, id: number): string {
  const [, name] = new RegExp(`^([^:]+):[^:]*:${id}:`, 'm').exec(readFileSync(file, 'utf8')) ?? [];
  return name ?? String(id);
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
    await once(socket, 'data');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
