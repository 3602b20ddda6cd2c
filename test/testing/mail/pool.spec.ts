import { expect, test } from '@jest/globals';
import { ConnectionPool } from '../../../src/index.js';
import { ScriptedFactory, VirtualClock } from '../../../src/testing/index.js';

test('replaces connections after an hour, though the server takes 300 ms for each', async () => {
  const clock = new VirtualClock();
  const factory = new ScriptedFactory({ clock }).always('connect', { after: '300ms' });
  const pool = new ConnectionPool(factory, { clock, size: 2, maxLifetime: '1h' });
  await clock.run(pool.ready(), { within: '300ms' });
  await clock.advance('1h');
  expect(factory.closed.map(({ reason }) => reason)).toEqual(['expired', 'expired']);
  await clock.run(pool.close());
  expect(factory.live).toEqual([]);
});
