import process from 'node:process';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { isConnectionError } from '../../src/pool/connection-error.js';
import { AcquireTimeoutError, RetryAttemptTimeoutError } from '../../src/pool/errors.js';
import { retry } from '../../src/retry/retry.js';
import { unhandledDuring } from '../pool/rejections.js';
import { wholeBetween } from './fault.js';
import { Benches, type FaultBench } from './fault-bench.js';
import { seededRandom } from './fault-proxy.js';
import { drawScript, playScript } from './fault-script.js';
import type { LineClient } from './line-client.js';
import { pause, until } from './until.js';

jest.setTimeout(60_000);

/** The first seed, and how many: `FAULT_SEED=77 FAULT_RUNS=1` plays again what failed, `FAULT_RUNS=1000` looks for more. */
const FIRST = Number(process.env['FAULT_SEED'] ?? 1);
const RUNS = Number(process.env['FAULT_RUNS'] ?? 8);

/** A load of callers who never stop asking; knows what must not happen to them. */
class Load {
  readonly faults: string[] = [];
  answered = 0;
  failed = 0;
  private isOver = false;
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
    for (let calls = 0; !this.isOver; calls++) {
      const text = `${number}.${calls}`;
      try {
        const reply = await retry(({ signal }) => this.attempt(text, signal), { attemptTimeout: 120, delay: 5 });
        if (reply !== text) this.faults.push(`caller ${text} got "${reply}"`);
        this.answered++;
      } catch (error) {
        this.failed++;
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

/** What a caller may be told while the network is bad. */
function isHonest(error: unknown): boolean {
  return isConnectionError(error) || error instanceof RetryAttemptTimeoutError || error instanceof AcquireTimeoutError;
}

describe('whatever happens to the network', () => {
  const benches = new Benches();

  beforeEach(() => benches.begin());
  afterEach(() => benches.end());

  const seeds = Array.from({ length: RUNS }, (_, run) => FIRST + run);

  it.each(seeds)('nothing is lost and all is well in the end (seed %i)', async (seed) => {
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
    const script = drawScript(14, random);
    const bench = await benches.launch(options);
    const faults: string[] = [];

    const unhandled = await unhandledDuring(async () => {
      const load = new Load(bench, 8);
      let isPlayed = false;
      const played = playScript(bench.proxy, script).finally(() => (isPlayed = true));
      while (!isPlayed) {
        await pause(4);
        faults.push(...bench.audit());
      }
      await played;

      const hold = async (condition: () => boolean, what: string): Promise<void> => {
        const describe = (): string => `${what}: ${bench.describe()}`;
        await until(condition, describe).catch((error: unknown) => faults.push(String(error)));
      };
      await bench.proxy.heal();
      const { answered } = load;
      await hold(() => load.answered > answered + 10, 'callers are answered again');
      await hold(() => load.stop(), 'every caller is told something');
      await hold(() => bench.isFull, 'the pool is full again');
      faults.push(...load.faults, ...bench.audit());
    });
    faults.push(...unhandled.map((error) => `unhandled: ${String(error)}`));

    if (faults.length > 0) {
      faults.splice(
        10,
        Infinity,
        `to play it again: FAULT_SEED=${seed} FAULT_RUNS=1`,
        JSON.stringify({ options, script }),
      );
    }
    expect(faults).toEqual([]);
  });
});
