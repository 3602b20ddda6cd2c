import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { LineClient, StaleReplyError, type Address } from './line-client.js';
import { LineServer, type LineServerOptions } from './line-server.js';
import { complain, leftovers, resources } from './resources.js';
import { until } from '../until.js';

describe.each([false, true])('the line server, with TLS: %s,', (tls) => {
  let before: Map<string, number>;
  let server: LineServer;
  const clients: LineClient[] = [];
  const never = new AbortController().signal;

  beforeEach(async () => {
    before = resources();
    server = await LineServer.launch({ tls });
  });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.end()));
    await server.close();
    complain(await leftovers(before));
  });

  async function open(user = 'ann'): Promise<LineClient> {
    const address: Address = { port: server.port, host: server.host, certificate: server.certificate };
    const client = await LineClient.open(address, user, never);
    clients.push(client.on('error', () => {}));
    return client;
  }

  async function relaunch(options: LineServerOptions): Promise<void> {
    await server.close();
    server = await LineServer.launch({ tls, ...options });
  }

  it('answers each request with its own id, in order, also those that take longer', async () => {
    const client = await open();
    const replies = [
      client.request('SLOW', '20'),
      client.request('PING'),
      client.request('ECHO', 'two words'),
      client.request('GET'),
      client.request('SET', 'inbox'),
      client.request('GET'),
      client.request('RESET'),
      client.request('GET'),
    ];
    expect(await Promise.all(replies)).toEqual(['20', 'pong', 'two words', '', 'inbox', 'inbox', '', '']);
    expect(client.stale).toEqual([]);
    expect(server.sessions[0]).toMatchObject({ answered: 9, state: '' });
  });

  it('knows who is connected', async () => {
    const [ann, bob] = [await open('ann'), await open('bob')];
    await ann.request('SET', 'inbox');
    expect(server.sessions.map(({ id, user, state }) => [id, user, state])).toEqual([
      [1, 'ann', 'inbox'],
      [2, 'bob', ''],
    ]);
    expect([ann.session, bob.session]).toEqual(['1', '2']);
    await ann.end();
    await until(() => server.sessions.length === 1, 'one of them is gone');
    expect(server.sessions[0]!.user).toBe('bob');
    expect([server.connections, server.logins]).toEqual([1, 2]);
  });

  it('turns away those who are too many, and those who talk nonsense', async () => {
    await relaunch({ maxSessions: 1 });
    const ann = await open();
    await expect(open()).rejects.toThrow('The server says: too many connections');
    await expect(ann.request('DANCE')).rejects.toThrow('The server says: what is DANCE?');
    await until(() => !ann.isAlive && server.connections === 0, 'everybody is gone');
    await expect(ann.request('PING')).rejects.toThrow('closed the connection');
    await open();
  });

  it('drops a session that says nothing for a while', async () => {
    await relaunch({ idleLimit: 150 });
    const client = await open();
    await once(client, 'close');
    await until(() => server.connections === 0, 'it is gone');
    expect(server.sessions).toEqual([]);
  });

  it('comes back on the same port after a stop, and knows nobody', async () => {
    const client = await open();
    server.stop();
    await until(() => !client.isAlive, 'the client knows');
    await expect(open()).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await server.start();
    await server.start();
    expect((await open()).session).toBe('2');
    expect(server.sessions).toHaveLength(1);
  });

  it('is known by its client for a reply that another request was to get, whenever that arrives', async () => {
    const client = await open();
    const giveUp = new AbortController();
    const given = client.request('SLOW', '30', giveUp.signal);
    const { requests } = server;
    await until(() => server.requests > requests, 'the request has arrived');
    giveUp.abort(new Error('no time'));
    await expect(given).rejects.toThrow('no time');
    // While the reply is on its way, and then one too late for ever.
    await expect(client.request('ECHO', 'mine')).rejects.toBeInstanceOf(StaleReplyError);
    await expect(client.request('ECHO', 'mine too')).rejects.toThrow(/asked "ECHO .* mine too", and got "OK .* mine"/);
    expect(client.stale).toHaveLength(2);
  });

  it('is not believed when it says what nobody asked for', async () => {
    const client = await open();
    const { socket } = server.sessions[0]!;
    socket.write('OK 77 hello\n');
    await expect(client.request('PING')).rejects.toThrow('The server talks nonsense');
    expect(client.stale).toEqual([]);
  });
});

describe('a client of the line server', () => {
  it('is turned away if it does not log in', async () => {
    const server = await LineServer.launch();
    const socket = connect(server.port, server.host);
    let heard = '';
    socket.on('data', (bytes) => (heard += String(bytes)));
    socket.write('PING 1\n');
    await once(socket, 'close');
    await server.close();
    expect(heard).toBe('HELLO\nERR 1 log in first\n');
  });

  it('leaves nothing behind when its connect is given up at any step', async () => {
    const server = await LineServer.launch({ tls: true });
    const address: Address = { port: server.port, host: server.host, certificate: server.certificate };
    for (let turns = 0; turns < 30; turns++) {
      const giveUp = new AbortController();
      const opening = LineClient.open(address, 'ann', giveUp.signal);
      const outcome = opening.then(
        (client) => client.end().then(() => 'open'),
        (error: unknown) => error,
      );
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      giveUp.abort(new Error('given up'));
      const result = await outcome;
      expect(result === 'open' || (result as Error).message === 'given up').toBe(true);
    }
    await until(() => server.connections === 0, 'the server has nobody');
    expect(server.sessions).toEqual([]);
    await server.close();
  });

  it('refuses a certificate that it does not know', async () => {
    const server = await LineServer.launch({ tls: true });
    const { port, host } = server;
    const signal = new AbortController().signal;
    await expect(LineClient.open({ port, host, certificate: 'none' }, 'ann', signal)).rejects.toThrow();
    await server.close();
    expect(server.connections).toBe(0);
  });
});
