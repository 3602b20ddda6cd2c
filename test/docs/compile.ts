import { readFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { examplesOf } from './examples.js';

const ROOT = path.resolve(import.meta.dirname, '../..');

/** As a new Nest project has them, and what the strict add; the package's own name leads to its sources. */
const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ['node'],
  strict: true,
  noImplicitOverride: true,
  noUnusedLocals: true,
  noUnusedParameters: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  isolatedModules: true,
  esModuleInterop: true,
  skipLibCheck: true,
  noEmit: true,
  paths: pathsOf('tsconfig.json'),
  pathsBasePath: ROOT,
};

/**
 * What a fragment leaves to its reader: names (2304, 2552, 18004) and types (7006) of his own, and what he does with what it
 * declares (6133, 6196).
 */
const LEFT_TO_READERS = new Set([2304, 2552, 18_004, 7006, 6133, 6196]);

/**
 * What the compiler says of the examples of these pages, where in the pages it says it.
 *
 * @param pages their texts by their paths
 */
export function faultsOf(pages: Readonly<Record<string, string>>): string[] {
  // Each page is the folder of its files.
  const examples = Object.entries(pages).flatMap(([page, text]) =>
    examplesOf(text).map((example) => ({ page, file: path.join(ROOT, page, example.name), ...example })),
  );
  const program = compile(new Map(examples.map(({ file, text }) => [file, text])));
  return examples.flatMap(({ page, file, isFragment }) => {
    const source = program.getSourceFile(file)!;
    return (
      [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
        .filter(({ code }) => !isFragment || !LEFT_TO_READERS.has(code))
        .map(({ start, code, messageText }) => {
          const { line, character } = source.getLineAndCharacterOfPosition(start!);
          const message = ts.flattenDiagnosticMessageText(messageText, '\n');
          return { line, text: `${page}:${line + 1}:${character + 1} TS${code}: ${message}` };
        })
        // What a fragment imports is another example's, of which it is told there.
        .filter(({ line }) => !isFence(pages[page]!, line))
        .map(({ text }) => text)
    );
  });
}

function isFence(page: string, line: number): boolean {
  return page.split('\n')[line]!.startsWith('```');
}

/** @param files texts by their paths, beside all that is on the disk */
function compile(files: ReadonlyMap<string, string>): ts.Program {
  const folders = new Set([...files.keys()].map(path.dirname));
  const host = ts.createCompilerHost(OPTIONS);
  const { fileExists, readFile, directoryExists } = host;
  host.fileExists = (file) => files.has(file) || fileExists(file);
  host.readFile = (file) => files.get(file) ?? readFile(file);
  host.directoryExists = (folder) => folders.has(folder) || directoryExists!(folder);
  return ts.createProgram([...files.keys()], OPTIONS, host);
}

function pathsOf(file: string): ts.MapLike<string[]> {
  const { config } = ts.readConfigFile(path.join(ROOT, file), (name) => readFileSync(name, 'utf8'));
  return (config as { compilerOptions: { paths: ts.MapLike<string[]> } }).compilerOptions.paths;
}
