import { execFile } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The project, seen from where this is when it is compiled: build/tools/test/bench. */
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const FOLDER = path.join(ROOT, 'build', 'bench');
/** No program that is run here takes longer, in milliseconds. */
const PATIENCE = 60_000;
/** What the worker loads; of what there is in src, these import something. */
const LOADED = ['every-scenario.js', 'subjects/ours.js', 'retryable/application.js'];

type Transpile = (out: string, options?: { from?: string; folders?: readonly string[] }) => void;

/** The library as it is or was, compiled, with the benchmark as it is. */
export interface Revision {
  /** For people: `v1.2 (1a2b3c4d5e)`. */
  readonly name: string;
  readonly worker: URL;
}

/** @throws Error that says which commit is wrong, and why */
export async function revisionOf(commit: string | undefined): Promise<Revision> {
  const { transpile } = (await import(pathToFileURL(path.join(ROOT, '.ci', 'transpile.js')).href)) as {
    transpile: Transpile;
  };
  if (commit === undefined) {
    // Not the tools' own: whoever starts another tool meanwhile compiles those anew.
    return loaded('the working tree', path.join(FOLDER, 'working-tree'), transpile);
  }
  const hash = await hashOf(commit);
  const out = path.join(FOLDER, hash);
  const source = path.join(out, `source.${process.pid}`);
  try {
    await extract(commit, hash, source);
    transpile(out, { from: source, folders: ['src'] });
  } finally {
    rmSync(source, { recursive: true, force: true });
  }
  return loaded(`${commit} (${hash.slice(0, 10)})`, out, (to) => transpile(to, { folders: ['test'] }));
}

async function hashOf(commit: string): Promise<string> {
  try {
    // Nothing that begins with "-" is taken for an option.
    const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${commit}^{commit}`];
    return (await run('git', args, { cwd: ROOT, timeout: PATIENCE })).stdout.trim();
  } catch (error) {
    throw new Error(`'${commit}' is no commit of this repository`, { cause: error });
  }
}

async function extract(commit: string, hash: string, source: string): Promise<void> {
  mkdirSync(source, { recursive: true });
  const archive = path.join(source, 'src.tar');
  try {
    await run('git', ['archive', '--format=tar', '-o', archive, hash, 'src'], { cwd: ROOT, timeout: PATIENCE });
  } catch (error) {
    throw new Error(`'${commit}' has no src`, { cause: error });
  }
  await run('tar', ['-xf', archive, '-C', source], { timeout: PATIENCE });
}

/** Compiles what is left to be compiled, and sees whether the benchmark can be loaded with it. */
async function loaded(name: string, out: string, transpile: Transpile): Promise<Revision> {
  transpile(out);
  const folder = pathToFileURL(path.join(out, 'test', 'bench') + path.sep);
  const files = LOADED.map((file) => new URL(file, folder).href);
  const program = 'for (const file of process.argv.slice(1)) await import(file)';
  try {
    await run(process.execPath, ['--input-type=module', '--eval', program, ...files], { timeout: PATIENCE });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr ?? (error as Error).message;
    const [line = 'it does not load'] = /^\w*Error\b.*$/m.exec(said) ?? [];
    throw new Error(`${name} does not have what the benchmark imports: ${line.replaceAll(ROOT, '')}`, { cause: error });
  }
  return { name, worker: new URL('worker.js', folder) };
}
