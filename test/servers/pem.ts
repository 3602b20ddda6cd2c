import { chownSync, statSync, writeFileSync } from 'node:fs';
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
    prepare: async (place) => {
      const key = path.join(place.folder, 'key.pem');
      // Some read no key that others could read as well.
      writeFileSync(key, pem.private, { mode: 0o600 });
      const { uid, gid } = statSync(place.folder);
      chownSync(key, uid, gid);
      writeFileSync(path.join(place.folder, 'cert.pem'), pem.cert);
      await kind.prepare?.(place);
    },
  };
}
