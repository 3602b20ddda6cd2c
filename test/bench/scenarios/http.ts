import type { Open, Scenario } from '../scenario.js';
import { withoutPool, withPools, type Traffic } from '../services/contestants.js';
import { callersThatComeAgain, type Ask } from '../services/callers.js';
import type { HttpClient } from '../services/http-client.js';
import { startServer } from '../services/server-process.js';

const TRAFFIC: Traffic = { size: 20, callers: 200, requests: 1_000 };

/** In its contestants' processes alone, as with the pools. */
const load = async (): Promise<typeof HttpClient.open> => (await import('../services/http-client.js')).HttpClient.open;

const undiciPool: Open = async (_check, address) => {
  const [{ Pool }, { askHttp, originOf }] = await Promise.all([import('undici'), import('../services/http-client.js')]);
  const pool = new Pool(originOf(address), { connections: TRAFFIC.size, pipelining: 1 });
  const ask: Ask = (number) => askHttp(pool, number);
  return callersThatComeAgain(
    Array.from({ length: TRAFFIC.callers }, () => ask),
    TRAFFIC.requests,
  );
};

export const HTTP: Scenario = {
  name: 'HTTP, 200 on 20',
  unit: 'ns',
  per: 'request',
  reference: 'raw clients',
  startService: () => startServer(new URL('../services/http-server.js', import.meta.url)),
  contestants: {
    'raw clients': withoutPool(TRAFFIC, load),
    'undici Pool': undiciPool,
    ...withPools(['ours', 'generic-pool', 'tarn'], TRAFFIC, load),
  },
};
