import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { accepted, greeted } from './greeting.js';
import type { PrivateServer } from './private-server.js';
import type { Place, ServerKind } from './server-kind.js';

/** Those who may log in; the password of each is `secret`. */
const USERS = ['ann', 'bob'];

/** Dovecot as an IMAP server, with these lines of configuration besides. */
export function dovecot(...besides: readonly string[]): ServerKind {
  return {
    name: 'Dovecot',
    package: 'dovecot-imapd',
    binaries: ['dovecot'],
    folders: ['/usr/sbin'],
    stopSignal: 'SIGTERM',
    prepare: ({ folder }) => {
      mkdirSync(path.join(folder, 'passwords'));
      writeFileSync(path.join(folder, 'passwords/imap'), USERS.map((user) => `${user}:{PLAIN}secret\n`).join(''));
    },
    configure: (place) => writeFileSync(configOf(place), [...configuration(place), ...besides, ''].join('\n')),
    args: (place) => ['-F', '-c', configOf(place)],
    ping: (port) => greeted(port, /^\* OK/),
  };
}

/** The same with the certificate in its folder: for those who begin with TLS, or for those who begin without. */
export function dovecotWithTls(fromTheFirstByteOn: boolean): ServerKind {
  const kind = dovecot();
  const listeners = (port: number): string =>
    `service imap-login {\n inet_listener imap {\n port = 0\n }\n inet_listener imaps {\n port = ${port}\n ssl = yes\n }\n}`;
  return {
    ...kind,
    configure: (place) => {
      const { folder, port } = place;
      const tls = ['ssl = required', `ssl_cert = <${folder}/cert.pem`, `ssl_key = <${folder}/key.pem`];
      dovecot(...tls, ...(fromTheFirstByteOn ? [listeners(port)] : [])).configure!(place);
    },
    ping: fromTheFirstByteOn ? accepted : kind.ping,
  };
}

/** How many sessions the users have, as the server says. */
export async function dovecotSessions(server: PrivateServer): Promise<number> {
  const { stdout } = await doveadm(server, '-f', 'json', 'who');
  const rows = JSON.parse(stdout) as ReadonlyArray<{ readonly connections: string }>;
  return rows.reduce((sum, { connections }) => sum + Number(connections), 0);
}

/** Ends all of them. */
export async function kickFromDovecot(server: PrivateServer): Promise<void> {
  await doveadm(server, 'kick', '*');
}

function doveadm(server: { readonly folder: string }, ...args: readonly string[]): Promise<{ stdout: string }> {
  return promisify(execFile)('doveadm', ['-c', configOf(server), ...args]);
}

function configOf({ folder }: { readonly folder: string }): string {
  return path.join(folder, 'dovecot.conf');
}

/** Everything in its folder and as one user: Dovecot would otherwise change to those that its package has made. */
function configuration({ folder, port }: Place): string[] {
  const { uid, gid } = statSync(folder);
  const user = nameOf('/etc/passwd', uid);
  const group = nameOf('/etc/group', gid);
  return [
    `base_dir = ${folder}/run`,
    `state_dir = ${folder}/state`,
    'log_path = /dev/stderr',
    'protocols = imap',
    'listen = 127.0.0.1',
    'ssl = no',
    'disable_plaintext_auth = no',
    `default_internal_user = ${user}`,
    `default_internal_group = ${group}`,
    `default_login_user = ${user}`,
    `mail_location = maildir:${folder}/mail/%u`,
    `mail_uid = ${user}`,
    `mail_gid = ${group}`,
    'first_valid_uid = 1',
    'mail_fsync = never',
    `passdb {\n driver = passwd-file\n args = ${folder}/passwords/imap\n}`,
    `userdb {\n driver = static\n args = uid=${user} gid=${group} home=${folder}/mail/%u\n}`,
    'namespace inbox {\n inbox = yes\n}',
    `service imap-login {\n chroot =\n inet_listener imap {\n port = ${port}\n }\n inet_listener imaps {\n port = 0\n }\n}`,
    // Wrong passwords are answered late, and whoever comes from the same address afterwards waits as well.
    'auth_failure_delay = 0',
    'service anvil {\n chroot =\n unix_listener anvil-auth-penalty {\n mode = 0\n }\n}',
    'service stats {\n chroot =\n}',
  ];
}

function nameOf(file: string, id: number): string {
  const [, name] = new RegExp(`^([^:]+):[^:]*:${id}:`, 'm').exec(readFileSync(file, 'utf8')) ?? [];
  if (name === undefined) throw new Error(`There is no name for ${id} in ${file}`);
  return name;
}
