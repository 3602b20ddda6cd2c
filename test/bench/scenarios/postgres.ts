import type { Open, Scenario, Service } from '../scenario.js';
import { borrowers, withoutPool, withPools, type Traffic } from '../services/contestants.js';
import type { PostgresClient } from '../services/postgres-client.js';

const TRAFFIC: Traffic = { size: 10, callers: 100, requests: 1_000 };

/** In its contestants' processes alone, as with the pools. */
const load = async (): Promise<typeof PostgresClient.open> =>
  (await import('../services/postgres-client.js')).PostgresClient.open;

const pgPool: Open = async (check, address) => {
  const { makePostgresPool } = await import('../services/postgres-pool.js');
  return borrowers(makePostgresPool(address, TRAFFIC.size), check, TRAFFIC);
};

const factory: Open = async (check, address) => {
  const { makePostgresFactory } = await import('../services/postgres-factory.js');
  return borrowers(makePostgresFactory(address, TRAFFIC.size), check, TRAFFIC);
};

async function startPostgres(): Promise<Service> {
  const [{ PrivateServer }, { postgres }] = await Promise.all([
    import('../../servers/private-server.js'),
    import('../../servers/postgres.js'),
  ]);
  const server = await PrivateServer.start(postgres());
  return { address: String(server.port), stop: () => server.stop() };
}

async function whatIsMissing(): Promise<string | undefined> {
  const [binaries, { postgres }] = await Promise.all([
    import('../../servers/binaries.js'),
    import('../../servers/postgres.js'),
  ]);
  return binaries.whatIsMissing(postgres());
}

export const POSTGRES: Scenario = {
  name: 'PostgreSQL, 100 on 10',
  unit: 'ns',
  per: 'query',
  reference: 'raw clients',
  whatIsMissing,
  startService: startPostgres,
  contestants: {
    'raw clients': withoutPool(TRAFFIC, load),
    'pg-pool': pgPool,
    ...withPools(['ours', 'generic-pool'], TRAFFIC, load),
    'our factory': factory,
  },
};
