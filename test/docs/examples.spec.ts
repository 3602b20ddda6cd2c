import { describe, expect, test } from '@jest/globals';
import { examplesOf } from './examples.js';

/** A page with these blocks, and a line of text before each. */
function pageOf(...blocks: readonly string[]): string {
  return blocks.map((block) => `Look:\n\`\`\`ts\n${block}\n\`\`\`\n`).join('');
}

function linesOf(page: string): Record<string, string> {
  return Object.fromEntries(examplesOf(page).map(({ name, text }) => [name, text]));
}

describe('the examples of a page', () => {
  test('are files of the names that their first lines say', () => {
    expect(linesOf(pageOf('// a.ts\nlet a;', '// b.service.ts\nlet b;'))).toEqual({
      'a.ts': '\n\n// a.ts\nlet a;\n\n\n\n\n\n\n',
      'b.service.ts': '\n\n\n\n\n\n\n// b.service.ts\nlet b;\n\n',
    });
  });

  test('go on with a file where they say its name again', () => {
    expect(linesOf(pageOf('// a.ts\nlet a;', '// a.ts\nlet b;'))).toEqual({
      'a.ts': '\n\n// a.ts\nlet a;\n\n\n\n// a.ts\nlet b;\n\n',
    });
  });

  test('are files of their own where they import something', () => {
    expect(linesOf(pageOf("import 'a';"))).toEqual({ 'line-3.ts': "\n\nimport 'a';\n\n" });
  });

  test('are fragments where they do not, and see what the page imports and exports', () => {
    const file =
      "// a.ts\nimport { type B, c as d } from 'b';\nimport 'e';\nimport * as f from 'f';\nexport class A {}\nclass G {}";
    const [, fragment] = examplesOf(pageOf(file, 'new A(d);'));
    expect(fragment!.isFragment).toBe(true);
    const [before, code, after] = fragment!.text.split('\n').slice(10, 13);
    expect(before).toMatch(
      /^import { type B } from 'b'; import { c as d } from 'b'; import { A } from '.\/a\.js'; async \(pool: .*ConnectionPool/,
    );
    expect([code, after]).toEqual(['new A(d);', '};']);
  });

  test('are of no other language', () => {
    expect(examplesOf('```sh\nls\n```\n')).toEqual([]);
  });

  test('have an end', () => {
    expect(() => examplesOf('\n```ts\nlet a;\n')).toThrow('The example that begins in line 2 has no end');
  });
});
