/**
 * Two rules that no linter of ours has:
 *
 * - A class that Nest injects has no `#private` members. An injected object may stand behind a Proxy (a mock, a
 *   transaction manager's), and a Proxy has no private members of its target.
 * - No module awaits at its top level. CommonJS code could not require() it: neither our CommonJS build nor, through the
 *   condition `module-sync`, the ES modules.
 */
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import ts from 'typescript';

const root = path.dirname(import.meta.dirname);
const src = path.join(root, 'src');

const INJECTED = [/^src\/(module|factories|telemetry|dashboard)\//, /^src\/pool\/connection-pool\.ts$/];

function* faultsOf(file) {
  const name = path.relative(root, file).replaceAll(path.sep, '/');
  const source = ts.createSourceFile(name, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest, true);
  const injected = INJECTED.some((pattern) => pattern.test(name));
  const at = (node) => {
    const { line, character } = source.getLineAndCharacterOfPosition(node.getStart());
    return `${name}:${line + 1}:${character + 1}`;
  };

  function* visit(node, inFunction) {
    if (injected && ts.isPrivateIdentifier(node)) {
      yield `${at(node)}  ${node.text}: a class that is injected may stand behind a Proxy; use "private"`;
    }
    const awaits =
      ts.isAwaitExpression(node) ||
      (ts.isForOfStatement(node) && node.awaitModifier !== undefined) ||
      (ts.isVariableDeclarationList(node) && /^await\s/.test(node.getText()));
    if (awaits && !inFunction) yield `${at(node)}  await at the top level: the module could not be loaded by require()`;
    const inside = inFunction || ts.isFunctionLike(node) || ts.isClassStaticBlockDeclaration(node);
    const children = [];
    ts.forEachChild(node, (child) => void children.push(child));
    for (const child of children) yield* visit(child, inside);
  }
  yield* visit(source, false);
}

const files = readdirSync(src, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.[mc]?ts$/.test(entry.name))
  .map((entry) => path.join(entry.parentPath, entry.name));
const faults = files.flatMap((file) => [...faultsOf(file)]);

for (const fault of faults) console.error(fault);
console.log(`${files.length} source files checked, ${faults.length} faults`);
if (faults.length > 0) process.exitCode = 1;
