/**
 * Builds the library into dist: dist/esm and dist/cjs, each with its types. With --if-changed only if anything that the
 * build depends on has changed since the last one.
 *
 * From scratch every time, so that a file that is gone from the sources is gone from the package; into another
 * folder first, so that whoever runs from dist never sees half a build, and a build that fails leaves the last one in place.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';

const root = path.dirname(import.meta.dirname);
process.chdir(root);
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
const dist = path.join(root, 'dist');
const fresh = path.join(root, 'build', `dist.${process.pid}`);

// Not in dist, which is what users get.
const stamp = path.join(root, 'build', 'dist.stamp');

/** A digest of all that the build depends on. */
function fingerprint() {
  const sources = readdirSync(path.join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)));
  const configs = readdirSync(root).filter((name) => /^(tsconfig.*|package(-lock)?)\.json$/.test(name));
  const hash = createHash('sha256');
  for (const name of [...sources, ...configs, '.ci/build.js'].toSorted()) {
    hash
      .update(`${name}\0`)
      .update(readFileSync(path.join(root, name)))
      .update('\0');
  }
  return hash.digest('hex');
}

function isCurrent(print) {
  return existsSync(dist) && existsSync(stamp) && readFileSync(stamp, 'utf8') === print;
}

async function compile(project, format) {
  const args = [tsc, '--project', project, '--outDir', path.join(fresh, format)];
  const [code] = await once(spawn(process.execPath, args, { cwd: root, stdio: 'inherit' }), 'exit');
  if (code !== 0) throw new Error(`the build of ${project} failed`);
}

/**
 * Puts the texts of the dashboard's page into the package, in place of the module that reads them from the sources. It is asked
 * for them first, so that it alone knows which they are.
 */
async function embedPage() {
  const name = 'dashboard/page-assets.js';
  const { PAGE_ASSETS } = await import(pathToFileURL(path.join(fresh, 'esm', name)).href);
  const texts = JSON.stringify(PAGE_ASSETS, undefined, 2);
  writeFileSync(path.join(fresh, 'esm', name), `export const PAGE_ASSETS = ${texts};\n`);
  writeFileSync(path.join(fresh, 'cjs', name), `exports.PAGE_ASSETS = ${texts};\n`);
}

/** Compiles both into a folder of their own, then puts it in dist's place. */
async function build(print) {
  mkdirSync(fresh, { recursive: true });
  const builds = await Promise.allSettled([
    compile('tsconfig.build.json', 'esm'),
    compile('tsconfig.build.cjs.json', 'cjs'),
  ]);
  for (const build of builds) if (build.status === 'rejected') throw build.reason;
  await embedPage();
  // Within this folder .js is CommonJS, whatever the package says.
  writeFileSync(path.join(fresh, 'cjs', 'package.json'), '{ "type": "commonjs" }\n');
  rmSync(dist, { recursive: true, force: true });
  renameSync(fresh, dist);
  writeFileSync(stamp, print);
}

try {
  // Taken before the build, lest a change that is made meanwhile be missed for good.
  const print = fingerprint();
  if (process.argv.includes('--if-changed') && isCurrent(print)) {
    console.log('dist is up to date');
  } else {
    await build(print);
    console.log(`dist: ${readdirSync(dist).join(', ')}`);
  }
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(fresh, { recursive: true, force: true });
}
