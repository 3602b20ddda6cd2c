import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import * as poolChannels from '../../src/pool/channels.js';
import * as retryChannels from '../../src/retry/retry-channels.js';

const PAGE = readFileSync(new URL('../../docs/channels.md', import.meta.url), 'utf8');

/** Of a tracing channel's five, the first: `tracing:nestjs-connection-pool:acquire:start`. */
function nameOf(channel: object): string {
  const { name, start } = channel as { readonly name?: string; readonly start?: { readonly name: string } };
  return (name ?? start!.name).replace(/^tracing:(.*):start$/, '$1');
}

test('docs/channels.md has a row for each channel', () => {
  const channels = Object.values({ ...poolChannels, ...retryChannels }).filter((value) => typeof value === 'object');
  const rows = [...PAGE.matchAll(/^\| `(nestjs-connection-pool:[a-z-]+)` \|/gm)].map(([, name]) => name);
  expect(rows).toHaveLength(channels.length);
  expect(new Set(rows)).toEqual(new Set(channels.map(nameOf)));
});
