/**
 * What can be imported, what there is, and what is documented must be the same:
 *
 * - every file that is a door (DOORS) has its subpath in `exports`, for each kind of consumer, in `typesVersions`, for old
 *   resolvers, and in the paths of tsconfig.json; and a page in docs, which says how it is imported and what it needs;
 * - every subpath in `exports`, and every page, has its file;
 * - every package that a door loads, by itself or by what it shares, is an optional peer, and each of those is loaded by one.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import ts from 'typescript';

const root = path.dirname(import.meta.dirname);
const read = (...names) => readFileSync(path.join(root, ...names), 'utf8');
const manifest = JSON.parse(read('package.json'));
const { config } = ts.readConfigFile(path.join(root, 'tsconfig.json'), (file) => readFileSync(file, 'utf8'));

/** Folders with files that are subpaths, each with a page in a folder of docs, and another page that links to it. */
const DOORS = [
  { folder: 'factories', prefix: 'factories/', names: namesIn('src/factories', '.ts') },
  // What else is there they share.
  { folder: 'telemetry', prefix: '', names: ['opentelemetry', 'prometheus', 'terminus'] },
  // One page needs no folder of its own, and none that links to it but the README.
  { folder: 'dashboard', prefix: '', names: ['dashboard'], docs: 'docs', index: 'README.md' },
];

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

/** The value under a key of a map in which a `*` stands for any name, in keys and values. */
function lookUp(map, key) {
  for (const [pattern, values] of Object.entries(map)) {
    const [before, after] = pattern.split('*');
    if (after === undefined ? pattern === key : key.startsWith(before)) {
      return values.map((value) => value.replace('*', key.slice(before.length)));
    }
  }
  return undefined;
}

/** The packages that a source loads, types included, by itself or by other files of its folder. */
function packagesOf(file, seen = new Set()) {
  if (seen.has(file)) return [];
  seen.add(file);
  const { importedFiles } = ts.preProcessFile(read(file), true, true);
  return importedFiles.flatMap(({ fileName }) => {
    if (fileName.startsWith('node:')) return [];
    if (!fileName.startsWith('.')) return [fileName.split('/', fileName.startsWith('@') ? 2 : 1).join('/')];
    const target = path.posix.join(path.posix.dirname(file), fileName.replace(/\.js$/, '.ts'));
    // What the engine and the module load everybody has.
    return /^src\/(pool|retry|module)\//.test(target) ? [] : packagesOf(target, seen);
  });
}

/** What those who use the module have anyway. */
const EVERYBODYS = ['@nestjs/common', '@nestjs/core', 'rxjs'];

const known = new Set(['.', './testing', './package.json']);
const clients = new Set();

for (const { folder, prefix, names, docs = `docs/${folder}`, index = `${docs}/README.md` } of DOORS) {
  // Besides those of doors there are others directly in docs.
  const pages = namesIn(docs, '.md').filter((name) => (docs === 'docs' ? names.includes(name) : name !== 'README'));
  for (const name of names) {
    const [source, specifier] = [`${folder}/${name}`, `${prefix}${name}`];
    const full = `nestjs-connection-pool/${specifier}`;
    const entry = JSON.stringify(entryFor(source));
    const isExported = JSON.stringify(manifest.exports[`./${specifier}`]) === entry;
    known.add(`./${specifier}`);
    check(isExported, 'package.json', `exports['./${specifier}'] must be ${entry}`);
    const types = lookUp(manifest.typesVersions['*'], specifier);
    check(
      types?.[0] === `./dist/cjs/${source}.d.ts`,
      'package.json',
      `typesVersions does not lead ${specifier} to its types`,
    );
    const mapped = lookUp(config.compilerOptions.paths, full);
    check(mapped?.[0] === `./src/${source}.ts`, 'tsconfig.json', `paths does not lead ${full} to src/${source}.ts`);

    const page = pages.includes(name) ? read(docs, `${name}.md`) : '';
    const install =
      page
        .match(/npm install nestjs-connection-pool(.*)/)?.[1]
        .trim()
        .split(/\s+/) ?? [];
    check(page !== '', docs, `there is no ${name}.md for ${full}`);
    check(page.includes(`'${full}'`), `${docs}/${name}.md`, `it does not show how to import '${full}'`);
    const link = path.posix.relative(path.posix.dirname(index), `${docs}/${name}.md`);
    check(read(index).includes(`(${link})`), index, `it does not link to ${link}`);

    const packages = new Set(packagesOf(`src/${source}.ts`).filter((each) => !EVERYBODYS.includes(each)));
    for (const client of packages) {
      clients.add(client);
      const { dependencies, peerDependencies, peerDependenciesMeta } = manifest;
      check(dependencies[client] === undefined, 'package.json', `${client}, of ${full}, is a dependency of everyone`);
      check(peerDependencies[client] !== undefined, 'package.json', `peerDependencies lacks ${client}, of ${full}`);
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
  check(clients.has(peer), 'package.json', `no source loads the optional peer ${peer}`);
}

for (const each of faults) console.error(each);
console.log(`${known.size} subpaths checked, ${faults.length} faults`);
if (faults.length > 0) process.exitCode = 1;
