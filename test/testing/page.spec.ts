import { describe, expect, test } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import ts from 'typescript';

const ROOT = new URL('../../', import.meta.url);
const EXAMPLES = new URL('test/testing/mail/', ROOT);
const PAGE = readFileSync(new URL('docs/testing.md', ROOT), 'utf8');

/** The code of an example as a user has it, who imports the package by its name. */
function asUsersHaveIt(file: string): string {
  return readFileSync(new URL(file, EXAMPLES), 'utf8')
    .replaceAll("'../../../src/index.js'", "'nestjs-connection-pool'")
    .replaceAll("'../../../src/testing/index.js'", "'nestjs-connection-pool/testing'");
}

/** The page's code by the file that its first line names; a file may come in several parts. */
function filesOfPage(): Record<string, string> {
  const files: Record<string, string> = {};
  for (const [, name, code] of PAGE.matchAll(/^```ts\n\/\/ (\S+)\n(.*?)^```$/gms) as Iterable<string[]>) {
    const before = files[name!];
    files[name!] = before === undefined ? code! : `${before}\n${code!}`;
  }
  return files;
}

/** The public members of the classes and the options that a file exports. */
function membersOf(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(new URL(file, ROOT), 'utf8'), ts.ScriptTarget.Latest, true);
  const types = source.statements.filter((each) => ts.isClassDeclaration(each) || ts.isInterfaceDeclaration(each));
  const exported = types.filter((each) => each.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword));
  return exported
    .flatMap((type): readonly (ts.ClassElement | ts.TypeElement)[] => type.members)
    .filter((member) => {
      const modifiers = ts.canHaveModifiers(member) ? (ts.getModifiers(member) ?? []) : [];
      const hidden = [ts.SyntaxKind.PrivateKeyword, ts.SyntaxKind.StaticKeyword];
      return !modifiers.some(({ kind }) => hidden.includes(kind));
    })
    .map((member) => member.name?.getText(source))
    .filter((name) => name !== undefined);
}

describe('docs/testing.md', () => {
  test('shows the examples that are run here, whole and as they are, and no others', () => {
    const examples = readdirSync(EXAMPLES).map((file) => [file, asUsersHaveIt(file)]);
    expect(filesOfPage()).toEqual(Object.fromEntries(examples));
    expect(PAGE.match(/^```\w/gm)).toHaveLength(PAGE.match(/^```ts\n\/\/ /gm)!.length);
  });

  test.each(['src/testing/virtual-clock.ts', 'src/testing/scripted-factory.ts'])(
    'explains every member of %s',
    (file) => {
      const members = membersOf(file);
      expect(members.length).toBeGreaterThan(10);
      expect(members.filter((name) => !new RegExp(`\`${name}\\b`).test(PAGE))).toEqual([]);
    },
  );
});
