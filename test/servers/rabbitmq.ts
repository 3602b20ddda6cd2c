import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { locate } from './binaries.js';
import { accepted, greeted } from './greeting.js';
import type { Place, ServerKind } from './server-kind.js';

/**
 * RabbitMQ starts the port mapper that it needs in a session of its own, where it would outlive everything: so one is there
 * before. The shell waits twice because the first is over when the signal comes.
 */
const SCRIPT = `
  epmd -address 127.0.0.1 & mapper=$!
  "$0" & server=$!
  trap 'kill -TERM $server' TERM
  wait $server; wait $server
  kill $mapper
`;

type Where = Pick<Place, 'folder' | 'port'>;

/** All that it would otherwise share with others on the machine is its own. */
function environment({ folder, port }: Where): Record<string, string> {
  return {
    RABBITMQ_NODENAME: nodeName(port),
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    // Free as well, most probably; if not, it ends, and is started at another port.
    RABBITMQ_DIST_PORT: String(port + 1),
    ERL_EPMD_PORT: String(port + 2),
    RABBITMQ_CONFIG_FILE: `${folder}/rabbitmq.conf`,
    RABBITMQ_ENABLED_PLUGINS_FILE: `${folder}/enabled_plugins`,
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_MNESIA_BASE: `${folder}/mnesia`,
    RABBITMQ_LOG_BASE: `${folder}/logs`,
    RABBITMQ_GENERATED_CONFIG_DIR: `${folder}/generated`,
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
  };
}

function nodeName(port: number): string {
  return `t${port}@localhost`;
}

/** RabbitMQ with no plug-ins and with its own user "guest" alone. It takes some seconds to start. */
export const rabbitmq: ServerKind = {
  name: 'RabbitMQ',
  package: 'rabbitmq-server',
  // The last is not in /usr/sbin, where the first two serve nobody but root and a user of their own.
  binaries: ['rabbitmq-server', 'rabbitmqctl', 'rabbitmq-env'],
  folders: ['/usr/lib/rabbitmq/bin'],
  starter: '/bin/sh',
  stopSignal: 'SIGTERM',
  prepare: ({ folder }) => {
    configure(folder);
    writeFileSync(path.join(folder, 'enabled_plugins'), '[].\n');
  },
  environment,
  args: () => ['-c', SCRIPT, program('rabbitmq-server')],
  // A client's first words, and what is among the first of the server's.
  ping: (port) => greeted(port, /product/, Buffer.from('AMQP\u0000\u0000\u0009\u0001')),
};

/** The same where nobody gets in without TLS, with the certificate in its folder. */
export const rabbitmqWithTls: ServerKind = {
  ...rabbitmq,
  configure: ({ folder, port }) =>
    configure(
      folder,
      'listeners.tcp = none',
      `listeners.ssl.default = 127.0.0.1:${port}`,
      `ssl_options.certfile = ${folder}/cert.pem`,
      `ssl_options.keyfile = ${folder}/key.pem`,
    ),
  ping: accepted,
};

function configure(folder: string, ...more: readonly string[]): void {
  const settings = ['log.console = true', 'log.console.level = warning', 'log.file = false', ...more];
  writeFileSync(path.join(folder, 'rabbitmq.conf'), `${settings.join('\n')}\n`);
}

/** Has the server's own tool do something, which takes half a second or more, and tells what it prints. */
export async function rabbitmqctl(server: Where, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(program('rabbitmqctl'), ['-q', '-n', nodeName(server.port), ...args], {
    env: { PATH: process.env['PATH'], HOME: server.folder, LC_ALL: 'C', ...environment(server) },
    timeout: 30_000,
  });
  return stdout.trim();
}

function program(name: string): string {
  return path.join(locate(rabbitmq)!, name);
}
