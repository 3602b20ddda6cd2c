import { accepted } from './greeting.js';
import { nodeProgram } from './node-program.js';
import { withPem, type Pem } from './pem.js';
import type { ServerKind } from './server-kind.js';

/** The HTTP server of test/servers/programs; given a certificate and its key, on TLS. */
export function httpServer(pem?: Pem): ServerKind {
  if (pem === undefined) return nodeProgram('an HTTP server', 'http-server.js', accepted);
  return withPem(nodeProgram('an HTTPS server', 'http-server.js', accepted, ['tls']), pem);
}
