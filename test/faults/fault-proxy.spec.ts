import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { FaultProxy } from './fault-proxy.js';
import { FAULT_NAMES, readSpecs, type FaultSpec } from './fault-spec.js';
import { FAULTS } from './faults.js';
import { complain, leftovers, resources } from './resources.js';
import { until } from '../until.js';

jest.setTimeout(30_000);

/** What a client saw: everything that it received, and how it ended. */
interface Client {
  readonly socket: Socket;
  readonly chunks: Buffer[];
  readonly events: string[];
  text(): string;
}

describe('the fault proxy', () => {
  let before: Map<string, number>;
  let server: Server;
  let proxy: FaultProxy;
  /** The server's ends, and what each received. */
  const ends: Array<{ readonly socket: Socket; text: string; readonly events: string[] }> = [];
  const clients: Client[] = [];

  beforeEach(async () => {
    before = resources();
    server = createServer({ noDelay: true }, (socket) => {
      const end = { socket, text: '', events: [] as string[] };
      ends.push(end);
      socket.on('data', (bytes) => {
        end.text += String(bytes);
        socket.write(bytes);
      });
      socket.on('end', () => end.events.push('end'));
      socket.on('error', (error: NodeJS.ErrnoException) => end.events.push(error.code!));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    proxy = await FaultProxy.launch({ upstream: (server.address() as AddressInfo).port, seed: 7 });
  });

  afterEach(async () => {
    for (const { socket } of clients.splice(0)) socket.destroy();
    await proxy.close();
    for (const { socket } of ends.splice(0)) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    complain(await leftovers(before));
  });

  /** Dials, and goes on when the connection is there or has failed. */
  async function dial(): Promise<Client> {
    const socket = connect({ port: proxy.port, host: proxy.host, noDelay: true });
    const chunks: Buffer[] = [];
    const events: string[] = [];
    socket.on('data', (bytes: Buffer) => chunks.push(bytes));
    socket.on('end', () => events.push('end'));
    socket.on('error', (error: NodeJS.ErrnoException) => events.push(error.code!));
    const client: Client = { socket, chunks, events, text: () => String(Buffer.concat(chunks)) };
    clients.push(client);
    const connected = new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
    await connected;
    return client;
  }

  async function hears(client: Client, text: string): Promise<void> {
    await until(
      () => client.text() === text,
      () => `"${text}" is heard, not "${client.text()}"`,
    );
  }

  async function ended(client: Client): Promise<void> {
    if (!client.socket.closed) await once(client.socket, 'close').catch(() => {});
    await until(() => client.socket.closed, 'the client is closed');
  }

  it('forwards what is said, both ways, and counts it', async () => {
    const one = await dial();
    const two = await dial();
    one.socket.write('hello');
    two.socket.write('you');
    await hears(one, 'hello');
    await hears(two, 'you');
    expect(proxy.accepted).toBe(2);
    expect(proxy.open).toBe(2);
    expect(proxy.bytes).toEqual({ up: 8, down: 8 });
    expect(proxy.connections[0]!.up.bytes).toBe(5);
  });

  it('forwards a FIN as a FIN and a RST as a RST, from either side', async () => {
    const [finUp, rstUp, finDown, rstDown] = [await dial(), await dial(), await dial(), await dial()];
    await until(() => ends.length === 4, 'the server has them all');
    finUp.socket.end();
    rstUp.socket.resetAndDestroy();
    ends[2]!.socket.end();
    ends[3]!.socket.resetAndDestroy();
    await Promise.all([finUp, finDown, rstDown].map(ended));
    await until(() => proxy.open === 0 && ends.every(({ socket }) => socket.closed), 'all have gone');
    expect([finUp, finDown, rstDown].map(({ events }) => events)).toEqual([['end'], ['end'], ['ECONNRESET']]);
    expect(ends.slice(0, 3).map(({ events }) => events)).toEqual([['end'], ['ECONNRESET'], ['end']]);
    expect(proxy.bytes).toEqual({ up: 0, down: 0 });
  });

  it('carries more than a socket buffers, byte for byte', async () => {
    const client = await dial();
    const much = Buffer.alloc(3_000_000, 'abcdefg');
    client.socket.write(much);
    await until(() => client.chunks.reduce((sum, { length }) => sum + length, 0) === much.length, 'all is back');
    expect(Buffer.concat(client.chunks).equals(much)).toBe(true);
  });

  it('does to the next connections what it was told, once each, and then what it does always', async () => {
    proxy.always('reset').next('none', ['split', 'latency'], []);
    const [first, second, third, fourth] = [await dial(), await dial(), await dial(), await dial()];
    for (const client of [first, second, third]) client.socket.write('abc');
    for (const client of [first, second, third]) await hears(client, 'abc');
    await ended(fourth);
    proxy.always();
    const fifth = await dial();
    fifth.socket.write('sound again');
    await hears(fifth, 'sound again');
    expect(proxy.connections.map(({ faults }) => faults)).toEqual([['none'], ['split', 'latency'], [], []]);
  });

  it('refuses while it is down, on the port that it has again afterwards; open connections stay', async () => {
    const client = await dial();
    const { port } = proxy;
    proxy.down();
    proxy.down();
    expect((await dial()).events).toEqual(['ECONNREFUSED']);
    client.socket.write('still here');
    await hears(client, 'still here');
    await Promise.all([proxy.up(), proxy.up()]);
    expect(proxy.port).toBe(port);
    const after = await dial();
    after.socket.write('back');
    await hears(after, 'back');
  });

  it('is not up if it was taken down while it was getting up', async () => {
    proxy.down();
    const up = proxy.up();
    proxy.down();
    await up;
    expect((await dial()).events).toEqual(['ECONNREFUSED']);
    proxy.next('reset').always('reset');
    await proxy.heal();
    const client = await dial();
    client.socket.write('healed');
    await hears(client, 'healed');
  });

  it('accepts and then resets where its server is not there', async () => {
    server.close();
    const client = await dial();
    await ended(client);
    expect(client.events).toEqual(['ECONNRESET']);
  });

  describe('does what its faults say:', () => {
    it('silent: reads, says nothing, and keeps the server out of it', async () => {
      proxy.next('silent');
      const client = await dial();
      client.socket.write('hello?');
      await until(() => proxy.bytes.up === 6, 'it was read');
      client.socket.end();
      await until(() => proxy.open === 0, 'the FIN was seen');
      expect(ends).toEqual([]);
      expect(client.events).toEqual([]);
      expect(client.socket.closed).toBe(false);
    });

    it('halfOpen: swallows everything from then on, and the server believes in it as long as the client', async () => {
      const client = await dial();
      client.socket.write('before');
      await hears(client, 'before');
      proxy.connections[0]!.apply('halfOpen');
      client.socket.write('after');
      ends[0]!.socket.end('a farewell that is never heard');
      await until(() => proxy.bytes.up === 11 && proxy.bytes.down > 6, 'it was swallowed');
      expect(client.text()).toBe('before');
      expect(client.events).toEqual([]);
      expect(ends[0]!.text).toBe('before');
      client.socket.destroy();
      await until(() => ends[0]!.socket.closed && proxy.open === 0, 'the server has lost it');
    });

    it('reset: a RST to both sides', async () => {
      const client = await dial();
      client.socket.write('x');
      await hears(client, 'x');
      proxy.apply('reset');
      await ended(client);
      await until(() => ends[0]!.socket.closed, 'the server has lost it');
      expect(client.events).toEqual(['ECONNRESET']);
      expect(ends[0]!.events).toEqual(['ECONNRESET']);
    });

    it('reset at accept: as near to being refused as one that was accepted can be', async () => {
      proxy.next('reset');
      const client = await dial();
      await ended(client);
      expect(client.events).toEqual(['ECONNRESET']);
      expect(ends).toEqual([]);
    });

    it('fin: a FIN to both sides', async () => {
      const client = await dial();
      client.socket.write('x');
      await hears(client, 'x');
      proxy.apply('fin');
      await ended(client);
      await until(() => ends[0]!.socket.closed, 'the server has lost it');
      expect([client.events, ends[0]!.events]).toEqual([['end'], ['end']]);
    });

    it('reset in the middle of a fin: no socket is left, whichever of the two is seen', async () => {
      const client = await dial();
      client.socket.write('x');
      await hears(client, 'x');
      proxy.apply('fin', 'reset');
      await ended(client);
      await until(() => proxy.open === 0 && ends[0]!.socket.closed, 'all have gone');
      expect(client.text()).toBe('x');
    });

    it('say: bytes that nobody asked for', async () => {
      const client = await dial();
      proxy.apply({ fault: 'say', text: 'BYE\n' });
      await hears(client, 'BYE\n');
      expect(ends[0]?.text ?? '').toBe('');
    });

    it('latency: everything late, and in order', async () => {
      proxy.next({ fault: 'latency', delay: 30, jitter: 30, way: 'up' });
      const client = await dial();
      const start = performance.now();
      for (const each of 'abcdefgh') client.socket.write(each);
      client.socket.end();
      await hears(client, 'abcdefgh');
      // Timers may fire a fraction of a millisecond early.
      expect(performance.now() - start).toBeGreaterThan(28);
      await ended(client);
    });

    it('rate: as slowly as the line is', async () => {
      proxy.next({ fault: 'rate', bytesPerSecond: 2_000, way: 'down' });
      const client = await dial();
      const start = performance.now();
      client.socket.write('x'.repeat(100));
      await hears(client, 'x'.repeat(100));
      expect(performance.now() - start).toBeGreaterThan(47);
    });

    it('rate: so that what does not get through backs up to the sender', async () => {
      proxy.next({ fault: 'rate', bytesPerSecond: 1_000 });
      const client = await dial();
      client.socket.write(Buffer.alloc(20_000_000));
      await until(() => proxy.bytes.up > 64 * 1024, 'it has read some');
      expect(client.socket.writableLength).toBeGreaterThan(0);
      expect(proxy.bytes.up).toBeLessThan(2_000_000);
    });

    it('stall: nothing for a while, and then everything', async () => {
      const client = await dial();
      const start = performance.now();
      proxy.apply({ fault: 'stall', for: '60ms' });
      client.socket.write('one');
      client.socket.write('two');
      await hears(client, 'onetwo');
      expect(performance.now() - start).toBeGreaterThan(58);
    });

    it('split: in pieces, which arrive one by one', async () => {
      proxy.next({ fault: 'split', size: 2, way: 'down' });
      const client = await dial();
      client.socket.write('abcdefg');
      await hears(client, 'abcdefg');
      expect(client.chunks.length).toBeGreaterThan(1);
      expect(client.chunks[0]!.length).toBeLessThan(7);
    });

    it('merge: as one, the FIN behind it', async () => {
      proxy.next({ fault: 'merge', window: 300, way: 'down' });
      const client = await dial();
      client.socket.write('abc');
      await until(() => ends[0]?.text === 'abc', 'the server has some');
      client.socket.end('def');
      await ended(client);
      expect(client.chunks.map(String)).toEqual(['abcdef']);
    });
  });

  describe('lets a fault begin', () => {
    it('after a time', async () => {
      proxy.next({ fault: 'reset', after: 30 });
      const start = performance.now();
      const client = await dial();
      client.socket.write('x');
      await hears(client, 'x');
      await ended(client);
      expect(performance.now() - start).toBeGreaterThan(28);
    });

    it.each([1, 5, 9, 10])('after %i bytes, to the byte', async (bytes) => {
      proxy.next({ fault: 'fin', afterBytes: bytes, way: 'down' });
      const client = await dial();
      client.socket.write('0123456789');
      await ended(client);
      expect(client.text()).toBe('0123456789'.slice(0, bytes));
      expect(ends[0]!.text).toBe('0123456789');
    });

    it('after so many bytes of both ways together, if no way is given', async () => {
      proxy.next({ fault: 'halfOpen', afterBytes: 15 });
      const client = await dial();
      client.socket.write('0123456789');
      await hears(client, '01234');
      client.socket.write('more');
      await until(() => proxy.bytes.up === 14, 'it was swallowed');
      expect(ends[0]!.text).toBe('0123456789');
    });

    it('when nothing was said for a while', async () => {
      proxy.next({ fault: 'fin', afterIdle: 250 });
      const client = await dial();
      const start = performance.now();
      let last = start;
      for (let i = 0; i < 4; i++) {
        last = performance.now();
        client.socket.write('x');
        await until(() => client.text().length > i, 'the echo is heard');
      }
      await ended(client);
      expect(performance.now() - last).toBeGreaterThan(248);
    });

    it('never, if its time is for ever', async () => {
      proxy.next({ fault: 'reset', after: Infinity }, { fault: 'latency', delay: Infinity, way: 'down' });
      const [one, two] = [await dial(), await dial()];
      one.socket.write('x');
      two.socket.write('x');
      await hears(one, 'x');
      await until(() => ends[1]?.text === 'x', 'the server has it');
      expect(two.text()).toBe('');
    });

    it('one after another on the same connection, each with its own beginning', async () => {
      proxy.next([
        { fault: 'split', size: 3, way: 'down' },
        { fault: 'halfOpen', afterBytes: 7, way: 'down' },
      ]);
      const client = await dial();
      client.socket.write('abcdefghi');
      await hears(client, 'abcdefg');
      await until(() => proxy.bytes.down === 9, 'all has arrived at the proxy');
      expect(client.text()).toBe('abcdefg');
    });

    it('on one way only', async () => {
      proxy.next({ fault: 'halfOpen', way: 'down' });
      const client = await dial();
      client.socket.write('heard');
      await until(() => ends[0]?.text === 'heard', 'the server hears it');
      await until(() => proxy.bytes.down === 5, 'the reply is swallowed');
      expect(client.text()).toBe('');
    });
  });

  it('draws the same delays from the same seed', async () => {
    const drawn = async (seed: number): Promise<number[]> => {
      const { port } = server.address() as AddressInfo;
      const other = await FaultProxy.launch({ upstream: port, seed });
      const socket = connect(other.port, other.host);
      await until(() => other.open === 1, 'it was accepted');
      const numbers = Array.from({ length: 5 }, () => other.connections[0]!.random());
      socket.destroy();
      await other.close();
      return numbers;
    };
    const numbers = await drawn(3);
    expect(await drawn(3)).toEqual(numbers);
    expect(await drawn(4)).not.toEqual(numbers);
  });

  it('lets go of a client that has left and that nobody answers, once that has lingered', async () => {
    await proxy.close();
    proxy = await FaultProxy.launch({ upstream: (server.address() as AddressInfo).port, linger: 40 });
    proxy.next('silent');
    const client = await dial();
    client.socket.end();
    await ended(client);
    expect(proxy.open).toBe(0);
  });

  describe('says what is wrong with what it is told:', () => {
    const allNames = FAULT_NAMES.map((name) => `'${name}'`).join(', ');

    it.each<[string, unknown, string]>([
      ['a fault that there is not', 'slient', `next[0]: received 'slient'; allowed is one of ${allNames}`],
      ['one that no proxy can have', 'refuse', 'to refuse connections, take the listener down: proxy.down()'],
      ['no fault at all', 7, 'next[0]: received 7; allowed is one of'],
      ['a fault without a name', { delay: 5 }, 'next[0]: received { delay: 5 }; allowed is one of'],
      ['a name of Object', 'toString', "next[0]: received 'toString'; allowed is one of"],
      [
        'a wrong value',
        { fault: 'latency', delay: -5 },
        'next[0].delay: received -5; allowed is a duration of 0 or more',
      ],
      [
        'a size of nothing',
        { fault: 'split', size: 0 },
        'next[0].size: received 0; allowed is a whole number of 1 or more',
      ],
      [
        'an unknown option',
        { fault: 'split', length: 3 },
        'next[0].length: received a value of type number; allowed is nothing of this name; there are: size, pause, after',
      ],
      ['a wrong beginning', { fault: 'fin', afterBytes: 1.5 }, 'next[0].afterBytes: received 1.5; allowed is a whole'],
      [
        'a wrong way',
        { fault: 'fin', way: 'left' },
        "next[0].way: received 'left'; allowed is one of 'both', 'up', 'd",
      ],
      ['one of several', ['none', ['fin']], "next[0][1]: received [ 'fin' ]; allowed is one of"],
    ])('%s', (_what, given, message) => {
      expect(() => proxy.next(given as FaultSpec)).toThrow(message);
      expect(() => proxy.always(given as FaultSpec)).toThrow(message.replace('next', 'always'));
      expect(() => proxy.apply(given as FaultSpec)).toThrow(message.replace('next', 'apply'));
    });

    it('everything at once', () => {
      const given = ['no', { fault: 'merge', window: 'soon' }] as unknown as FaultSpec[];
      expect(() => proxy.next('none', ...given)).toThrow(
        /Invalid settings of the fault proxy:\n {2}- next\[1\].*\n.*2\]/,
      );
      expect(proxy.connections).toEqual([]);
    });

    it('and of its own options', async () => {
      const launch = (options: unknown): Promise<unknown> => FaultProxy.launch(options as { upstream: number });
      await expect(launch(undefined)).rejects.toThrow(
        'options: received undefined; allowed is { upstream, seed, linger }',
      );
      await expect(launch(5)).rejects.toThrow('options: received 5');
      await expect(launch({})).rejects.toThrow('upstream: received undefined; allowed is a port from 1 to 65535');
      await expect(launch({ upstream: '80' })).rejects.toThrow("upstream: received '80'; allowed is a port");
      await expect(launch({ upstream: 80, sed: 1 })).rejects.toThrow('there are: upstream, seed, linger');
    });
  });

  it.each(FAULT_NAMES)('knows of the fault %s what it does, and options that it accepts itself', (name) => {
    const { does, options } = FAULTS[name];
    expect(does).not.toBe('');
    const numbers = [0, 0.25, 0.5, 0.999];
    for (const number of numbers) {
      const drawn = Object.entries(options).map(([key, option]) => [key, option.draw(() => number)]);
      expect(() => readSpecs([{ fault: name, ...Object.fromEntries(drawn) }], 'drawn')).not.toThrow();
    }
    const usual = Object.entries(options).map(([key, option]) => [key, option.usual]);
    expect(readSpecs([name], 'usual')[0]![0]!.options).toEqual(Object.fromEntries(usual));
  });
});
