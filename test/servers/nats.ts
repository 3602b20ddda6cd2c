import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { greeted } from './greeting.js';
import type { ServerKind } from './server-kind.js';

/** @param configuration what its configuration file says besides */
export function nats(configuration = ''): ServerKind {
  return {
    name: 'NATS',
    package: 'nats-server',
    binaries: ['nats-server'],
    folders: ['/usr/sbin'],
    stopSignal: 'SIGTERM',
    prepare: ({ folder }) => writeFileSync(path.join(folder, 'nats.conf'), configuration),
    args: ({ folder, port }) => ['-a', '127.0.0.1', '-p', String(port), '-c', path.join(folder, 'nats.conf')],
    ping: (port) => greeted(port, /^INFO /),
  };
}
