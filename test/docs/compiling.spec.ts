import { expect, jest, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { faultsOf } from './compile.js';

// The compiler has much to read, and may have to wait for its turn.
jest.setTimeout(120_000);

const ROOT = new URL('../../', import.meta.url);

/** Texts by their paths. */
function pages(): Record<string, string> {
  const docs = readdirSync(new URL('docs/', ROOT), { recursive: true, encoding: 'utf8' });
  const names = ['README.md', ...docs.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)];
  return Object.fromEntries(names.map((name) => [name, readFileSync(new URL(name, ROOT), 'utf8')]));
}

test('every example in README.md and docs compiles as it stands', () => {
  expect(faultsOf(pages())).toEqual([]);
});

test('what does not is told with its place on the page', () => {
  const wrong = [
    'Look:',
    '',
    '```ts',
    '// mail.ts',
    "import { ConnectionPool, type Pools } from 'nestjs-connection-pool';",
    'export class Mail {}',
    'new ConnectionPool() satisfies Pools;',
    '```',
    '',
    '```ts',
    'new Mail(pool, theirs);',
    'pool.ready(7);',
    '```',
  ];
  expect(faultsOf({ 'docs/wrong.md': wrong.join('\n') })).toEqual([
    expect.stringMatching(/^docs\/wrong\.md:5:31 TS2305: .* no exported member 'Pools'/),
    expect.stringMatching(/^docs\/wrong\.md:7:1 TS2554: Expected 1-2 arguments, but got 0/),
    expect.stringMatching(/^docs\/wrong\.md:11:10 TS2554: Expected 0 arguments, but got 2/),
    expect.stringMatching(/^docs\/wrong\.md:12:12 TS2559: Type '7'/),
  ]);
});
