import { formatDuration } from '../pool/duration.js';
import { describeError } from '../pool/errors.js';
import type { ConnectionInfo, PoolStats, PoolTotals } from '../pool/stats.js';
import type { CellChanges, Figures, Frame, History, Point, Snapshot } from './frames.js';
import type { Happenings } from './happenings.js';
import { Seats } from './seats.js';
import { WaitTimes } from './wait-times.js';

/** What the page asks of a pool. */
export interface SampledPool {
  readonly name: string;
  readonly id: symbol;
  readonly size: { readonly min: number; readonly max: number };
  stats(): PoolStats;
  inspect(): ConnectionInfo[];
}

/** Nothing that is longer comes from an error that somebody wrote for people. */
const LONGEST_ERROR = 500;

/** Looks at one pool again and again, and says what has changed. */
export class PoolSampler {
  /** Since the last look. */
  readonly waits = new WaitTimes();
  /** What a connection was lost by, as far as somebody told. */
  lossCause: unknown;
  private readonly seats = new Seats();
  private readonly history: History;
  private before: PoolStats;
  private figures: Figures;
  private outageFailures = 0;
  /** Lost connections in whose place there is no other yet. */
  private missing = 0;

  /** @param missed how many looks there were before this pool */
  constructor(
    readonly pool: SampledPool,
    now: number,
    missed: number,
    private readonly happenings: Happenings,
  ) {
    const nothing = (): null[] => Array<null>(missed).fill(null);
    this.history = { leased: nothing(), idle: nothing(), waiting: nothing(), p50: nothing(), p99: nothing() };
    this.before = pool.stats();
    this.figures = this.figuresOf(this.before, 0);
    this.seats.update(pool.inspect(), now, pool.size.min);
  }

  /**
   * @param now in milliseconds since the epoch
   * @param elapsed since the last look, in milliseconds
   */
  look(now: number, elapsed: number): Frame['pools'][number] {
    const { name } = this.pool;
    const stats = this.pool.stats();
    this.tell(stats, now);
    const rate = ((stats.totals.acquired - this.before.totals.acquired) * 1_000) / Math.max(1, elapsed);
    this.before = stats;
    this.figures = this.figuresOf(stats, Math.round(rate));
    const { leased, idle, waiting } = stats;
    const point: Point = { leased, idle, waiting, p50: this.waits.percentile(0.5), p99: this.waits.percentile(0.99) };
    this.waits.clear();
    this.remember(point);
    const changes = this.seats.update(this.pool.inspect(), now, this.pool.size.min);
    return { name, figures: this.figures, point, slots: this.seats.length, changes };
  }

  /** The oldest points are too old. */
  forget(points: number): void {
    for (const line of Object.values(this.history)) (line as unknown[]).splice(0, points);
  }

  snapshot(): Snapshot['pools'][number] {
    const { figures, history, seats } = this;
    const changes: CellChanges = seats.all();
    return { name: this.pool.name, figures, history, slots: seats.length, changes };
  }

  private remember(point: Point): void {
    for (const key of Object.keys(point) as Array<keyof Point>) (this.history[key] as unknown[]).push(point[key]);
  }

  private figuresOf(stats: PoolStats, rate: number): Figures {
    const { open, idle, leased, checking, connecting, closing, waiting, longestWait, downSince, totals } = stats;
    const { min, max } = this.pool.size;
    return {
      min,
      max,
      open,
      idle,
      leased,
      checking,
      connecting,
      closing,
      waiting,
      longestWait: Math.round(longestWait),
      down: downSince === undefined ? null : { since: Math.round(downSince), error: shown(stats.lastConnectError) },
      rate,
      acquired: totals.acquired,
      lost: totals.closed.broken,
      replaced: totals.closed.expired + totals.closed.recycled,
      connectFailures: totals.connectFailures,
      acquireTimeouts: totals.acquireTimeouts,
    };
  }

  /** What happened since the last look: pools count it anyway, so nothing need be listened to for it. */
  private tell(stats: PoolStats, now: number): void {
    const { downSince, lastConnectError, totals } = stats;
    const { closed, connected, connectFailures, acquireTimeouts } = since(this.before.totals, totals);
    const add = (kind: Parameters<Happenings['add']>[1], text: string): void =>
      this.happenings.add(now, kind, this.pool.name, text);

    if (closed.broken > 0) {
      const cause = this.lossCause === undefined ? '' : `: ${shown(this.lossCause)}`;
      add('lost', `${count(closed.broken, 'connection')} lost${cause}`);
      this.missing += closed.broken;
    }
    this.lossCause = undefined;
    const renewed = closed.expired + closed.recycled;
    if (renewed > 0) add('renewed', `${count(renewed, 'connection')} closed to be renewed (${reasons(closed)})`);
    const surplus = closed.idle + closed.surplus;
    if (surplus > 0) add('closed', `${count(surplus, 'connection')} closed that nobody needs`);

    const { downSince: before } = this.before;
    if (before !== undefined && before !== downSince) {
      const failures = this.outageFailures + connectFailures;
      add('back', `connects again, after ${formatDuration(now - before)} and ${count(failures, 'failed connect')}`);
      this.outageFailures = 0;
    }
    if (downSince !== undefined && before !== downSince) add('down', `cannot connect: ${shown(lastConnectError)}`);
    if (downSince !== undefined) this.outageFailures += connectFailures;
    else if (before === undefined && connectFailures > 0) {
      add('failed connect', `${count(connectFailures, 'connect')} failed: ${shown(lastConnectError)}`);
    }

    const replaced = Math.min(this.missing, connected);
    this.missing -= replaced;
    if (replaced > 0) add('replaced', `${count(replaced, 'lost connection')} replaced`);
    if (acquireTimeouts > 0) add('time-out', `${count(acquireTimeouts, 'caller')} waited in vain`);
  }
}

function since(before: PoolTotals, now: PoolTotals): PoolTotals {
  const closed = { ...now.closed };
  for (const reason of Object.keys(closed) as Array<keyof typeof closed>) closed[reason] -= before.closed[reason];
  return {
    acquired: now.acquired - before.acquired,
    connected: now.connected - before.connected,
    connectFailures: now.connectFailures - before.connectFailures,
    acquireTimeouts: now.acquireTimeouts - before.acquireTimeouts,
    pings: now.pings - before.pings,
    closed,
  };
}

function reasons({ expired, recycled }: PoolTotals['closed']): string {
  return [expired > 0 && 'expired', recycled > 0 && 'recycled'].filter(Boolean).join(', ');
}

/** An error's message, as long as a person reads. */
export function shown(error: unknown): string {
  const text = describeError(error);
  return text.length > LONGEST_ERROR ? `${text.slice(0, LONGEST_ERROR - 3)}...` : text;
}

function count(many: number, what: string): string {
  return `${many} ${what}${many === 1 ? '' : 's'}`;
}
