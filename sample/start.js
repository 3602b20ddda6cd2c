/**
 * Builds the library and the samples, as far as they have changed, and starts a sample: npm start 03-keepalive.
 * In this very process, so that a signal to it reaches the application.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const root = path.dirname(import.meta.dirname);
const name = process.argv[2] ?? '01-quickstart';
const samples = readdirSync(import.meta.dirname).filter((each) => /^\d\d-/.test(each));
if (!samples.includes(name)) {
  console.error(`There is no sample "${name}"; there are: ${samples.join(', ')}`);
  process.exit(1);
}

const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
for (const args of [
  [path.join(root, '.ci/build.js'), '--if-changed'],
  [tsc, '--project', 'tsconfig.samples.json'],
]) {
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}
await import(pathToFileURL(path.join(root, 'build/sample', name, 'main.js')).href);
