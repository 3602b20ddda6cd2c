/**
 * What can be imported, what there is, and what is documented must be the same:
 *
 * - every file directly in src/factories, and others that are named below (DOORS), has its subpath in `exports`, for each kind of consumer, and in
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

/** Folders with files that are subpaths, each with a page in a folder of docs, and another page that links to it. */
const DOORS = [
  { folder: 'factories', prefix: 'factories/', names: namesIn('src/factories', '.ts') },
  // What else is there they share.
  { folder: 'telemetry', prefix: '', names: ['opentelemetry', 'prometheus', 'terminus'] },
  // One page needs no folder of its own, and none that links to it but the README.
  { folder: 'dashboard', prefix: '', names: ['dashboard'], docs: 'docs', index: 'README.md' },
];

/** What those who use the module have anyway. */
const EVERYBODYS = ['@nestjs/common', '@nestjs/core'];

const faults = [];
/** Notes what is wrong, unless all is well. */
const check = (isWell, where, what) => void (isWell || faults.push(`${where}: ${what}`));

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

for (const { folder, prefix, names, docs = `docs/${folder}`, index = `${docs}/README.md` } of DOORS) {
  // Besides those of doors there are others directly in docs.
  const pages = namesIn(docs, '.md').filter((name) => (docs === 'docs' ? names.includes(name) : name !== 'README'));
  for (const name of names) {
    const subpath = `./${prefix}${name}`;
    const specifier = `nestjs-connection-pool/${prefix}${name}`;
    const entry = JSON.stringify(entryFor(`${folder}/${name}`));
    known.add(subpath);
    check(
      JSON.stringify(manifest.exports[subpath]) === entry,
      'package.json',
      `exports['${subpath}'] must be ${entry}`,
    );

    const page = pages.includes(name) ? read(docs, `${name}.md`) : '';
    const install =
      page
        .match(/npm install nestjs-connection-pool(.*)/)?.[1]
        .trim()
        .split(/\s+/) ?? [];
    check(page !== '', docs, `there is no ${name}.md for ${specifier}`);
    check(page.includes(`'${specifier}'`), `${docs}/${name}.md`, `it does not show how to import '${specifier}'`);
    const link = path.posix.relative(path.posix.dirname(index), `${docs}/${name}.md`);
    check(read(index).includes(`(${link})`), index, `it does not link to ${link}`);

    for (const client of packagesOf(`src/${folder}/${name}.ts`).filter((each) => !EVERYBODYS.includes(each))) {
      clients.add(client);
      const { dependencies, peerDependencies, peerDependenciesMeta } = manifest;
      check(
        dependencies[client] === undefined,
        'package.json',
        `${client}, of ${specifier}, is a dependency of everyone`,
      );
      check(
        peerDependencies[client] !== undefined,
        'package.json',
        `peerDependencies lacks ${client}, of ${specifier}`,
      );
      check(peerDependenciesMeta[client]?.optional === true, 'package.json', `the peer ${client} must be optional`);
      check(install.includes(client), `${docs}/${name}.md`, `it does not say to install ${client}`);
    }
  }
  for (const name of pages) check(names.includes(name), `${docs}/${name}.md`, `there is no src/${folder}/${name}.ts`);
}

for (const subpath of Object.keys(manifest.exports)) {
  check(known.has(subpath), 'package.json', `exports['${subpath}'] has no source`);
}
for (const peer of Object.keys(manifest.peerDependenciesMeta)) {
  check(clients.has(peer), 'package.json', `no source imports the optional peer ${peer}`);
}

for (const each of faults) console.error(each);
console.log(`${known.size} subpaths checked, ${faults.length} faults`);
if (faults.length > 0) process.exitCode = 1;
