/**
 * Turns src and test, as they are, into JavaScript that node runs by itself: for the tools in test/ that are programs of
 * their own, outside jest. Types are checked elsewhere.
 */
import { copyFileSync, mkdirSync, readFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { transformSync } from '@swc/core';
import { swcOptions } from './swc-options.js';

const root = path.dirname(import.meta.dirname);

const FOLDERS = ['src', 'test'];
/** Applications of their own, which compile where they are installed. */
const ELSEWHERE = path.join('test', 'package') + path.sep;

function sources(from, folders) {
  return folders
    .flatMap((folder) => readdirSync(path.join(from, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && /(?<!\.d)\.ts$/.test(entry.name) && !entry.name.endsWith('.spec.ts'))
    .map((entry) => path.relative(from, path.join(entry.parentPath, entry.name)))
    .filter((name) => !name.startsWith(ELSEWHERE));
}

function modifiedAt(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? -Infinity;
}

/** When what decides how sources are compiled was changed last. */
function compilerModifiedAt() {
  return Math.max(
    ...['transpile.js', 'swc-options.js'].map((name) => modifiedAt(path.join(import.meta.dirname, name))),
  );
}

/**
 * @param {string} out the folder to write to, which gets a src and a test of its own
 * @param {object} [options]
 * @param {string} [options.from] the folder in which src and test are, if it is not this project's own
 * @param {readonly string[]} [options.folders] which of the two
 * @param {(name: string, text: string) => string} [options.rewrite] changes a source before it is compiled; then nothing
 * that is in `out` already is used again
 * @param {string} [options.unchanged] a folder where all is compiled as it is, from which what `rewrite` leaves as it is is copied
 */
export function transpile(out, { from = root, folders = FOLDERS, rewrite = (_, text) => text, unchanged } = {}) {
  const compiler = compilerModifiedAt();
  for (const name of sources(from, folders)) {
    const source = path.join(from, name);
    const target = path.join(out, name.replace(/\.ts$/, '.js'));
    if (unchanged === undefined && modifiedAt(target) > Math.max(modifiedAt(source), compiler)) continue;
    const text = readFileSync(source, 'utf8');
    const rewritten = rewrite(name, text);
    mkdirSync(path.dirname(target), { recursive: true });
    if (unchanged !== undefined && rewritten === text) {
      copyFileSync(path.join(unchanged, path.relative(out, target)), target);
      continue;
    }
    const { code } = transformSync(rewritten, {
      ...swcOptions({ decoratorMetadata: !name.startsWith('src') }),
      filename: source,
    });
    // Whoever runs at the same time sees a whole file, old or new.
    const fresh = `${target}.${process.pid}`;
    writeFileSync(fresh, code);
    renameSync(fresh, target);
  }
}
