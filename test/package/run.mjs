/**
 * The package as a user meets it: packed, installed into applications such as Nest's starter makes them, and there
 * compiled, started, asked over HTTP, stopped and tested. `node test/package/run.mjs [application…]`; it needs dist.
 *
 * The applications are made in a temporary folder, where no node_modules of ours can be found by climbing up.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';

const MINUTE = 60_000;
const QUIETLY = ['--no-audit', '--no-fund', '--prefer-offline'];

const root = path.resolve(import.meta.dirname, '../..');
const templates = path.join(import.meta.dirname, 'template');

/** Whether jest can require() ES modules, and so a CommonJS spec Nest 12: what jest needs for it came with Node 24.9. */
const [major, minor] = process.versions.node.split('.').map(Number);
const jestRequiresModules = major > 24 || (major === 24 && minor >= 9);

/**
 * Each as the starter of that version, less its linters, and with jest where the starter has vitest. `extensions`: whether
 * relative imports end in .js there; `jest`: whether jest can run it on this Node at all.
 */
const APPLICATIONS = {
  'nest-12-esm': { extensions: true, jest: true },
  'nest-11-commonjs': { extensions: false, jest: true },
  'nest-12-commonjs': { extensions: false, jest: jestRequiresModules },
};

/** The environment as it is outside of npm's scripts: those tell every npm below which package they belong to. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(
    ([key]) =>
      !/^(npm_(lifecycle|package|command|execpath|node_execpath|config_local_prefix)|INIT_CWD|NODE_)/i.test(key),
  ),
);

/** Runs a command to its end and yields what it printed; fails with all of it. */
function run(command, args, { cwd, timeout = 2 * MINUTE }) {
  return new Promise((resolve, reject) => {
    let output = '';
    let printed = '';
    const child = spawn(command, args, { cwd, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      output += `\nkilled after ${timeout / 1000} s`;
      child.kill('SIGKILL');
    }, timeout);
    child.stdout.on('data', (chunk) => {
      output += chunk;
      printed += chunk;
    });
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      if (code === 0) {
        resolve({ output, printed });
        return;
      }
      const error = new Error(`${command} ${args.join(' ')} (exit ${code})\n${output}`);
      reject(Object.assign(error, { output, isLate }));
    });
  });
}

let passed = 0;
let failed = 0;

/** One test; after a failure the rest of its application is pointless, so it comes out. */
async function test(name, body) {
  const start = performance.now();
  try {
    await body();
    passed++;
    console.log(`  ok      ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed++;
    console.log(`  FAILED  ${name}\n${String(error.stack ?? error).replace(/^/gm, '          ')}`);
    throw error;
  }
}

const SUBPATHS = ['testing', 'factories', 'telemetry', 'dashboard'];
const EXPECTED = [
  /^(package\.json|README\.md|LICENSE)$/,
  /^dist\/cjs\/package\.json$/,
  new RegExp(`^dist/(esm|cjs)/(index|(pool|retry|module|${SUBPATHS.join('|')})/[a-z0-9./-]+)\\.(js|d\\.ts)$`),
];

async function pack(folder) {
  const options = { cwd: root };
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const [packed] = JSON.parse((await run('npm', args, options)).printed);
  return { tarball: path.join(folder, packed.filename), files: packed.files.map((file) => file.path) };
}

function checkContents(files) {
  const unexpected = files.filter((file) => !EXPECTED.some((pattern) => pattern.test(file)));
  assert.deepEqual(unexpected, [], 'these are in the tarball, and no user needs them');

  const sources = readdirSync(path.join(root, 'src'), { recursive: true })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => name.replaceAll(path.sep, '/').slice(0, -'.ts'.length));
  const built = ['esm', 'cjs'].flatMap((format) =>
    sources.flatMap((name) => [`dist/${format}/${name}.js`, `dist/${format}/${name}.d.ts`]),
  );
  const wanted = ['package.json', 'README.md', 'LICENSE', 'dist/cjs/package.json', ...built];
  assert.deepEqual(files.toSorted(), wanted.toSorted(), 'the tarball is not what the sources make: is dist old?');

  // Nothing else says that the dashboard's page has come along: its files are inside a module.
  for (const format of ['esm', 'cjs']) {
    const embedded = readFileSync(path.join(root, 'dist', format, 'dashboard/page-assets.js'), 'utf8');
    for (const name of readdirSync(path.join(root, 'src/dashboard/page'))) {
      const text = JSON.stringify(readFileSync(path.join(root, 'src/dashboard/page', name), 'utf8'));
      assert.ok(embedded.includes(text), `dist/${format} lacks the page's ${name}, or has an old one`);
    }
  }
  for (const file of files) {
    const text = readFileSync(path.join(root, file), 'utf8');
    assert.ok(!text.includes(root), `${file} names the folder that it was built in`);
  }
}

