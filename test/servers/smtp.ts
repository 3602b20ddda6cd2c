import { accepted, greeted } from './greeting.js';
import { nodeProgram } from './node-program.js';
import type { ServerKind } from './server-kind.js';

/** The SMTP server of test/servers/programs, for so many clients at once; with TLS it reads the certificate in its folder. */
export function smtp(maxClients = Infinity, mode?: 'tls' | 'starttls'): ServerKind {
  const ping = mode === 'tls' ? accepted : (port: number) => greeted(port, /^220 /);
  const args = [String(maxClients), ...(mode === undefined ? [] : [mode])];
  return nodeProgram('an SMTP server', 'smtp-server.js', ping, args);
}
