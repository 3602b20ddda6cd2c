import { accessSync, constants, readdirSync } from 'node:fs';
import path from 'node:path';
import type { ServerKind } from './server-kind.js';

/** Programs that a test needs, and the Debian package that brings them. */
export type Programs = Pick<ServerKind, 'name' | 'package' | 'binaries' | 'folders'>;

/** Whether programs of this kind can be started here: undefined if they can, else one line that says what is missing. */
export function whatIsMissing(kind: Programs): string | undefined {
  const isServer = 'args' in kind;
  if (isServer && process.platform !== 'linux') {
    return `${kind.name} is tested on Linux alone, by whose /proc it can be paused`;
  }
  if (locate(kind) !== undefined) return undefined;
  return `${kind.binaries.join(' and ')} not found: apt-get install ${kind.package} (or put ${kind.name} on PATH)`;
}

type Describe = (title: string, suite: () => void) => void;

/**
 * `describe` where programs of this kind can be started. Elsewhere the suite is skipped with one line that says why; in CI,
 * which has to install what it tests, it fails.
 */
export function whereInstalled(kind: Programs, describe: Describe & { readonly skip: Describe }): Describe {
  const missing = whatIsMissing(kind);
  if (missing === undefined) return describe;
  if (process.env['CI'] === 'true') throw new Error(missing);
  return (title, suite) => {
    process.stderr.write(`Skipped: ${title}: ${missing}\n`);
    describe.skip(title, suite);
  };
}

/** The folder that holds all that the kind needs. */
export function locate({ binaries, folders = [] }: Programs): string | undefined {
  const onPath = (process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder));
  const candidates = [...onPath, ...folders.flatMap(expand)];
  return candidates.find((folder) => binaries.every((binary) => isExecutable(path.join(folder, binary))));
}

/** The folders that a name with one `*` stands for. */
function expand(pattern: string): string[] {
  const [before, after] = pattern.split('*') as [string, string | undefined];
  if (after === undefined) return [pattern];
  try {
    const versions = readdirSync(before).toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }));
    return versions.map((version) => before + version + after);
  } catch {
    return [];
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
