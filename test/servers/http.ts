import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { accepted } from './greeting.js';
import { nodeProgram } from './node-program.js';
import type { ServerKind } from './server-kind.js';

/** The HTTP server of test/servers/programs; given a certificate and its key, on TLS. */
export function httpServer(pem?: { readonly cert: string; readonly private: string }): ServerKind {
  if (pem === undefined) return nodeProgram('an HTTP server', 'http-server.js', accepted);
  return {
    ...nodeProgram('an HTTPS server', 'http-server.js', accepted, ['tls']),
    prepare: ({ folder }) => {
      writeFileSync(path.join(folder, 'key.pem'), pem.private);
      writeFileSync(path.join(folder, 'cert.pem'), pem.cert);
    },
  };
}
