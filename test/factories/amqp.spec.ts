import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { Channel, ChannelModel } from 'amqplib';
import {
  AmqpChannelFactory,
  AmqpConfirmChannelFactory,
  AmqpConnectionFactory,
  type AmqpChannelOptions,
  type AmqpConnectionOptions,
} from '../../src/factories/amqp.js';
import { ConnectionPool, isConnectionError, type ConnectionFactory } from '../../src/index.js';
import { unhandledDuring } from '../pool/rejections.js';
import { whereInstalled } from '../servers/binaries.js';
import { PrivateServer } from '../servers/private-server.js';
import { rabbitmq, rabbitmqctl, rabbitmqWithTls } from '../servers/rabbitmq.js';
import { establishedTo } from '../servers/sockets.js';
import { pause, until } from '../until.js';
import { conformance, type Subject } from './conformance.js';
import { overTls } from './over-tls.js';
import { SilentServer } from './silent-server.js';

function connections(port: number, options: AmqpConnectionOptions = {}): AmqpConnectionFactory {
  return new AmqpConnectionFactory({ hostname: '127.0.0.1', port, ...options });
}

function channels(port: number, options: AmqpChannelOptions = {}): AmqpChannelFactory {
  return new AmqpChannelFactory({ hostname: '127.0.0.1', port, ...options });
}

function connectOne<C>(factory: ConnectionFactory<C>, signal = new AbortController().signal): Promise<C> {
  return Promise.resolve(factory.connect({ pool: 'orders', attempt: 1, signal }));
}

const STRANGER = { username: 'guest', password: 'wrong' };

/** What suites of both kinds have in common. No queue may be counted on: a kill -9 may cost those that were just declared. */
const COMMON = {
  kind: rabbitmq,
  endSessions: (server) => rabbitmqctl(server, 'close_all_connections', 'bye'),
} satisfies Partial<Subject<unknown>>;

/** Work on a channel, as work on a connection. */
function onChannel(work: (channel: Channel) => Promise<unknown>): (model: ChannelModel) => Promise<void> {
  return async (model) => {
    const channel = await model.createChannel();
    await work(channel);
    await channel.close();
  };
}

async function askOnAndOn(channel: Channel): Promise<void> {
  for (;;) {
    await channel.checkExchange('amq.direct');
    await pause(5);
  }
}

/** A new queue with one message in it. */
async function queueOfOne(channel: Channel): Promise<string> {
  const { queue } = await channel.assertQueue('', { autoDelete: false });
  channel.sendToQueue(queue, Buffer.from('7'));
  await until(async () => (await channel.checkQueue(queue)).messageCount === 1, 'the message is there');
  return queue;
}

/** What the last borrower has told the next. */
let told = '';

async function consumersOf(channel: Channel, queue: string): Promise<number> {
  return (await channel.checkQueue(queue)).consumerCount;
}

conformance<ChannelModel>({
  ...COMMON,
  name: 'AmqpConnectionFactory',
  factory: connections,
  stranger: { factory: (port) => connections(port, STRANGER), error: /ACCESS_REFUSED - Login was refused/ },
  emitter: (model) => model,
  spoils: { 'a close() that nobody awaited': (model) => void model.close() },
  light: { factory: connections, serve: onChannel((channel) => channel.checkExchange('amq.direct')) },
  serve: onChannel((channel) => channel.checkExchange('amq.direct')),
  dawdle: onChannel(askOnAndOn),
  mistakes: {
    'a queue that is not there': onChannel((channel) => channel.checkQueue('nothing')),
    'a queue that is declared in another way': onChannel(async (channel) => {
      const { queue } = await channel.assertQueue('', { durable: true });
      await channel.assertQueue(queue, { durable: false });
    }),
    'a name that he may not use': onChannel((channel) => channel.assertExchange('amq.mine', 'direct')),
    'a message that is acknowledged twice': onChannel(async (channel) => {
      const message = await channel.get(await queueOfOne(channel));
      if (message === false) throw new Error('no message');
      channel.ack(message);
      channel.ack(message);
      await channel.checkExchange('amq.direct');
    }),
    'an exchange that is not there, of which he is told later': async (model) => {
      const channel = await model.createConfirmChannel();
      channel.publish('nowhere', '', Buffer.from('7'));
      await channel.waitForConfirms();
    },
    'a consumer that throws': onChannel(async (channel) => {
      const closed = once(channel, 'close');
      await channel.consume(await queueOfOne(channel), () => {
        throw new Error('his own');
      });
      await closed;
      await channel.checkExchange('amq.direct');
    }),
    'an error of his own': () => Promise.reject(new Error('his own')),
  },
  dirt: [
    {
      left: 'a consumer',
      leave: async (model) => {
        const channel = await model.createChannel();
        told = await queueOfOne(channel);
        await channel.consume(told, () => {});
      },
      isGone: async (model) => (await consumersOf(await model.createChannel(), told)) === 0,
    },
    {
      left: 'a message that was not acknowledged',
      leave: async (model) => {
        const channel = await model.createConfirmChannel();
        told = await queueOfOne(channel);
        await channel.get(told);
      },
      isGone: async (model) => (await (await model.createChannel()).get(told)) !== false,
    },
    {
      left: 'a channel that is being closed',
      leave: async (model) => {
        const channel = await model.createChannel();
        told = await queueOfOne(channel);
        await channel.consume(told, () => {});
        void channel.close();
      },
      isGone: async (model) => (await consumersOf(await model.createChannel(), told)) === 0,
    },
  ],
});

