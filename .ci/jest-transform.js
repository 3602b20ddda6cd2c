/**
 * Jest's transform for TypeScript: swc compiles it, and under --coverage istanbul counts it first.
 *
 * Jest would have istanbul count what swc puts out. There decorators and their metadata are full of branches that nobody
 * wrote (`typeof Foo === "undefined" ? Object : Foo`) and comments that tell istanbul to ignore something may be gone.
 * So istanbul gets the TypeScript as it was written: what it counts is what the source says.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { transformSync } from '@babel/core';
import swcJest from '@swc/jest';
import { swcOptions } from './swc-options.js';

const swcWith = (decoratorMetadata) => swcJest.createTransformer(swcOptions({ decoratorMetadata }));

// The library is built without metadata, so that nothing in it can come to depend on it (esbuild's users have none); the
// applications that tests make have it, as Nest's own starter does.
const forLibrary = swcWith(false);
const forTests = swcWith(true);

function count(source, filename, { rootDir }) {
  const { code } = transformSync(source, {
    filename,
    cwd: rootDir,
    babelrc: false,
    configFile: false,
    // So that lines in stack traces stay the source's; columns move.
    retainLines: true,
    compact: false,
    parserOpts: {
      plugins: ['typescript', ['decorators-legacy', { allowCallParenthesized: true }], 'explicitResourceManagement'],
    },
    plugins: [['babel-plugin-istanbul', { cwd: rootDir, exclude: [], extension: ['.ts'] }]],
  });
  return code;
}

function compilerFor(filename, { config }) {
  return filename.startsWith(path.join(config.rootDir, 'src') + path.sep) ? forLibrary : forTests;
}

// What the cache must not outlive.
const SELF = ['jest-transform.js', 'swc-options.js'].map((name) =>
  readFileSync(new URL(name, import.meta.url), 'utf8'),
);

export default {
  canInstrument: true,
  getCacheKey: (source, filename, options) =>
    createHash('sha1')
      .update(compilerFor(filename, options).getCacheKey(source, filename, options))
      .update(options.instrument ? 'counted' : 'plain')
      .update(SELF.join(''))
      .digest('hex'),
  process(source, filename, options) {
    const counted = options.instrument ? count(source, filename, options.config) : source;
    // swc's own coverage is not used; told of it, it would look for its plug-in.
    return compilerFor(filename, options).process(counted, filename, { ...options, instrument: false });
  },
};
