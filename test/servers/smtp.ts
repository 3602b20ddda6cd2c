import { greeted } from './greeting.js';
import { nodeProgram } from './node-program.js';
import type { ServerKind } from './server-kind.js';

/** The SMTP server of test/servers/programs, for so many clients at once. */
export function smtp(maxClients?: number): ServerKind {
  const args = maxClients === undefined ? [] : [String(maxClients)];
  return nodeProgram('an SMTP server', 'smtp-server.js', (port) => greeted(port, /^220 /), args);
}
