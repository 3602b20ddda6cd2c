/**
 * What can be imported, what there is, and what is documented must be the same:
 *
 * - every file directly in src/factories (and so on: DOORS) has its subpath in `exports`, for each kind of consumer, and in
 *   the paths of tsconfig.json; and a page in docs/factories, which says how it is imported and which package it needs;
 * - every subpath in `exports`, and every page, has its file;
 * - every client that a file imports is an optional peer, and every optional peer is somebody's client.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

const root = path.dirname(import.meta.dirname);
const read = (...names) => readFileSync(path.join(root, ...names), 'utf8');
const manifest = JSON.parse(read('package.json'));

/** Folders whose files are subpaths, each with a page in the folder of docs. */
const DOORS = [{ folder: 'factories', docs: 'docs/factories' }];

const faults = [];
const fault = (where, what) => void faults.push(`${where}: ${what}`);

function namesIn(folder, extension) {
  if (!existsSync(path.join(root, folder))) return [];
  return readdirSync(path.join(root, folder), { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => entry.name.slice(0, -extension.length));
}

/** As every entry of `exports` must be, for the build of a source. */
function entryFor(name) {
  const format = (kind) => ({ types: `./dist/${kind}/${name}.d.ts`, default: `./dist/${kind}/${name}.js` });
  return { 'module-sync': format('esm'), import: format('esm'), require: format('cjs') };
}

/** The packages that a source imports, types included. */
function packagesOf(file) {
  const specifiers = [...read(file).matchAll(/^(?:import|export)[^;]*? from '([^']+)'/gm)].map(([, name]) => name);
  return specifiers
    .filter((name) => !/^(node:|\.)/.test(name))
    .map((name) =>
      name
        .split('/')
        .slice(0, name.startsWith('@') ? 2 : 1)
        .join('/'),
    );
}

const known = new Set(['.', './testing', './package.json']);
const clients = new Set();

for (const { folder, docs } of DOORS) {
  const sources = namesIn(`src/${folder}`, '.ts');
  const pages = namesIn(docs, '.md').filter((name) => name !== 'README');
  const index = existsSync(path.join(root, docs, 'README.md')) ? read(docs, 'README.md') : '';
  for (const name of sources) {
    const subpath = `./${folder}/${name}`;
    const specifier = `nestjs-connection-pool/${folder}/${name}`;
    known.add(subpath);
    if (JSON.stringify(manifest.exports[subpath]) !== JSON.stringify(entryFor(`${folder}/${name}`))) {
      fault('package.json', `exports['${subpath}'] must be ${JSON.stringify(entryFor(`${folder}/${name}`))}`);
    }
    const packages = packagesOf(`src/${folder}/${name}.ts`);
    for (const each of packages) {
      clients.add(each);
      if (manifest.peerDependencies[each] === undefined)
        fault('package.json', `peerDependencies lacks ${each}, which ${specifier} imports`);
      if (manifest.peerDependenciesMeta?.[each]?.optional !== true)
        fault('package.json', `peerDependenciesMeta must say that ${each} is optional`);
      if (manifest.dependencies[each] !== undefined)
        fault('package.json', `${each} is a dependency of everyone; it is the client of ${specifier}`);
    }
    if (!pages.includes(name)) {
      fault(docs, `there is no ${name}.md for ${specifier}`);
      continue;
    }
    const page = read(docs, `${name}.md`);
    if (!page.includes(`'${specifier}'`)) fault(`${docs}/${name}.md`, `it does not show how to import '${specifier}'`);
    const install =
      page
        .match(/npm install nestjs-connection-pool(.*)/)?.[1]
        .trim()
        .split(/\s+/) ?? [];
    for (const each of packages)
      if (!install.includes(each)) fault(`${docs}/${name}.md`, `it does not say to install ${each}`);
    if (!index.includes(`(${name}.md)`)) fault(`${docs}/README.md`, `it does not link to ${name}.md`);
  }
  for (const name of pages)
    if (!sources.includes(name)) fault(`${docs}/${name}.md`, `there is no src/${folder}/${name}.ts`);
}

for (const subpath of Object.keys(manifest.exports))
  if (!known.has(subpath)) fault('package.json', `exports['${subpath}'] has no source`);
for (const peer of Object.keys(manifest.peerDependenciesMeta ?? {})) {
  if (!clients.has(peer)) fault('package.json', `peerDependenciesMeta has ${peer}, which no source imports`);
}

for (const each of faults) console.error(each);
console.log(`${known.size} subpaths checked, ${faults.length} faults`);
if (faults.length > 0) process.exitCode = 1;