conformance<Channel>({
  ...COMMON,
  name: 'AmqpChannelFactory',
  factory: (port) => channels(port, { channelsPerConnection: 2 }),
  stranger: { factory: (port) => channels(port, STRANGER), error: /ACCESS_REFUSED - Login was refused/ },
  emitter: (channel) => channel,
  spoils: { 'a close() that nobody awaited': (channel) => void channel.close() },
  light: { factory: channels, serve: async (channel) => channel.sendToQueue('nowhere', Buffer.from('7')) },
  serve: (channel) => channel.checkExchange('amq.direct'),
  dawdle: askOnAndOn,
  mistakes: {
    'a message that is no buffer': async (channel) => channel.sendToQueue('things', 'text' as unknown as Buffer),
    'an error of his own': () => Promise.reject(new Error('his own')),
  },
  dirt: [
    {
      left: 'a consumer',
      leave: async (channel) => {
        told = await queueOfOne(channel);
        await channel.consume(told, () => {});
      },
      isGone: async (channel) => (await consumersOf(channel, told)) === 0,
    },
    {
      left: 'a consumer that nobody awaited',
      leave: async (channel) => {
        told = await queueOfOne(channel);
        void channel.consume(told, () => {});
      },
      isGone: async (channel) => (await consumersOf(channel, told)) === 0,
    },
    {
      left: 'a message that was not acknowledged',
      leave: async (channel) => {
        told = await queueOfOne(channel);
        await channel.get(told);
      },
      isGone: async (channel) => (await channel.get(told)) !== false,
    },
    {
      left: 'limits of how much comes at a time',
      leave: async (channel) => {
        await channel.prefetch(1);
        await channel.prefetch(1, true);
      },
      isGone: async (channel) => {
        const queue = await queueOfOne(channel);
        channel.sendToQueue(queue, Buffer.from('8'));
        let count = 0;
        await channel.consume(queue, () => void count++);
        await until(() => count === 2, 'both have come');
        return true;
      },
    },
  ],
  sessions: async (server) => {
    // The tool takes long, and where there is no connection there is no channel.
    if (establishedTo(server.port) === 0) return 0;
    return Number(await rabbitmqctl(server, 'eval', 'length(rabbit_channel:list_local()).'));
  },
});

overTls<ChannelModel>({
  name: 'AmqpConnectionFactory, with TLS',
  kind: rabbitmqWithTls,
  factory: (port, hostname, ca) =>
    connections(port, { protocol: 'amqps', hostname, socketOptions: ca === undefined ? {} : { ca } }),
  serve: onChannel((channel) => channel.checkExchange('amq.direct')),
  dawdle: onChannel(askOnAndOn),
});

