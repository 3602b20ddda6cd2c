import process from 'node:process';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { isConnectionError } from '../../src/pool/connection-error.js';
import { AcquireTimeoutError, PoolClosedError, RetryAttemptTimeoutError } from '../../src/pool/errors.js';
import { retry } from '../../src/retry/retry.js';
import { unhandledDuring } from '../pool/rejections.js';
import { fateOf, type Fate } from '../pool/workbench.js';
import { wholeBetween } from './fault.js';
import { Benches, type FaultBench, type FaultBenchOptions } from './fault-bench.js';
import { seededRandom } from './fault-proxy.js';
import { drawScript, playScript, type Step } from './fault-script.js';
import type { LineClient } from './line-client.js';
import { pause, until } from '../until.js';

jest.setTimeout(60_000);

/** The first seed, and how many: `FAULT_SEED=77 FAULT_RUNS=1` plays again what failed, `FAULT_RUNS=1000` looks for more. */
const FIRST = Number(process.env['FAULT_SEED'] ?? 1);
const RUNS = Number(process.env['FAULT_RUNS'] ?? 6);

/** A load of callers who never stop asking; knows what must not happen to them. */
class Load {
  readonly faults: string[] = [];
  answered = 0;
  private isOver = false;
  private isTurnedAway = false;
  private readonly held = new Set<LineClient>();
  private settled = 0;

  constructor(
    private readonly bench: FaultBench,
    private readonly size: number,
  ) {
    for (let number = 0; number < size; number++) void this.call(number);
  }

  /** No more calls. True once everybody has been told what became of his last. */
  stop(): boolean {
    this.isOver = true;
    return this.settled === this.size;
  }

  private async call(number: number): Promise<void> {
    // Once the pool is closed there is nobody to ask.
    for (let calls = 0; !this.isOver && !this.isTurnedAway; calls++) {
      const text = `${number}.${calls}`;
      try {
        const reply = await retry(({ signal }) => this.attempt(text, signal), { attemptTimeout: 120, delay: 5 });
        if (reply !== text) this.faults.push(`caller ${text} got "${reply}"`);
        this.answered++;
      } catch (error) {
        this.isTurnedAway ||= error instanceof PoolClosedError;
        if (!isHonest(error)) this.faults.push(`caller ${text} got ${String(error)}`);
      }
      await pause(1);
    }
    this.settled++;
  }

  private attempt(text: string, signal: AbortSignal): Promise<string> {
    return this.bench.pool.use(
      async (client) => {
        if (this.held.has(client)) this.faults.push('a connection has two holders');
        this.held.add(client);
        try {
          return await client.request('ECHO', text, signal);
        } finally {
          this.held.delete(client);
        }
      },
      { signal },
    );
  }
}

/** What a caller may be told while the network is bad, or the pool closed. */
function isHonest(error: unknown): boolean {
  const isOfWaiting = error instanceof AcquireTimeoutError || error instanceof PoolClosedError;
  return isOfWaiting || error instanceof RetryAttemptTimeoutError || isConnectionError(error);
}

/** What a seed makes of it: the settings, and what happens to the network. */
function drawn(seed: number): { options: FaultBenchOptions; script: Step[] } {
  const random = seededRandom(seed);
  const options = {
    seed,
    tls: random() < 0.3,
    linger: 500,
    size: wholeBetween(1, 6, random),
    connectTimeout: 150,
    keepalive: wholeBetween(20, 80, random),
    keepaliveTimeout: 80,
    resetTimeout: 80,
    closeTimeout: 80,
    checkAfterIdle: random() < 0.5 ? 20 : Infinity,
    maxLifetime: random() < 0.3 ? 400 : Infinity,
    maxUses: random() < 0.3 ? 20 : Infinity,
  };
  return { options, script: drawScript(14, random) };
}

describe('whatever happens to the network', () => {
  const benches = new Benches();

  beforeEach(() => benches.begin());
  afterEach(() => benches.end());

  const seeds = Array.from({ length: RUNS }, (_, run) => FIRST + run);

  /** Plays what the seed has drawn, under load; what is wrong with the books meanwhile, and with what comes after. */
  async function faultsOf(
    seed: number,
    meanwhile: (bench: FaultBench) => unknown,
    after: (bench: FaultBench, load: Load, hold: (condition: () => boolean, what: string) => Promise<void>) => unknown,
  ): Promise<string[]> {
    const { options, script } = drawn(seed);
    const bench = await benches.launch(options);
    const faults: string[] = [];
    const unhandled = await unhandledDuring(async () => {
      const load = new Load(bench, 8);
      let isPlayed = false;
      const played = playScript(bench.proxy, script).finally(() => (isPlayed = true));
      meanwhile(bench);
      while (!isPlayed) {
        await pause(4);
        faults.push(...bench.audit());
      }
      await played;
      await after(bench, load, async (condition, what) => {
        const describe = (): string => `${what}: ${bench.describe()}`;
        await until(condition, describe).catch((error: unknown) => faults.push(String(error)));
      });
      faults.push(...load.faults, ...bench.audit());
    });
    faults.push(...unhandled.map((error) => `unhandled: ${String(error)}`));
    if (faults.length === 0) return [];
    const replay = [`to play it again: FAULT_SEED=${seed} FAULT_RUNS=1`, JSON.stringify({ options, script })];
    return [...faults.slice(0, 10), ...replay];
  }

  it.each(seeds)('nothing is lost and all is well in the end (seed %i)', async (seed) => {
    const faults = await faultsOf(
      seed,
      () => {},
      async (bench, load, hold) => {
        await bench.proxy.heal();
        const { answered } = load;
        await hold(() => load.answered > answered + 10, 'callers are answered again');
        await hold(() => load.stop(), 'every caller is told something');
        await hold(() => bench.isFull, 'the pool is full again');
      },
    );
    expect(faults).toEqual([]);
  });

  it.each(seeds)('a pool that is closed in the midst of it closes, and tells everybody (seed %i)', async (seed) => {
    let closed: Fate<void> | undefined;
    const faults = await faultsOf(
      seed,
      (bench) => {
        // Leased ones and callers who wait have a while longer.
        const close = (): void => void (closed = fateOf(bench.pool.close({ timeout: 100 })));
        setTimeout(close, seededRandom(seed)() * 250);
      },
      async (bench, load, hold) => {
        await hold(() => closed?.state === 'resolved', 'the pool is closed');
        await hold(() => load.stop(), 'every caller is told something');
        await hold(() => bench.factory.live.length === 0, 'no client is open');
      },
    );
    expect(faults).toEqual([]);
  });
});