function makeApplication(folder, name, { extensions }) {
  cpSync(path.join(templates, name), folder, { recursive: true });
  cpSync(path.join(templates, 'common'), folder, { recursive: true });
  if (extensions) return;
  const src = path.join(folder, 'src');
  for (const file of readdirSync(src)) {
    const text = readFileSync(path.join(src, file), 'utf8');
    writeFileSync(path.join(src, file), text.replace(/(from '\.\.?\/[^']+)\.js'/g, "$1'"));
  }
}

/** The compiler's faults that are ours or in our types; those of other packages' types are not for us to mend. */
async function typeCheck(folder, project) {
  const args = [path.join('node_modules', 'typescript', 'bin', 'tsc'), '-p', project, '--pretty', 'false'];
  const output = await run(process.execPath, args, { cwd: folder }).then(
    () => '',
    (error) => error.output,
  );
  const faults = output.split('\n').filter((line) => /error TS\d+/.test(line));
  const foreign = (line) => line.includes('node_modules/') && !line.includes('node_modules/nestjs-connection-pool/');
  assert.deepEqual(
    faults.filter((line) => !foreign(line)),
    [],
  );
  assert.ok(output === '' || faults.length > 0, output);
}

/** Starts the application on a free port, hands its address on, and has it shut down as a deployment would. */
async function whileRunning(folder, body) {
  const env = { ...environment, PORT: '0', NO_COLOR: '1' };
  const child = spawn(process.execPath, ['dist/main.js'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  const closed = new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal })));
  try {
    const address = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no address after 30 s\n${output}`)), 30_000);
      const read = (chunk) => {
        output += chunk;
        const found = /listening on (http:\/\/\S+)/.exec(output);
        if (found === null) return;
        clearTimeout(timer);
        resolve(found[1]);
      };
      child.stdout.on('data', read);
      child.stderr.on('data', read);
      child.on('close', (code) => {
        clearTimeout(timer);
        reject(new Error(`it ended with ${code} before it listened\n${output}`));
      });
    });
    await body(address);
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
    const { signal } = await closed;
    clearTimeout(timer);
    // Nest ends the process with the signal that it was sent, once its hooks have run.
    assert.equal(signal, 'SIGTERM', `it did not shut down within 15 s of SIGTERM\n${output}`);
    // Node's own: a deprecation, an experimental feature, a leak. What the library logs of the cut connection is right.
    assert.doesNotMatch(output, /\w*Warning: /, `it ran, but not calmly\n${output}`);
  } finally {
    child.kill('SIGKILL');
  }
}

async function get(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  const body = await response.text();
  assert.equal(response.status, 200, `${url}: ${response.status} ${body}`);
  return body;
}

/** Installs as a user would. A registry that is silent for once is asked again: it is not what is tested here. */
async function install(folder, ...what) {
  const args = ['install', ...QUIETLY, ...what];
  for (let attempt = 1; ; attempt++) {
    try {
      return await run('npm', args, { cwd: folder, timeout: 1.5 * MINUTE });
    } catch (error) {
      if (!error.isLate || attempt === 3) throw error;
    }
  }
}

/** Each factory's client is its user's to install. What the library itself needs is all that npm may bring. */
async function checkAlone(folder, tarball) {
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  await install(folder, tarball);
  const modules = path.join(folder, 'node_modules');
  const manifest = JSON.parse(readFileSync(path.join(modules, 'nestjs-connection-pool', 'package.json'), 'utf8'));
  const clients = Object.keys(manifest.peerDependenciesMeta);
  assert.ok(clients.includes('pg'));
  assert.deepEqual(
    clients.filter((name) => existsSync(path.join(modules, name))),
    [],
    'these came with the library, though most users need none of them',
  );
}

async function testApplication(folder, name, tarball) {
  await test(`${name}: npm install`, async () => {
    makeApplication(folder, name, APPLICATIONS[name]);
    const { output } = await install(folder, '--include=dev', tarball);
    assert.doesNotMatch(output, /ERESOLVE|EBADENGINE.*nestjs-connection-pool/);
  });
  await test(`${name}: import and require give one copy`, async () => {
    const { output } = await run(process.execPath, ['check/one-copy.cjs'], { cwd: folder });
    assert.doesNotMatch(output, /Warning/);
  });
  await test(`${name}: a factory needs its own client and nobody else's`, async () => {
    await run(process.execPath, ['check/own-client.cjs'], { cwd: folder });
  });
  await test(`${name}: types, as a module, as CommonJS, and for a bundler`, async () => {
    await typeCheck(folder, 'check/tsconfig.nodenext.json');
    await typeCheck(folder, 'check/tsconfig.bundler.json');
  });
  await test(`${name}: npm run build`, () => run('npm', ['run', 'build'], { cwd: folder }));
  await test(`${name}: starts, serves from the pool, retries, shuts down`, () =>
    whileRunning(folder, async (address) => {
      assert.equal(await get(address), 'Hello World!');
      assert.equal(await get(`${address}/echo/hello`), 'hello');
      assert.equal(await get(`${address}/echo/flaky`), 'flaky');
      assert.deepEqual(JSON.parse(await get(`${address}/connections`)), { size: 3 });
    }));
  if (!APPLICATIONS[name].jest) return;
  await test(`${name}: npm test`, () => run('npm', ['test'], { cwd: folder, timeout: 3 * MINUTE }));
}

const chosen = process.argv.slice(2);
for (const name of chosen) assert.ok(Object.hasOwn(APPLICATIONS, name), `no application ${name}`);

if (!existsSync(path.join(root, 'dist'))) {
  console.error('there is no dist: npm run build comes first');
  process.exit(1);
}

const work = mkdtempSync(path.join(tmpdir(), 'package-test-'));
try {
  let packed;
  await test('npm pack', async () => {
    packed = await pack(work);
  });
  console.log(`${packed.files.map((file) => `            ${file}`).join('\n')}`);
  await test('the tarball holds what users need and nothing else', () => checkContents(packed.files)).catch(() => {});
  await test('installed alone, the library brings no client of a factory', async () => {
    const folder = path.join(work, 'alone');
    mkdirSync(folder);
    await checkAlone(folder, packed.tarball);
  }).catch(() => {});
  for (const name of chosen.length > 0 ? chosen : Object.keys(APPLICATIONS)) {
    const folder = path.join(work, name);
    mkdirSync(folder);
    await testApplication(folder, name, packed.tarball).catch(() => {});
  }
} catch {
  // Told above.
} finally {
  if (process.env.KEEP === undefined) rmSync(work, { recursive: true, force: true });
  else console.log(`kept: ${work}`);
}
console.log(`package tests: ${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
