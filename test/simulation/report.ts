import type { PoolLogger } from '../../src/pool/settings.js';

/** What the pool writes, and what each line tells. */
const LINES: ReadonlyArray<{
  readonly level: keyof PoolLogger;
  readonly pattern: RegExp;
  tell(report: Report, match: RegExpExecArray): string | undefined;
}> = [
  {
    level: 'warn',
    pattern: /^lost (a connection|\d+ connections): ./,
    tell: (report, [, many]) => {
      report.lost += Number.parseInt(many!, 10) || 1;
      return undefined;
    },
  },
  {
    level: 'error',
    pattern: /^(cannot connect|loses connections as soon as they are open), and goes on trying: ./,
    tell: (report) => {
      const again = report.isDown ? 'the same outage was told twice' : undefined;
      report.isDown = true;
      return again;
    },
  },
  {
    level: 'log',
    pattern:
      /^connects again, after .+ and (one failed connect|\d+ failed connects)(; (a lost connection is|\d+ lost connections are) replaced)?$/,
    tell: (report) => {
      report.backs++;
      const never = report.isDown ? undefined : 'the end of an outage was told, and not its beginning';
      report.isDown = false;
      return never;
    },
  },
  {
    level: 'warn',
    pattern: /^a lease has been held for .+ \(leakDetection\); it was taken\n +at /,
    tell: (report) => {
      report.leaks++;
      return undefined;
    },
  },
  {
    level: 'warn',
    pattern: /^closes (a connection that is|\d+ connections that are) still leased: not returned within /,
    tell: (report, [, many]) => {
      report.forced += Number.parseInt(many!, 10) || 1;
      return undefined;
    },
  },
  {
    level: 'warn',
    pattern: /^closing a connection \((\w+)\) took longer than closeTimeout; it /,
    tell: (report) => {
      report.slowCloses++;
      return undefined;
    },
  },
];

/** Made once: a stack trace for every line would slow the simulation down. */
const FAILURE = new Error('the logger fails');

/** A logger that reads what it is told, and fails all the same: that must not cost anybody a connection. */
export class Report implements PoolLogger {
  /** Whether the last that was told of the backend is that it is down. */
  isDown = false;
  /** How many outages have ended. */
  backs = 0;
  lost = 0;
  leaks = 0;
  /** Connections that were closed while they were leased. */
  forced = 0;
  /** Closes that took too long. */
  slowCloses = 0;
  private lines = 0;

  constructor(private readonly fault: (what: string) => void) {}

  log(message: unknown): Promise<never> {
    return this.read('log', String(message));
  }

  warn(message: unknown): Promise<never> {
    return this.read('warn', String(message));
  }

  error(message: unknown): Promise<never> {
    return this.read('error', String(message));
  }

  private read(level: keyof PoolLogger, message: string): Promise<never> {
    const [, text] = /^Pool "simulated" ([^]+)$/.exec(message) ?? [];
    const line = LINES.find((each) => each.level === level && each.pattern.test(text ?? ''));
    const wrong = line === undefined ? 'nobody expects such a line' : line.tell(this, line.pattern.exec(text!)!);
    if (wrong !== undefined) this.fault(`the log says (${level}): ${message}; but ${wrong}`);
    if (this.lines++ % 2 === 0) throw FAILURE;
    return Promise.reject(FAILURE);
  }
}
