import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { PoolStats } from '../pool/stats.js';
import { observable, type ObservedPool } from './observed-pool.js';

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

/** What a pool is asked for when somebody scrapes. */
interface Asked {
  readonly help: string;
  readonly labels?: readonly string[];
  read(stats: PoolStats, pool: ObservedPool): Iterable<Sample>;
}

const STATES = ['idle', 'leased', 'checking', 'connecting', 'closing'] as const;

const GAUGES: Readonly<Record<string, Asked>> = {
  connections: {
    help: 'Connections, by what they do',
    labels: ['state'],
    read: (stats) => STATES.map((state) => [{ state }, stats[state]]),
  },
  size_min: { help: 'How many connections the pool keeps at least', read: (_, { size }) => [[{}, size.min]] },
  size_max: { help: 'How many connections the pool has at most', read: (_, { size }) => [[{}, size.max]] },
  waiting: { help: 'Callers that wait for a connection', read: ({ waiting }) => [[{}, waiting]] },
  longest_wait_seconds: {
    help: 'How long the first of them has waited',
    read: ({ longestWait }) => [[{}, longestWait / 1_000]],
  },
  down: {
    help: '1 while no connection can be opened',
    read: ({ downSince }) => [[{}, downSince === undefined ? 0 : 1]],
  },
};

const COUNTERS: Readonly<Record<string, Asked>> = {
  leases_total: { help: 'Leases given', read: ({ totals }) => [[{}, totals.acquired]] },
  connects_total: { help: 'Connections opened', read: ({ totals }) => [[{}, totals.connected]] },
  connect_failures_total: { help: 'Connects that failed', read: ({ totals }) => [[{}, totals.connectFailures]] },
  acquire_timeouts_total: {
    help: 'Callers that waited in vain',
    read: ({ totals }) => [[{}, totals.acquireTimeouts]],
  },
  pings_total: { help: 'Pings sent', read: ({ totals }) => [[{}, totals.pings]] },
  closes_total: {
    help: 'Connections closed, by the reason',
    labels: ['reason'],
    read: ({ totals }) => Object.entries(totals.closed).map(([reason, count]) => [{ reason }, count]),
  },
};

/** The metrics of some pools, in a registry. */
export class PoolMetrics {
  readonly connect: Histogram;
  readonly wait: Histogram;
  readonly use: Histogram;
  readonly retries: Counter;
  readonly giveUps: Counter;
  private readonly names: string[] = [];

  /** @throws Error if the registry has a metric of one of the names */
  constructor(
    private readonly pools: Iterable<ObservedPool>,
    private readonly registry: Registry,
    private readonly prefix: string,
    private readonly buckets: readonly number[],
  ) {
    for (const [name, asked] of Object.entries(GAUGES)) this.asked(Gauge, name, asked);
    for (const [name, asked] of Object.entries(COUNTERS)) this.asked(Counter, name, asked);
    this.connect = this.histogram('connect_seconds', 'How long connects took, by their outcome', ['pool', 'outcome']);
    this.wait = this.histogram('wait_seconds', 'How long callers waited, by what they got', ['pool', 'outcome']);
    this.use = this.histogram('use_seconds', 'How long connections were held', ['pool']);
    this.retries = this.counter('retries_total', 'Calls that were tried again');
    this.giveUps = this.counter('give_ups_total', 'Calls that failed for good though their error was one to retry');
  }

  unregister(): void {
    for (const name of this.names) this.registry.removeSingleMetric(name);
  }

  /** Counted by the pools themselves, and looked up at each scrape. */
  private asked(Metric: typeof Gauge | typeof Counter, name: string, { help, labels = [], read }: Asked): void {
    const { pools } = this;
    const metric = new Metric({
      ...this.configOf(name, help, ['pool', ...labels]),
      collect: () => {
        // A pool that is gone must not stay as it was.
        metric.reset();
        for (const pool of observable(pools)) {
          for (const [own, value] of read(pool.stats(), pool)) metric.inc({ pool: pool.name, ...own }, value);
        }
      },
    });
  }

  private histogram(name: string, help: string, labels: string[]): Histogram {
    return new Histogram({ ...this.configOf(name, help, labels), buckets: [...this.buckets] });
  }

  private counter(name: string, help: string): Counter {
    return new Counter(this.configOf(name, help, ['method']));
  }

  private configOf(suffix: string, help: string, labelNames: string[]): MetricConfig {
    const name = this.prefix + suffix;
    if (this.registry.getSingleMetric(name) !== undefined) {
      this.unregister();
      throw new Error(
        `The metric ${name} is registered already: give each application of a process a registry of its own, or another prefix`,
      );
    }
    this.names.push(name);
    return { name, help, labelNames, registers: [this.registry] };
  }
}

interface MetricConfig {
  readonly name: string;
  readonly help: string;
  readonly labelNames: string[];
  readonly registers: Registry[];
}
