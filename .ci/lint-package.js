/**
 * Whether the package, packed as it would be published, is right for those who install it: publint reads its package.json
 * and files, attw resolves its types as each kind of consumer would.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';

const root = path.dirname(import.meta.dirname);
const bin = (name) => path.join(root, 'node_modules', '.bin', name);

if (!existsSync(path.join(root, 'dist'))) {
  console.error('there is no dist: npm run build comes first');
  process.exit(1);
}

const folder = mkdtempSync(path.join(tmpdir(), 'lint-package-'));
try {
  // Without scripts, as prepack would build once more.
  const packed = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const tarball = path.join(folder, JSON.parse(packed)[0].filename);
  for (const [tool, ...args] of [
    ['publint', 'run', tarball, '--strict'],
    ['attw', tarball],
  ]) {
    console.log(`\n${tool} ${args.map((each) => path.basename(each)).join(' ')}`);
    execFileSync(bin(tool), args, { cwd: root, stdio: 'inherit' });
  }
} catch (error) {
  console.error(error.message.split('\n', 1)[0]);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
