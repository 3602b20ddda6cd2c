import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { ServerKind } from './server-kind.js';

/** A certificate and its key. */
export interface Pem {
  readonly cert: string;
  readonly private: string;
}

/** Puts them into the server's folder, as cert.pem and key.pem. */
export function withPem(kind: ServerKind, pem: Pem): ServerKind {
  return {
    ...kind,
    prepare: ({ folder }) => {
      writeFileSync(path.join(folder, 'key.pem'), pem.private);
      writeFileSync(path.join(folder, 'cert.pem'), pem.cert);
    },
  };
}
