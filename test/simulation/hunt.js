/**
 * Plants a bug of bugs.ts in a copy of the engine and lets the simulation look for it:
 * node test/simulation/hunt.js "one connection too many is opened" --seeds 2000. Ends with 1 when it is found.
 */
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { transpile } from '../../.ci/transpile.js';

const build = path.join(path.dirname(path.dirname(import.meta.dirname)), 'build');
const load = (...file) => import(pathToFileURL(path.join(build, ...file)).href);

const [name] = process.argv.splice(2, 1);
const tools = path.join(build, 'tools');
transpile(tools);
const { BUGS } = await load('tools', 'test', 'simulation', 'bugs.js');
const number = BUGS.findIndex((each) => each.name === name);

if (number < 0) {
  console.error(`There is no bug "${name}"; there are:\n${BUGS.map((each) => `  ${each.name}`).join('\n')}`);
  process.exitCode = 2;
} else {
  const { file, from, to } = BUGS[number];
  const place = `bugs/${number}`;
  transpile(path.join(build, place), (source, text) => {
    if (source !== path.join('src', 'pool', file)) return text;
    const found = text.split(from).length - 1;
    if (found !== 1) throw new Error(`The bug "${name}" does not fit any more: ${file} has ${found} places for it.`);
    return text.replace(from, () => to);
  });
  await load(place, 'test', 'simulation', 'main.js');
}
