import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { FaultProxy, seededRandom } from './fault-proxy.js';
import { drawScript, playScript, readScript, type Step } from './fault-script.js';
import { FAULT_NAMES } from './fault-spec.js';
import { LineServer } from './line-server.js';
import { complain, leftovers, resources } from './resources.js';
import { until } from '../until.js';

describe('a fault script', () => {
  let before: Map<string, number>;
  let server: LineServer;
  let proxy: FaultProxy;
  const sockets: Socket[] = [];

  beforeEach(async () => {
    before = resources();
    server = await LineServer.launch();
    proxy = await FaultProxy.launch({ upstream: server.port });
  });

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await proxy.close();
    await server.close();
    complain(await leftovers(before));
  });

  /** What becomes of somebody who dials now: the code of an error, or what is wrong with the connection. */
  function dial(): Promise<string> {
    return new Promise((resolve) => {
      const accepted = proxy.accepted;
      const socket = connect(proxy.port, proxy.host);
      sockets.push(socket);
      socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code!));
      socket.on('connect', () => {
        void until(() => proxy.accepted > accepted, 'it was accepted').then(() => {
          resolve(proxy.connections.at(-1)?.faults.join() ?? 'gone');
        });
      });
    });
  }

  it('is played step by step', async () => {
    const play = (...steps: Step[]): Promise<void> => playScript(proxy, steps);
    await play({ do: 'always', faults: ['latency'] }, { do: 'next', faults: [['split', 'merge'], 'silent'] });
    expect([await dial(), await dial(), await dial()]).toEqual(['split,merge', 'silent', 'latency']);
    await play({ do: 'apply', to: 'one', faults: ['halfOpen'] }, { do: 'apply', to: 'all', faults: ['none', 'stall'] });
    expect(proxy.connections.map(({ faults }) => faults.join())).toEqual([
      'split,merge,halfOpen,none,stall',
      'silent,none,stall',
      'latency,none,stall',
    ]);
    await play({ do: 'down' });
    expect(await dial()).toBe('ECONNREFUSED');
    await play({ do: 'up' });
    expect(await dial()).toBe('latency');
    const start = performance.now();
    await play({ do: 'down' }, { do: 'wait', for: 30 }, { do: 'heal' });
    expect(performance.now() - start).toBeGreaterThan(28);
    expect(await dial()).toBe('');
  });

  it('ends when its signal is aborted', async () => {
    const steps: Step[] = [{ do: 'wait', for: 20 }, { do: 'down' }];
    const controller = new AbortController();
    const played = playScript(proxy, steps, controller.signal);
    controller.abort();
    await played;
    expect(await dial()).toBe('');
  });

  it('does nothing to one connection where there is none', async () => {
    await playScript(proxy, [{ do: 'apply', to: 'one', faults: ['reset'] }]);
    expect(proxy.accepted).toBe(0);
  });

  it('is drawn from a seed, always alike', () => {
    const script = drawScript(40, seededRandom(5));
    expect(drawScript(40, seededRandom(5))).toEqual(script);
    expect(drawScript(40, seededRandom(6))).not.toEqual(script);
    // Every step is one that could be written by hand, and survives being written down.
    expect(readScript(JSON.parse(JSON.stringify(script)))).toEqual(script);
  });

  it('has every fault in it sooner or later, but for those that make up bytes', () => {
    const text = JSON.stringify(drawScript(1_000, seededRandom(1)));
    const drawn = FAULT_NAMES.filter((name) => text.includes(`"fault":"${name}"`));
    expect(drawn).toEqual(FAULT_NAMES.filter((name) => name !== 'say'));
  });

  it.each<[string, unknown, string]>([
    ['is no list', { do: 'down' }, "script: received { do: 'down' }; allowed is a list of steps"],
    ['has no step in it', ['down'], "[0]: received 'down'; allowed is { do: one of 'wait', 'next', 'always', 'apply'"],
    ['does what cannot be done', [{ do: 'explode' }], "[0]: received { do: 'explode' }; allowed is { do: one of"],
    ['waits for nobody knows how long', [{ do: 'wait' }], '[0].for: received undefined; allowed is a duration'],
    [
      'waits for ever',
      [{ do: 'wait', for: false }],
      '[0].for: received false; allowed is a duration of no more than an hour',
    ],
    [
      'waits for weeks',
      [{ do: 'wait', for: '50d' }],
      "[0].for: received '50d'; allowed is a duration of no more than an hour",
    ],
    [
      'waits for ages past',
      [{ do: 'up' }, { do: 'wait', for: -1 }],
      '[1].for: received -1; allowed is a duration of 0',
    ],
    ['has more than it knows what to do with', [{ do: 'up', for: 3 }], '[0].for: received a value of type number'],
    ['has faults that are no list', [{ do: 'next', faults: 'fin' }], "[0].faults: received 'fin'; allowed is a list"],
    ['has a fault that there is not', [{ do: 'always', faults: ['fn'] }], "[0].faults[0]: received 'fn'; allowed is"],
    [
      'has a fault with a wrong option',
      [{ do: 'next', faults: [[{ fault: 'rate', bytesPerSecond: 0 }]] }],
      '[0].faults[0][0].bytesPerSecond: received 0; allowed is a whole number of 1 or more',
    ],
    [
      'acts on nobody',
      [{ do: 'apply', faults: ['fin'] }],
      "[0].to: received undefined; allowed is one of 'all', 'one'",
    ],
  ])('that %s is refused before anything of it is played', async (_what, script, message) => {
    expect(() => readScript(script)).toThrow('Invalid settings of the fault script');
    expect(() => readScript(script)).toThrow(message);
    const all = Array.isArray(script) ? [{ do: 'down' }, ...(script as Step[])] : script;
    await expect(playScript(proxy, all as Step[])).rejects.toThrow(/Invalid settings of the fault script/);
    expect(await dial()).toBe('');
  });
});
