import type { EventEmitter } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { MqttClient, Packet } from 'mqtt';
import { MqttConnectionFactory, type MqttConnectionOptions } from '../../src/factories/mqtt.js';
import { ConnectionPool, isConnectionError } from '../../src/index.js';
import { whereInstalled } from '../servers/binaries.js';
import { accepted } from '../servers/greeting.js';
import { mosquitto } from '../servers/mosquitto.js';
import { PrivateServer } from '../servers/private-server.js';
import { pause, until } from '../until.js';
import { conformance } from './conformance.js';
import { overTls } from './over-tls.js';
import { SilentServer } from './silent-server.js';

const kind = mosquitto({ ann: 'secret' }, 'user ann\ntopic readwrite #\ntopic deny forbidden');

function factory(port: number, options: MqttConnectionOptions = {}): MqttConnectionFactory {
  const ann = { host: '127.0.0.1', port, username: 'ann', password: 'secret', protocolVersion: 5 } as const;
  return new MqttConnectionFactory({ ...ann, ...options });
}

/** Whether what is published to this topic comes back. The broker has sent it by the time it answers what came later. */
async function hears(client: MqttClient, topic: string): Promise<boolean> {
  let heard = false;
  const onPacket = ({ cmd }: Packet): void => void (heard ||= cmd === 'publish');
  client.on('packetreceive', onPacket);
  await client.publishAsync(topic, '', { qos: 1 });
  await client.publishAsync('nowhere', '', { qos: 1 });
  client.removeListener('packetreceive', onPacket);
  return heard;
}

function serve(client: MqttClient): Promise<unknown> {
  return client.publishAsync('served', '7', { qos: 1 });
}

async function dawdle(client: MqttClient): Promise<void> {
  for (;;) {
    await client.publishAsync('dawdling', '7', { qos: 1 });
    await pause(5);
  }
}

conformance<MqttClient>({
  name: 'MqttConnectionFactory',
  kind,
  factory,
  emitter: (client) => client as unknown as EventEmitter,
  light: { factory, serve },
  stranger: { factory: (port) => factory(port, { password: 'wrong' }), error: /Connection refused: Not authorized/ },
  serve,
  dawdle,
  mistakes: {
    'a topic that he may not publish to': (client) => client.publishAsync('forbidden', '7', { qos: 1 }),
    'a topic that cannot be subscribed to': (client) => client.subscribeAsync('a/#/b'),
    'a subscription to nothing': (client) => client.subscribeAsync([]),
    'an error of his own': () => Promise.reject(new Error('his own')),
  },
  dirt: [
    {
      left: 'a subscription',
      leave: async (client) => {
        await client.subscribeAsync('left/behind');
        if (!(await hears(client, 'left/behind'))) throw new Error('subscribed, and does not hear');
      },
      isGone: async (client) => !(await hears(client, 'left/behind')),
    },
    {
      left: 'several subscriptions, of which one was ended',
      leave: async (client) => {
        await client.subscribeAsync(['left/+', 'right/#', 'middle']);
        await client.unsubscribeAsync('middle');
      },
      isGone: async (client) => !(await hears(client, 'left/behind')) && !(await hears(client, 'right/behind/it')),
    },
    {
      left: 'a shared subscription that nobody awaited',
      leave: async (client) => client.subscribe('$share/all/left/behind'),
      isGone: async (client) => !(await hears(client, 'left/behind')),
    },
  ],
  endSessions: (server) => server.restart(),
});

const secured = mosquitto(
  { ann: 'secret' },
  'user ann\ntopic readwrite #',
  ({ folder }) => `certfile ${folder}/cert.pem\nkeyfile ${folder}/key.pem`,
);

overTls<MqttClient>({
  name: 'MqttConnectionFactory, with TLS',
  kind: { ...secured, ping: accepted },
  factory: (port, host, ca) => factory(port, { protocol: 'mqtts', host, ca }),
  serve,
  dawdle,
});

