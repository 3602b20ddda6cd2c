import type { Open, Scenario, Service } from '../scenario.js';
import { borrowers, withoutPool, type Traffic } from '../services/contestants.js';

const TRAFFIC: Traffic = { size: 10, callers: 100, requests: 1_000 };

/** In its contestants' processes alone, as with the pools. */
const load = async () => import('../services/mysql-contestants.js');

const mysqlPool: Open = async (check, address) =>
  borrowers((await load()).makeMysqlPool(address, TRAFFIC.size), check, TRAFFIC);

const factory: Open = async (check, address) =>
  borrowers((await load()).makeMysqlFactory(address, TRAFFIC.size), check, TRAFFIC);

async function startMariadb(): Promise<Service> {
  const [{ PrivateServer }, { mariadb }] = await Promise.all([
    import('../../servers/private-server.js'),
    import('../../servers/mariadb.js'),
  ]);
  const server = await PrivateServer.start(mariadb());
  return { address: String(server.port), stop: () => server.stop() };
}

async function whatIsMissing(): Promise<string | undefined> {
  const [binaries, { mariadb }] = await Promise.all([
    import('../../servers/binaries.js'),
    import('../../servers/mariadb.js'),
  ]);
  return binaries.whatIsMissing(mariadb());
}

export const MYSQL: Scenario = {
  name: 'MySQL, 100 on 10',
  unit: 'ns',
  per: 'query',
  reference: 'raw clients',
  whatIsMissing,
  startService: startMariadb,
  contestants: {
    'raw clients': withoutPool(TRAFFIC, async () => (await load()).openMysql),
    'mysql2 pool': mysqlPool,
    'our factory': factory,
  },
};