whereInstalled(rabbitmq, describe)('With RabbitMQ', () => {
  jest.setTimeout(60_000);
  let server: PrivateServer;

  beforeAll(async () => {
    server = await PrivateServer.start(rabbitmq);
  }, 60_000);

  afterEach(async () => {
    server.resume();
    await until(() => establishedTo(server.port) === 0, 'no connection is left');
  });

  afterAll(() => server?.stop());

  test('channels share as few connections as may be, which are closed with the last of them', async () => {
    const pool = new ConnectionPool(channels(server.port, { channelsPerConnection: 2 }), { name: 'orders', size: 5 });
    await pool.ready();
    expect(establishedTo(server.port)).toBe(3);
    await pool.close();
  });

  test('a connection is closed after the last of its channels, and not before', async () => {
    const factory = channels(server.port);
    const [first, second] = await Promise.all([connectOne(factory), connectOne(factory)]);
    expect(establishedTo(server.port)).toBe(1);
    await factory.close(first, 'expired');
    await second.checkExchange('amq.direct');
    await factory.close(second, 'expired');
    expect(establishedTo(server.port)).toBe(0);
  });

  test('a mistake that costs a channel leaves its neighbours alone, and tells what it was', async () => {
    const pool = new ConnectionPool(channels(server.port), { name: 'orders', size: 3 });
    await pool.ready();
    const neighbours = [await pool.acquire(), await pool.acquire()];
    await expect(pool.use((channel) => channel.checkQueue('nothing'))).rejects.toMatchObject({ code: 404 });
    await pool.use((channel) => channel.checkExchange('amq.direct'));
    for (const { connection } of neighbours) await connection.checkExchange('amq.direct');
    expect(establishedTo(server.port)).toBe(1);
    expect(pool.stats().totals).toMatchObject({ connected: 4, closed: { broken: 1 } });
    for (const lease of neighbours) lease.release();
    await pool.close();
  });

  test('a mistake on the only channel of a connection costs both, and a new one serves', async () => {
    const pool = new ConnectionPool(channels(server.port), { name: 'orders', size: 1 });
    await expect(pool.use((channel) => channel.checkQueue('nothing'))).rejects.toMatchObject({ code: 404 });
    await pool.use((channel) => channel.checkExchange('amq.direct'));
    await until(() => establishedTo(server.port) === 1, 'one connection is left');
    await pool.close();
  });

  test('work that goes on with a channel that the server has closed fails with a connection error', async () => {
    const pool = new ConnectionPool(channels(server.port), { name: 'orders', size: 1 });
    const errors: unknown[] = [];
    const work = async (channel: Channel): Promise<unknown> => {
      const mistake = channel.checkQueue('nothing').catch(() => undefined);
      // It waits for its turn behind the mistake.
      errors.push(await channel.checkExchange('amq.direct').catch((error: unknown) => error));
      await mistake;
      return channel.checkExchange('amq.direct');
    };
    errors.push(await pool.use(work).catch((error: unknown) => error));
    expect(errors.map(String)).toEqual([
      'Error: Channel ended, no reply will be forthcoming',
      'IllegalOperationError: Channel closed',
    ]);
    for (const error of errors) expect(channels(0).isConnectionError(error)).toBe(true);
    await pool.close();
  });

  test('while a connection does not answer for a channel that was given up it gets no new one', async () => {
    const factory = channels(server.port);
    const [first, neighbour] = await Promise.all([connectOne(factory), connectOne(factory)]);
    server.pause();
    await factory.close(first, 'broken');
    const connecting = connectOne(factory);
    await until(() => establishedTo(server.port) === 2, 'another is dialled');
    server.resume();
    const other = await connecting;
    await neighbour.checkExchange('amq.direct');
    // It has answered, so it is as good as ever.
    const channel = await connectOne(factory);
    expect(establishedTo(server.port)).toBe(2);
    expect(channel.connection).toBe(neighbour.connection);
    for (const each of [neighbour, other, channel]) await factory.close(each, 'shutdown');
  });

  test('a channel that is given up while it is opened does not stay open', async () => {
    const factory = channels(server.port);
    const neighbour = await connectOne(factory);
    const controller = new AbortController();
    const connecting = connectOne(factory, controller.signal);
    server.pause();
    await pause(0);
    controller.abort(new Error('given up'));
    await expect(connecting).rejects.toThrow('given up');
    server.resume();
    const count = (): Promise<string> => rabbitmqctl(server, 'eval', 'length(rabbit_channel:list_local()).');
    await until(async () => (await count()) === '1', 'the server knows of one alone');
    await neighbour.checkExchange('amq.direct');
    await factory.close(neighbour, 'shutdown');
  });

  test('whoever gives up a connection that is being opened leaves it to the others; the last cuts it off', async () => {
    await using silent = await SilentServer.start();
    const factory = channels(silent.port);
    const controllers = [new AbortController(), new AbortController()];
    const connecting = controllers.map(({ signal }) => connectOne(factory, signal).catch((error: unknown) => error));
    await until(() => silent.sockets.size === 1, 'it is dialled');
    controllers[0]!.abort(new Error('the first'));
    expect(await connecting[0]).toEqual(new Error('the first'));
    await pause(20);
    expect(silent.sockets.size).toBe(1);
    controllers[1]!.abort(new Error('the second'));
    expect(await connecting[1]).toEqual(new Error('the second'));
    await until(() => silent.sockets.size === 0, 'no socket is left');
  });

  test('more channels than the server allows are refused, which costs those that are open nothing', async () => {
    const factory = channels(server.port, { channelMax: 1 });
    const only = await connectOne(factory);
    await expect(connectOne(factory)).rejects.toThrow('No channels left to allocate');
    await only.checkExchange('amq.direct');
    await factory.close(only, 'shutdown');
  });

  test('a channel may be given another limit of what it takes before publish returns false', async () => {
    const factory = channels(server.port, { highWaterMark: 1 });
    const channel = await connectOne(factory);
    expect(channel.sendToQueue('nowhere', Buffer.from('7'))).toBe(false);
    await factory.close(channel, 'shutdown');
  });

  test('what was published on a confirming channel is confirmed before its next borrower gets it', async () => {
    const factory = new AmqpConfirmChannelFactory({ hostname: '127.0.0.1', port: server.port });
    const pool = new ConnectionPool(factory, { name: 'orders', size: 1 });
    let confirmed = 0;
    await pool.use((channel) => {
      for (let count = 0; count < 100; count++) {
        channel.sendToQueue('nowhere', Buffer.from('7'), {}, (error: unknown) => (confirmed += error === null ? 1 : 0));
      }
    });
    await pool.use((channel) => {
      expect(confirmed).toBe(100);
      channel.sendToQueue('nowhere', Buffer.from('7'));
      return channel.waitForConfirms();
    });
    await pool.close();
  });

  test('what the server refuses of a borrower, however late, is not told to the next', async () => {
    const factory = new AmqpConfirmChannelFactory({ hostname: '127.0.0.1', port: server.port });
    await using pool = new ConnectionPool(factory, { name: 'orders', size: 1 });
    let refused = 0;
    await pool.use(async (channel) => {
      // Each queue refuses for itself, so it takes a while until all have.
      for (let count = 0; count < 50; count++) {
        const { queue } = await channel.assertQueue('', { maxLength: 1, overflow: 'reject-publish', exclusive: true });
        for (let each = 0; each < 10; each++) {
          channel.sendToQueue(queue, Buffer.from('7'), {}, (error: unknown) => (refused += error === null ? 0 : 1));
        }
      }
    });
    await pool.use((channel) => channel.waitForConfirms());
    expect(refused).toBe(450);
    expect(pool.stats().totals.connected).toBe(1);
  });

  test('a channel is handed on when all of its messages are confirmed or refused, and not at the first refusal', async () => {
    const factory = new AmqpConfirmChannelFactory({ hostname: '127.0.0.1', port: server.port });
    const channel = await connectOne(factory);
    server.pause();
    for (let count = 0; count < 3; count++) channel.sendToQueue('nowhere', Buffer.from('7'));
    let isOver = false;
    const over = Promise.resolve(factory.reset(channel)).then(() => (isOver = true));
    // What the server would say, one after another, and out of order.
    channel.emit('nack', { deliveryTag: 2, multiple: false });
    await pause(0);
    channel.emit('nack', { deliveryTag: 3, multiple: false });
    await pause(0);
    expect(isOver).toBe(false);
    channel.emit('ack', { deliveryTag: 1, multiple: false });
    await over;
    factory.destroy(channel);
  });

  test('what nobody wanted is sent back before the next borrower listens for what is sent back to him', async () => {
    await using pool = new ConnectionPool(channels(server.port), { name: 'orders', size: 1 });
    await pool.use((channel) => {
      for (let count = 0; count < 100; count++) channel.publish('', 'nowhere', Buffer.from('7'), { mandatory: true });
    });
    const sentBack = await pool.use(async (channel) => {
      let count = 0;
      channel.on('return', () => count++);
      await channel.recover();
      return count;
    });
    expect(sentBack).toBe(0);
    expect(pool.stats().totals.connected).toBe(1);
  });

  test('a mistake that nobody awaited costs the channel, and not its next borrower', async () => {
    await using pool = new ConnectionPool(channels(server.port), { name: 'orders', size: 1 });
    await pool.use((channel) => void channel.checkQueue('nothing').catch(() => undefined));
    await pool.use((channel) => channel.checkExchange('amq.direct'));
    expect(pool.stats().totals).toMatchObject({ connected: 2, closed: { broken: 1 } });
  });

  test('a connection that its borrower has begun to close parts as any other', async () => {
    const factory = connections(server.port);
    const model = await connectOne(factory);
    void model.close();
    await factory.close(model, 'shutdown');
    expect(establishedTo(server.port)).toBe(0);
  });

  test('whoever closes a channel or a connection does not wait for ever if the server dies meanwhile', async () => {
    const factory = connections(server.port);
    const model = await connectOne(factory);
    const channel = await model.createChannel();
    server.pause();
    const closing = [channel.close(), model.close()].map((each) => each.catch((error: unknown) => error));
    factory.destroy(model);
    for (const error of await Promise.all(closing)) {
      expect(String(error)).toContain('The connection was closed before the server had confirmed the end');
      expect(isConnectionError(error)).toBe(true);
    }
  });

  test('whoever does not wait for a close hears nothing of its failure', async () => {
    const unhandled = await unhandledDuring(async () => {
      const factory = connections(server.port);
      const model = await connectOne(factory);
      const channel = await model.createChannel();
      server.pause();
      void channel.close();
      void channel.close();
      factory.destroy(model);
      await pause(20);
    });
    expect(unhandled).toEqual([]);
  });

  test('a connection whose heartbeat has stopped is cut off when its channels have gone, though nobody asks for it', async () => {
    const channel = await connectOne(channels(server.port, { heartbeat: 1 }));
    const { stream } = channel.connection as unknown as { readonly stream: Socket };
    server.pause();
    await once(channel, 'close');
    await pause(20);
    expect(stream.destroyed).toBe(true);
  });

  test('a server that is short of memory is taken for alive, and its connections are kept', async () => {
    const models = connections(server.port);
    const model = await connectOne(models);
    const blocked = once(model, 'blocked');
    await rabbitmqctl(server, 'set_vm_memory_high_watermark', '0');
    try {
      const channel = await model.createChannel();
      channel.sendToQueue('nowhere', Buffer.from('7'));
      await blocked;
      await expect(models.keepalive(model)).resolves.toBeUndefined();
      await expect(channels(server.port).keepalive(channel)).resolves.toBeUndefined();
    } finally {
      await rabbitmqctl(server, 'set_vm_memory_high_watermark', '0.4');
    }
    await models.close(model, 'shutdown');
  });

  test('a virtual host that is not there: the error says what may be the matter', async () => {
    const connecting = connectOne(connections(server.port, { vhost: 'nowhere' }));
    await expect(connecting).rejects.toThrow(/^The server did not open the virtual host: there is none of that name/);
  });

  test('its address may be given as a URL', async () => {
    const factory = new AmqpConnectionFactory({ url: `amqp://guest:guest@127.0.0.1:${server.port}/?heartbeat=7` });
    const model = await connectOne(factory);
    expect(await rabbitmqctl(server, 'list_connections', 'timeout')).toBe('timeout\n7');
    await factory.close(model, 'shutdown');
  });

  test('the server knows connections by the name of their pool', async () => {
    const factory = connections(server.port, { socketOptions: { clientProperties: { place: 'here' } } });
    const model = await connectOne(factory);
    const known = await rabbitmqctl(server, 'list_connections', 'client_properties');
    expect(known).toContain('{"connection_name","orders"}');
    expect(known).toContain('{"place","here"}');
    await factory.close(model, 'shutdown');
  });

  test('work on a connection that was closed meanwhile fails with a connection error', async () => {
    const pool = new ConnectionPool(connections(server.port), { name: 'orders', size: 1 });
    const failed = pool.use(async (model) => {
      await model.close();
      await model.createChannel();
    });
    const error: unknown = await failed.catch((reason: unknown) => reason);
    expect(String(error)).toContain('Connection closed (by client)');
    expect(isConnectionError(error)).toBe(true);
    await pool.close();
  });

  test('a TLS handshake that is given up leaves nothing behind', async () => {
    await using silent = await SilentServer.start();
    const controller = new AbortController();
    const connecting = connectOne(connections(silent.port, { protocol: 'amqps' }), controller.signal);
    await until(() => silent.sockets.size === 1, 'it is dialled');
    controller.abort(new Error('given up'));
    await expect(connecting).rejects.toThrow('given up');
    await until(() => silent.sockets.size === 0, 'no socket is left');
  });
});
