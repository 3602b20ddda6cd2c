import { describe, expect, test } from '@jest/globals';
import { readFile } from 'node:fs/promises';
import { withCommas } from '../svg.js';
import { EVERY_SCENARIO } from './every-scenario.js';
import { USAGE } from './options.js';
import type { Goal } from './scenario.js';

const PAGE = new URL('../../docs/benchmark.md', import.meta.url);

function shown(goal: Goal | undefined, unit: string): string {
  if (goal === undefined) return '';
  if ('times' in goal) return goal.times.toFixed(2);
  return 'units' in goal ? `${withCommas(goal.units)} ${unit}` : `${withCommas(goal.more)} ${unit} more`;
}

describe('The page on the benchmark', () => {
  test('has a row for every scenario, in their order, with its goal', async () => {
    const page = await readFile(PAGE, 'utf8');
    const [, table] = page.split('\n## Scenarios\n');
    const rows = [...table!.matchAll(/^\| `(.+?)` \|.*\| ([^|]*?) ?\|$/gm)].map(([, name, goal]) => [name, goal]);
    expect(rows).toEqual(EVERY_SCENARIO.map(({ name, goal, unit }) => [name, shown(goal, unit)]));
  });

  test('has every option', async () => {
    const page = await readFile(PAGE, 'utf8');
    const optionsIn = (text: string): Set<string> => new Set(text.match(/--[a-z][a-z-]*/g));
    expect(optionsIn(page)).toEqual(optionsIn(USAGE));
  });

  test('names scripts that there are', async () => {
    const page = await readFile(PAGE, 'utf8');
    const { scripts } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const named = [...page.matchAll(/npm run ([\w:]+)/g)].map(([, script]) => script!);
    expect(new Set(named)).toEqual(new Set(['bench', 'bench:compare']));
    for (const script of named) expect(scripts).toHaveProperty([script]);
  });
});
