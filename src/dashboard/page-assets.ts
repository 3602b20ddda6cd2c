import { readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * The text of each file that the page consists of, by the name under which it is served.
 *
 * In the package this module is another, which the build writes (.ci/build.js): one that has the texts in it. A file beside a
 * module cannot be found by one source that is to be an ES module and CommonJS (`import.meta` compiles in one, `__dirname` is
 * in the other), and would be lost to those who bundle. What stands here serves who runs the sources, in their repository.
 */
export const PAGE_ASSETS: Readonly<Record<string, string>> = readPage(process.cwd());

/** @param root the repository's folder */
function readPage(root: string): Record<string, string> {
  const read = (...names: string[]): string => readFileSync(path.join(root, ...names), 'utf8');
  const own = [
    'page.html',
    'page.css',
    'page.js',
    'cells.js',
    'charts.js',
    'happenings.js',
    'pool-card.js',
    'icon.svg',
  ];
  const page = own.map((name) => [name, read('src/dashboard/page', name)]);
  const licence = read('node_modules/uplot/LICENSE').trim();
  const uplot = ['uPlot.iife.min.js', 'uPlot.min.css'].map((name) => [
    `uplot${path.extname(name)}`,
    `/*!\n${licence}\n*/\n${read('node_modules/uplot/dist', name)}`,
  ]);
  return Object.fromEntries([...page, ...uplot]) as Record<string, string>;
}
