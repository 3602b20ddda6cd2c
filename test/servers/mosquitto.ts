import { pbkdf2Sync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { greeted } from './greeting.js';
import type { Place, ServerKind } from './server-kind.js';

/** MQTT 3.1.1, clean, keepalive 60 s, client "~~". */
const CONNECT = Uint8Array.from([0x10, 14, 0, 4, ...Buffer.from('MQTT'), 4, 2, 0, 60, 0, 2, ...Buffer.from('~~')]);

/**
 * Mosquitto that lets in only whom it knows.
 *
 * @param users their passwords, by name
 * @param rules what its file of access rules says
 * @param listener what its configuration says besides of the one port that it listens at
 */
export function mosquitto(
  users: Readonly<Record<string, string>>,
  rules: string,
  listener?: (place: Place) => string,
): ServerKind {
  return {
    name: 'Mosquitto',
    package: 'mosquitto',
    binaries: ['mosquitto'],
    folders: ['/usr/sbin'],
    stopSignal: 'SIGTERM',
    configure: (place) => {
      const { folder, port } = place;
      const write = (name: string, lines: readonly string[]): void =>
        writeFileSync(path.join(folder, name), `${lines.join('\n')}\n`);
      write('passwords', Object.entries(users).map(passwordLine));
      write('rules', [rules]);
      write('mosquitto.conf', [
        `listener ${port} 127.0.0.1`,
        listener?.(place) ?? '',
        'allow_anonymous false',
        `password_file ${folder}/passwords`,
        `acl_file ${folder}/rules`,
      ]);
    },
    args: ({ folder }) => ['-c', path.join(folder, 'mosquitto.conf')],
    // A CONNACK begins with a space; what it says does not matter.
    ping: (port) => greeted(port, /^ /, CONNECT),
  };
}

/** As mosquitto_passwd would write it. */
function passwordLine([user, password]: readonly [string, string]): string {
  const salt = Buffer.from('twelve bytes');
  const iterations = 101;
  const hash = pbkdf2Sync(password, salt, iterations, 64, 'sha512');
  return `${user}:$7$${iterations}$${salt.toString('base64')}$${hash.toString('base64')}`;
}
