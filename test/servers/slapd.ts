import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { Attribute, Change, Client, type SearchOptions } from 'ldapts';
import { greeted } from './greeting.js';
import type { ServerKind } from './server-kind.js';

/** Who may read how the server is doing, and who may change its settings; the password of both is `secret`. */
const ADMINISTRATOR = 'cn=admin,dc=example,dc=org';
const KEEPER = 'cn=admin,cn=config';

/**
 * What is there: `cn=ann,dc=example,dc=org`, whose password is `secret`, and below `dc=odd,dc=example,dc=org` entries that
 * make the server odd: `cn=slow` takes 20 s, `cn=unavailable` and `cn=busy` are answered with these codes, at `cn=cut` it hangs up.
 */
const ENTRIES = `
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: cn=ann,dc=example,dc=org
objectClass: person
cn: ann
sn: Ann
userPassword: secret
`;

function settings(folder: string, more: readonly string[]): string {
  return `
include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload back_monitor
moduleload retcode
pidfile ${folder}/slapd.pid
argsfile ${folder}/slapd.args
${more.join('\n')}
database config
rootdn ${KEEPER}
rootpw secret
database mdb
suffix dc=example,dc=org
rootdn ${ADMINISTRATOR}
rootpw secret
directory ${folder}
maxsize 10485760
dbnosync
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="cn=ann,dc=example,dc=org" read by * none
overlay retcode
retcode-parent dc=odd,dc=example,dc=org
retcode-item cn=slow 0x00 sleeptime=20
retcode-item cn=busy 0x33
retcode-item cn=unavailable 0x34
retcode-item cn=cut 0x34 flags=pre-disconnect
database monitor
access to * by dn.exact="${ADMINISTRATOR}" read by * none
`;
}

/**
 * OpenLDAP with a directory that everybody who is logged in may read.
 *
 * @param more lines of its slapd.conf, before the databases
 */
export function slapd(more: (folder: string) => readonly string[] = () => []): ServerKind {
  return {
    name: 'OpenLDAP',
    package: 'slapd',
    binaries: ['slapd', 'slapadd'],
    folders: ['/usr/sbin'],
    stopSignal: 'SIGTERM',
    async prepare({ folder, run }) {
      writeFileSync(`${folder}/slapd.conf`, settings(folder, more(folder)));
      writeFileSync(`${folder}/entries.ldif`, ENTRIES.trimStart());
      await run('slapadd', ['-q', '-f', `${folder}/slapd.conf`, '-l', `${folder}/entries.ldif`]);
    },
    args: ({ folder, port }) => ['-d', '0', '-h', `ldap://127.0.0.1:${port}/`, '-f', `${folder}/slapd.conf`],
    // An anonymous bind, and that it is answered.
    ping: (port) => greeted(port, /^0.{4}a/s, Buffer.from('300c020101600702010304008000', 'hex')),
  };
}

/** How many sessions the server has that are not at work, so without this one that asks. */
export function countSessions(port: number): Promise<number> {
  return asking(port, ADMINISTRATOR, async (client) => (await sessions(client, IDLE)).length);
}

/** Has the server end all sessions because they are idle. */
export async function endIdleSessions(port: number): Promise<void> {
  await asking(port, KEEPER, (keeper) =>
    asking(port, ADMINISTRATOR, async (client) => {
      const before = await sessions(client);
      await setIdleTimeout(keeper, 1);
      // These two are not idle, for they ask.
      while (left(before, await sessions(client)) > 2) {
        await keeper.search('', { scope: 'base' });
        await pause(20);
      }
      await setIdleTimeout(keeper, 0);
    }),
  );
}

function left(before: readonly string[], now: readonly string[]): number {
  return now.filter((each) => before.includes(each)).length;
}

const IDLE = '(monitorConnectionOpsExecuting=0)';

async function sessions(client: Client, filter = '(objectClass=monitorConnection)'): Promise<string[]> {
  const options: SearchOptions = { scope: 'one', filter, attributes: ['1.1'] };
  const { searchEntries } = await client.search('cn=Connections,cn=Monitor', options);
  return searchEntries.map(({ dn }) => dn);
}

async function setIdleTimeout(keeper: Client, seconds: number): Promise<void> {
  const modification = new Attribute({ type: 'olcIdleTimeout', values: [String(seconds)] });
  await keeper.modify('cn=config', new Change({ operation: 'replace', modification }));
}

/** Asks on a connection of its own. */
async function asking<R>(port: number, dn: string, ask: (client: Client) => Promise<R>): Promise<R> {
  const client = new Client({ url: `ldap://127.0.0.1:${port}`, timeout: 5_000, connectTimeout: 2_000 });
  try {
    await client.bind(dn, 'secret');
    return await ask(client);
  } finally {
    await client.unbind();
  }
}
