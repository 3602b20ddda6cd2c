import {
  ConsoleLogger,
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import logUpdate from 'log-update';
import { ConnectionPools, type ConnectionPool } from 'nestjs-connection-pool';
import { RetryCounter } from './retry-counter.js';

const IN_TERMINAL = process.stdout.isTTY;

/** The lines that are on the screen. */
let shown = '';

/** Prints above the live lines. */
export class TerminalLogger extends ConsoleLogger {
  protected override printMessages(...args: Parameters<ConsoleLogger['printMessages']>): void {
    if (!IN_TERMINAL || shown === '') {
      super.printMessages(...args);
      return;
    }
    logUpdate.clear();
    super.printMessages(...args);
    logUpdate(shown);
  }
}

/** One calm line a pool: redrawn in a terminal, logged when something has changed where there is none. */
@Injectable()
export class LiveLines implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('Pools');
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(ConnectionPools) private readonly pools: ConnectionPools,
    @Inject(RetryCounter) private readonly counter: RetryCounter,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => this.show(), IN_TERMINAL ? 200 : 2_000);
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
    if (IN_TERMINAL) logUpdate.done();
    shown = '';
  }

  private show(): void {
    const lines = [...this.pools].map((pool) => this.describe(pool)).join('\n');
    if (lines === shown) return;
    shown = lines;
    if (IN_TERMINAL) logUpdate(lines);
    else this.logger.log(lines);
  }

  private describe(pool: ConnectionPool<unknown>): string {
    const { size, open, idle, leased, waiting, downSince, totals } = pool.stats();
    const { broken, expired, recycled } = totals.closed;
    const health = downSince === undefined ? '' : ' DOWN';
    return (
      `${pool.name}: open ${pad(open)}/${size} idle ${pad(idle)} leased ${pad(leased)} waiting ${pad(waiting)} ` +
      `replaced ${pad(broken + expired + recycled)} retries ${pad(this.counter.retries)}${health}`
    );
  }
}

function pad(count: number): string {
  return String(count).padStart(3);
}
