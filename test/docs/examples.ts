import ts from 'typescript';

/** A file that a page's examples make. */
export interface Example {
  readonly name: string;
  /** The page's own lines, each in its place; what else is on the page is left blank. */
  readonly text: string;
  readonly isFragment: boolean;
}

const POOL = "import('nestjs-connection-pool').ConnectionPool<object>";

/** A block of code, and where its first line stands, counted from 0. */
interface Block {
  readonly start: number;
  readonly lines: readonly string[];
}

/**
 * The TypeScript of a page, as files that a reader makes of it in one folder.
 *
 * - A block whose first line is a comment with a file's name (`// orders-db.ts`) is that file, or goes on with it.
 * - Any other with imports is a file of its own.
 * - One without is a fragment: the body of an async function with a `pool`, in a file that imports whatever the page's files
 *   import and export. What else it names is the reader's.
 */
export function examplesOf(page: string): Example[] {
  const lines = page.split('\n');
  const files = new Map<string, Block[]>();
  const fragments: Block[] = [];
  for (const block of blocksOf(lines)) {
    const name = nameOf(block);
    if (name === undefined) fragments.push(block);
    else files.set(name, [...(files.get(name) ?? []), block]);
  }
  const imports = importsOf(files);
  return [
    ...[...files].map(([name, blocks]) => ({ name, text: inPlace(lines, blocks), isFragment: false })),
    ...fragments.map((fragment) => {
      const { start } = fragment;
      // Where the fences are.
      const before = { start: start - 1, lines: [`${imports} async (pool: ${POOL}) => {`] };
      const after = { start: start + fragment.lines.length, lines: ['};'] };
      return { name: `fragment-${start + 1}.ts`, text: inPlace(lines, [before, fragment, after]), isFragment: true };
    }),
  ];
}

function blocksOf(page: readonly string[]): Block[] {
  const blocks: Block[] = [];
  for (let start = page.indexOf('```ts') + 1; start > 0; start = page.indexOf('```ts', start) + 1) {
    const end = page.indexOf('```', start);
    if (end < 0) throw new Error(`The example that begins in line ${start} has no end`);
    blocks.push({ start, lines: page.slice(start, end) });
  }
  return blocks;
}

/** Undefined of a fragment. */
function nameOf({ start, lines }: Block): string | undefined {
  const [, given] = /^\/\/ (\S+\.ts)$/.exec(lines[0]!) ?? [];
  return given ?? (lines.some((line) => line.startsWith('import ')) ? `line-${start + 1}.ts` : undefined);
}

function inPlace(page: readonly string[], blocks: readonly Block[]): string {
  const text = page.map(() => '');
  for (const { start, lines } of blocks) text.splice(start, lines.length, ...lines);
  return text.join('\n');
}

/** All that these files import and export, each name once, in one line. */
function importsOf(files: ReadonlyMap<string, readonly Block[]>): string {
  const imports = new Map<string, string>();
  for (const [name, blocks] of files) {
    const code = blocks.flatMap(({ lines }) => lines).join('\n');
    for (const statement of ts.createSourceFile(name, code, ts.ScriptTarget.Latest, true).statements) {
      if (ts.isImportDeclaration(statement)) {
        const bindings = statement.importClause?.namedBindings;
        for (const element of bindings !== undefined && ts.isNamedImports(bindings) ? bindings.elements : []) {
          imports.set(
            element.name.text,
            `import { ${element.getText()} } from ${statement.moduleSpecifier.getText()};`,
          );
        }
      } else if (ts.isClassDeclaration(statement) && ts.getModifiers(statement)?.some(isExport)) {
        const { text } = statement.name!;
        imports.set(text, `import { ${text} } from './${name.replace(/\.ts$/, '.js')}';`);
      }
    }
  }
  return [...imports.values()].join(' ');
}

function isExport({ kind }: ts.Node): boolean {
  return kind === ts.SyntaxKind.ExportKeyword;
}
