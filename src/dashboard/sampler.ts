import type { Clock, Timer } from '../pool/clock.js';
import { formatDuration } from '../pool/duration.js';
import type { LeakEvent, PoolEvent } from '../pool/channels.js';
import { listen, type Heard, type Retried } from './channel-ear.js';
import type { Frame, HappeningKind, Snapshot } from './frames.js';
import { Happenings } from './happenings.js';
import { PoolSampler, shown, type SampledPool } from './pool-sampler.js';

/** How far back the lines go. */
const TEN_MINUTES = 600_000;

/** Calls of one method, since the last look. */
interface Calls {
  count: number;
  last: Retried;
}

/**
 * Looks at all pools, for everybody who looks at the page. Between `start` and `stop` there is one timer and one subscriber to
 * each channel; before and after there is nothing, and nothing is kept.
 */
export class Sampler {
  private run: Run | undefined;

  /**
   * @param pools gone through at each look, so that pools may come and go
   * @param interval between two looks, in milliseconds
   */
  constructor(
    private readonly pools: Iterable<SampledPool>,
    private readonly clock: Clock,
    private readonly interval: number,
  ) {}

  /** @param look called with what each look has found */
  start(look: (frame: Frame) => void): void {
    this.run ??= new Run(this.pools, this.clock, this.interval, look);
  }

  stop(): void {
    this.run?.stop();
    this.run = undefined;
  }

  /** All that is known; undefined unless it is started. */
  snapshot(): Snapshot | undefined {
    return this.run?.snapshot();
  }
}

/** From one start to its stop. */
class Run implements Heard {
  private readonly since: number;
  private readonly samplers = new Map<string, PoolSampler>();
  private readonly happenings = new Happenings();
  private readonly retries = new Map<string, Calls>();
  private readonly givenUp = new Map<string, Calls>();
  private readonly times: number[] = [];
  private readonly stopListening: () => void;
  private timer: Timer;
  private at: number;

  constructor(
    private readonly pools: Iterable<SampledPool>,
    private readonly clock: Clock,
    private readonly interval: number,
    private readonly tell: (frame: Frame) => void,
  ) {
    this.since = this.at = Math.round(clock.now());
    this.meet();
    this.stopListening = listen(this, () => clock.now());
    this.timer = this.next();
  }

  stop(): void {
    this.clock.clearTimeout(this.timer);
    this.stopListening();
  }

  snapshot(): Snapshot {
    const { at, since, times, happenings } = this;
    const pools = [...this.samplers.values()].map((sampler) => sampler.snapshot());
    return { at, since, times, pools, happenings: happenings.all };
  }

  waited(event: PoolEvent, milliseconds: number): void {
    this.samplerOf(event)?.waits.add(milliseconds);
  }

  broken(event: PoolEvent, error: unknown): void {
    const sampler = this.samplerOf(event);
    if (sampler !== undefined) sampler.lossCause ??= error;
  }

  leaked(event: LeakEvent): void {
    if (this.samplerOf(event) === undefined) return;
    const { pool, heldFor, origin, collected } = event;
    const held = formatDuration(heldFor);
    const text = collected ? `a lease was garbage-collected after ${held}` : `a lease has been held for ${held}`;
    this.happenings.add(Math.round(this.clock.now()), 'leak', pool, text, origin);
  }

  retried(event: Retried): void {
    note(this.retries, event);
  }

  gaveUp(event: Retried): void {
    note(this.givenUp, event);
  }

  /** Another application of the process may have a pool of the same name. */
  private samplerOf({ pool, poolId }: PoolEvent): PoolSampler | undefined {
    const sampler = this.samplers.get(pool);
    return sampler?.pool.id === poolId ? sampler : undefined;
  }

  private next(): Timer {
    const timer = this.clock.setTimeout(() => this.look(), this.interval);
    // The open page keeps the process alive, or nothing does.
    timer.unref();
    return timer;
  }

  private look(): void {
    this.timer = this.next();
    const now = Math.round(this.clock.now());
    const elapsed = now - this.at;
    this.at = now;
    this.meet();
    const pools = [...this.samplers.values()].map((sampler) => sampler.look(now, elapsed));
    this.times.push(now);
    this.forgetWhatIsOld(now);
    this.flush(this.retries, 'retry', now, 'retry', 'retries');
    this.flush(this.givenUp, 'give-up', now, 'call given up', 'calls given up');
    this.tell({ at: now, pools, happenings: this.happenings.take() });
  }

  /** Who has come, and who is gone. Another pool of the same name is another pool. */
  private meet(): void {
    // A test may have put anything in the place of a pool.
    const real = [...this.pools].filter((pool) => typeof pool.inspect === 'function');
    const present = new Map(real.map((pool) => [pool.name, pool]));
    for (const [name, { pool }] of this.samplers) if (present.get(name) !== pool) this.samplers.delete(name);
    for (const [name, pool] of present) {
      if (!this.samplers.has(name)) {
        this.samplers.set(name, new PoolSampler(pool, this.at, this.times.length, this.happenings));
      }
    }
  }

  private forgetWhatIsOld(now: number): void {
    const old = this.times.findIndex((time) => time > now - TEN_MINUTES);
    if (old <= 0) return;
    this.times.splice(0, old);
    for (const sampler of this.samplers.values()) sampler.forget(old);
  }

  private flush(calls: Map<string, Calls>, kind: HappeningKind, now: number, one: string, many: string): void {
    for (const [method, { count: times, last }] of calls) {
      const what = times === 1 ? `1 ${one}` : `${times} ${many}`;
      const after = `attempt ${last.attempt}`;
      const why = last.error === undefined ? `${after} had a result to retry` : `${after} failed: ${shown(last.error)}`;
      this.happenings.add(now, kind, method, `${what}; ${why}`);
    }
    calls.clear();
  }
}

function note(calls: Map<string, Calls>, event: Retried): void {
  const before = calls.get(event.method);
  calls.set(event.method, { count: (before?.count ?? 0) + 1, last: event });
}
