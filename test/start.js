/**
 * Compiles the tools of test/, as far as they have changed, and starts one: node test/start.js simulation/main --seeds 10.
 * In this very process, so that signals and node's own options reach it.
 */
import path from 'node:path';
import process from 'node:process';
import { pathToFileURL } from 'node:url';
import { transpile } from '../.ci/transpile.js';

const out = path.join(path.dirname(import.meta.dirname), 'build', 'tools');
const [tool] = process.argv.splice(2, 1);
if (tool === undefined) throw new Error('name the tool, as in: node test/start.js simulation/main');

transpile(out);
await import(pathToFileURL(path.join(out, 'test', `${tool}.js`)).href);
