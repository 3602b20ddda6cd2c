import { describe, expect, it } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import type { Fault } from './fault.js';
import { FAULTS } from './faults.js';

const PAGE = new URL('../../docs/faults.md', import.meta.url);

/** A fault's row of the page's table. */
function rowOf([name, { does, options }]: [string, Fault]): string {
  const listed = Object.entries(options).map(([key, { usual }]) => `\`${key}: ${JSON.stringify(usual)}\``);
  return `| \`${name}\` | ${does} | ${listed.join(', ')} |`;
}

describe('the page on faults', () => {
  it('lists every fault, with what it does, its options and their defaults', async () => {
    const page = await readFile(PAGE, 'utf8');
    const rows = page.split('\n').filter((line) => /^\| `\w+` \|/.test(line));
    expect(rows).toEqual(Object.entries(FAULTS).map((entry) => rowOf(entry as [string, Fault])));
  });

  it('names every script that it tells to run', async () => {
    const page = await readFile(PAGE, 'utf8');
    const { scripts } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = [...page.matchAll(/npm run ([\w:]+)/g)].map(([, script]) => script!);
    expect(new Set(named)).toEqual(new Set(['simulate', 'jest', 'soak', 'stampede']));
    for (const script of named) expect(scripts).toHaveProperty(script);
  });
});
