import { Connection } from '../connection.js';
import { poolScenario } from '../pool-scenario.js';
import { timed, type Reading } from '../scenario.js';
import type { MakeSubject } from '../subject.js';

const SIZE = 100;

/** As short a way as there is to anything outside the process: a turn of the event loop. */
function connectInATurn(): Promise<Connection> {
  return new Promise((resolve) => setImmediate(() => resolve(new Connection())));
}

/** From nothing until every caller has a connection, as many callers as the pool has room for. */
async function filling(make: MakeSubject): Promise<Reading> {
  const opened = { close: (): Promise<void> => Promise.resolve() };
  const reading = await timed(SIZE, async () => {
    // Ours opens 5 at a time by itself, out of regard for servers, and nobody else here does: that would be all there is to see.
    const subject = make({ size: SIZE, connect: connectInATurn, maxConnecting: SIZE });
    const handles = await Promise.all(Array.from({ length: SIZE }, () => subject.acquire()));
    opened.close = () => {
      for (const handle of handles) subject.release(handle);
      return subject.close();
    };
  });
  await opened.close();
  return reading;
}

export const FILLING = poolScenario({ name: 'filling 100', unit: 'ns', per: 'connection' }, async (make) => ({
  batch: () => filling(make),
}));
