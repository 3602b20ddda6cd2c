/**
 * Plants a bug in a copy of the engine and lets a tool look for it. The bugs that a tool must find stand in its bugs.ts:
 * node test/plant.js simulation "one connection too many is opened" --seeds 2000. Ends with 1 when it is found.
 */
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { transpile } from '../.ci/transpile.js';

const build = path.join(path.dirname(import.meta.dirname), 'build');
const load = (...file) => import(pathToFileURL(path.join(build, ...file)).href);

const TOOLS = ['simulation', 'soak'];

/** @throws Error that says what there is to choose from */
async function plant(tool, name) {
  if (!TOOLS.includes(tool)) throw new Error(`There is no tool "${tool}"; there are: ${TOOLS.join(', ')}`);
  const tools = path.join(build, 'tools');
  transpile(tools);
  const { BUGS } = await load('tools', 'test', tool, 'bugs.js');
  const number = BUGS.findIndex((each) => each.name === name);
  if (number < 0) {
    const given = name === undefined ? 'Name the bug' : `There is no bug "${name}"`;
    throw new Error(`${given}; there are:\n${BUGS.map((each) => `  ${each.name}`).join('\n')}`);
  }
  const { file, from, to } = BUGS[number];
  const place = path.join('bugs', tool, String(number));
  const rewrite = (source, text) => {
    if (source !== path.join('src', 'pool', file)) return text;
    const found = text.split(from).length - 1;
    if (found !== 1) throw new Error(`The bug "${name}" does not fit any more: ${file} has ${found} places for it.`);
    return text.replace(from, () => to);
  };
  transpile(path.join(build, place), { rewrite, unchanged: tools });
  return place;
}

try {
  const [tool, name] = process.argv.splice(2, 2);
  const place = await plant(tool, name);
  await load(place, 'test', tool, 'main.js');
} catch (error) {
  console.error(error.message);
  process.exitCode = 2;
}
