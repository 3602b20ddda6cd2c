import type { Scenario } from '../scenario.js';
import { withoutPool, withPools, type Traffic } from '../services/contestants.js';
import { EchoSocket } from '../services/echo-socket.js';
import { startServer } from '../services/server-process.js';

const TRAFFIC: Traffic = { size: 20, callers: 200, requests: 4_000 };

const load = (): Promise<typeof EchoSocket.connect> => Promise.resolve(EchoSocket.connect);

export const TCP_ECHO: Scenario = {
  name: 'TCP echo, 200 on 20',
  unit: 'ns',
  per: 'request',
  reference: 'raw sockets',
  goal: { times: 1.05 },
  startService: () => startServer(new URL('../services/echo-server.js', import.meta.url)),
  contestants: {
    'raw sockets': withoutPool(TRAFFIC, load),
    ...withPools(
      ['floor', 'ours', 'generic-pool', 'tarn', 'lightning-pool', 'sequelize-pool', 'pg-pool'],
      TRAFFIC,
      load,
    ),
  },
};
