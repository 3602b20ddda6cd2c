import { greeted } from './greeting.js';
import { nodeProgram } from './node-program.js';
import type { ServerKind } from './server-kind.js';

/** The SSH server of test/servers/programs. */
export function sshServer(): ServerKind {
  return nodeProgram('an SSH server', 'ssh-server.js', (port) => greeted(port, /^SSH-2/));
}