whereInstalled(kind, describe)('MqttConnectionFactory', () => {
  let server: PrivateServer;

  beforeAll(async () => {
    server = await PrivateServer.start(kind);
  });

  afterEach(() => server.resume());

  afterAll(() => server?.stop());

  function connectOne(options?: MqttConnectionOptions): Promise<MqttClient> {
    const { signal } = new AbortController();
    return factory(server.port, options).connect({ pool: 'sensors', attempt: 1, signal });
  }

  test('no two connections have the same client identifier', async () => {
    const pool = new ConnectionPool(factory(server.port), { name: 'sensors', size: 3 });
    await pool.ready();
    const leases = await Promise.all([pool.acquire(), pool.acquire(), pool.acquire()]);
    const ids = leases.map(({ connection }) => connection.options.clientId!);
    expect(new Set(ids).size).toBe(3);
    for (const id of ids) expect(id).toMatch(/^sensors-[0-9a-f]{8}$/);
    for (const lease of leases) lease.release();
    await pool.close();
  });

  test('client identifiers begin as the options say', async () => {
    const url = `mqtt://ann:secret@127.0.0.1:${server.port}`;
    const client = await connectOne({ url, clientIdPrefix: 'mine' });
    expect(client.options.clientId).toMatch(/^mine[0-9a-f]{8}$/);
    await client.endAsync();
  });

  test('a broker that hangs up before it accepts a connection is told of', async () => {
    await using silent = await SilentServer.start();
    const { signal } = new AbortController();
    const connecting = factory(silent.port).connect({ pool: 'sensors', attempt: 1, signal });
    const failed = connecting.catch((error: unknown) => error);
    await until(() => silent.sockets.size === 1, 'it has dialled');
    for (const socket of silent.sockets) socket.destroy();
    // What the broker has not read yet it answers with a reset.
    expect(String(await failed)).toMatch(/The connection was closed before the broker had accepted it|read ECONNRESET/);
  });

  test('options that cannot be fail at once, and nothing is left', async () => {
    await expect(connectOne({ port: 70_000 })).rejects.toThrow('70000');
  });

  test.each(['mqtts', 'ws', 'wss'] as const)(
    'a handshake of %s that is given up leaves nothing behind',
    async (protocol) => {
      await using silent = await SilentServer.start();
      const controller = new AbortController();
      const connecting = factory(silent.port, { protocol }).connect({
        pool: 'sensors',
        attempt: 1,
        signal: controller.signal,
      });
      await until(() => silent.sockets.size === 1, 'it has dialled');
      controller.abort(new Error('given up'));
      await expect(connecting).rejects.toThrow('given up');
      await until(() => silent.sockets.size === 0, 'no socket is left');
    },
  );

  test('nobody waits for a confirmation from a connection that is dead, or for a ping', async () => {
    const client = await connectOne();
    server.pause();
    const before = client.publishAsync('news', '1', { qos: 1 }).catch((error: unknown) => error);
    const pinged = factory(server.port).keepalive(client);
    client.stream.destroy();
    const judge = factory(server.port);
    await expect(pinged).rejects.toThrow('The connection was closed before the broker had answered');
    expect(judge.isConnectionError(await before)).toBe(true);
    const attempts = [
      () => client.publishAsync('news', '2'),
      () => client.publishAsync('news', '2', { qos: 1 }),
      () => client.subscribeAsync('news'),
      () => client.unsubscribeAsync('news'),
    ];
    for (const attempt of attempts) {
      const error: unknown = await attempt().catch((reason: unknown) => reason);
      expect(judge.isConnectionError(error)).toBe(true);
    }
    const error: unknown = await judge.keepalive(client).catch((reason: unknown) => reason);
    expect(isConnectionError(error)).toBe(true);
  });

  test('a ping is answered by nothing else that arrives', async () => {
    const client = await connectOne();
    server.pause();
    const pinged = factory(server.port)
      .keepalive(client)
      .then(() => 'answered');
    client.emit('packetreceive', { cmd: 'puback', messageId: 1 });
    const first = await Promise.race([pinged, pause(50)]);
    server.resume();
    expect(first).toBeUndefined();
    expect(await pinged).toBe('answered');
    await client.endAsync();
  });

  test('a polite end that hangs can be cut short, and nobody waits for a confirmation then', async () => {
    const client = await connectOne();
    const judge = factory(server.port);
    server.pause();
    const unconfirmed = client.publishAsync('news', '1', { qos: 1 }).catch((error: unknown) => error);
    void judge.close(client, 'idle');
    expect(client.stream.destroyed).toBe(false);
    judge.destroy(client);
    expect(client.stream.destroyed).toBe(true);
    expect(judge.isConnectionError(await unconfirmed)).toBe(true);
  });

  test('a borrower who ends his connection has it replaced', async () => {
    const pool = new ConnectionPool(factory(server.port), { name: 'sensors', size: 1 });
    const ended = await pool.use(async (client) => {
      await client.endAsync();
      return client;
    });
    expect(await pool.use((client) => client)).not.toBe(ended);
    await pool.close();
  });
});
