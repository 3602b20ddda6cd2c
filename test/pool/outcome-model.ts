import type { CloseReason } from '../../src/pool/connection-factory.js';
import {
  CALLERS,
  CLOSES_AT,
  KEEPALIVE,
  LIMITS,
  PAUSES,
  RECYCLES_AT,
  RESTS_AT,
  SLOW,
  WORKS_FOR,
  type Account,
  type Answer,
  type Caller,
  type Cell,
  type Fate,
  type Hook,
  type Outcome,
} from './outcome-plan.js';

/** For how long the pool waits for a hook: one that is well or fails is over at once, any other when its time is up. */
function wait(hook: Hook, outcome: Outcome): number {
  return outcome === 'slow' || outcome === 'hangs' ? LIMITS[hook] : 0;
}

/**
 * The contract as arithmetic. With one connection and callers who are served in order, it takes two numbers to know where
 * the story stands: which connection there is, and when it is free. Each clause says how they change.
 */
class Reckoning {
  private readonly hooks: Record<Hook, Outcome[]> = { connect: [], keepalive: [], reset: [], close: [] };
  private readonly answers: Answer[] = [];
  private readonly connects: Array<{ at: number; attempt: number }> = [];
  private readonly closes: Array<{ connection: number; reason: CloseReason; at: number }> = [];
  private readonly callers: Partial<Record<Caller, Fate>> = {};
  private readonly fullAt: number[] = [];
  /** The connection that there is: also how many have been opened. */
  private connection = 0;
  private freeAt = 0;
  private failures = 0;

  constructor(private readonly cell: Cell) {}

  account(): Account {
    this.fill();
    this.lend('early');
    this.lend('second');
    this.lend('third');
    const pingedAt = this.ping();
    this.lend('fourth');
    this.recycle();
    this.lend('fifth');
    this.lend('spoiler');
    this.lend('sixth');
    this.lend('seventh');
    const closedAt = this.end();
    const { hooks, answers, connects, closes, callers, fullAt } = this;
    // P1: full, and free; what went wrong before is over.
    const full = { idle: 1, open: 1, connecting: 0, closing: 0, waiting: 0, downSince: undefined };
    const rests = RESTS_AT.map((at) => ({ at, ...full }));
    // P2: never more than one, at any instant.
    const faults: string[] = [];
    const [totals, left] = [this.totals(), this.left()];
    return { hooks, answers, connects, closes, pingedAt, callers, fullAt, rests, closedAt, totals, left, faults };
  }

  private fill(): void {
    const { connect, usable } = this.cell;
    this.connect(0, connect);
    if (connect !== 'ok') {
      // P1: the late result is closed; P16: as superfluous.
      if (connect === 'slow') {
        this.connection++;
        this.close('surplus', SLOW);
      }
      this.retry(wait('connect', connect));
    }
    if (connect === 'ok' || usable === 'true') this.fullAt.push(this.freeAt);
    if (usable === 'true') return;
    // isUsable is asked at every borrow, and the first who can borrow comes early, or is waiting.
    const askedAt = Math.max(this.freeAt, CALLERS.early.at);
    this.answers.push(usable);
    this.close('broken', askedAt);
    // P1: lost before its first lease or ping, and within its first second: that counts as a failed connect.
    this.retry(askedAt);
    // P2, ready(): what went straight from connect to its end was never open.
    if (connect !== 'ok') this.fullAt.push(this.freeAt);
  }

  /** P1: after a failure one connect is begun per pause, and each pause is longer than the one before. */
  private retry(failedAt: number): void {
    const pause = PAUSES[this.failures]!;
    this.failures++;
    this.connect(failedAt + pause, 'ok', this.failures + 1);
  }

  private connect(at: number, outcome: Outcome = 'ok', attempt = 1): void {
    this.connects.push({ at, attempt });
    this.hooks.connect.push(outcome);
    if (outcome !== 'ok') return;
    this.connection++;
    this.freeAt = at;
  }

  /** @returns when the close is over; F4: it is given its time, and no more */
  private close(reason: CloseReason, at: number): number {
    const isFirst = this.closes.every((close) => close.reason !== reason);
    const outcome = isFirst ? this.cell.close : 'ok';
    this.closes.push({ connection: this.connection, reason, at });
    this.hooks.close.push(outcome);
    return at + wait('close', outcome);
  }

  /** P1: what has held is replaced at once; P2: as soon as its slot is free, which what is broken leaves at once. */
  private replace(reason: CloseReason, at: number): void {
    const over = this.close(reason, at);
    this.connect(reason === 'broken' ? at : over);
  }

  /** @returns when the work was done */
  private lend(caller: Caller): number {
    const { at, patience = Infinity } = CALLERS[caller];
    // P4: after those who came before.
    const from = Math.max(at, this.freeAt);
    if (from > at + patience) {
      this.callers[caller] = { error: 'ERR_POOL_ACQUIRE_TIMEOUT', cause: this.lastFailure(), at: at + patience };
      return at + patience;
    }
    const until = from + WORKS_FOR;
    this.callers[caller] = { by: this.connection, from, until };
    // isUsable is asked at every borrow and return.
    const answer = caller === 'spoiler' ? this.cell.usable : 'true';
    this.answers.push('true', answer);
    if (answer !== 'true') this.replace('broken', until);
    else if (caller !== 'last') this.reset(until);
    return until;
  }

  /** P15: before the next borrower. It costs the connection if it fails or takes too long. */
  private reset(at: number): void {
    const outcome = this.hooks.reset.length === 0 ? this.cell.reset : 'ok';
    this.hooks.reset.push(outcome);
    this.freeAt = at + wait('reset', outcome);
    if (outcome !== 'ok') this.replace('broken', this.freeAt);
  }

  /** P5: the backend is down, and the cause says why: the connect's own error, its time-out, or the newcomer's loss. */
  private lastFailure(): string {
    const { connect } = this.cell;
    if (connect === 'ok') return 'ConnectionError';
    return connect === 'fails' ? 'Error' : 'ConnectTimeoutError';
  }

  /** Due when the connection was neither used nor pinged for so long; P9: one that fails or times out is a break. */
  private ping(): number {
    const { keepalive } = this.cell;
    const at = this.freeAt + KEEPALIVE;
    this.hooks.keepalive.push(keepalive);
    this.freeAt = at + wait('keepalive', keepalive);
    if (keepalive !== 'ok') this.replace('broken', this.freeAt);
    return at;
  }

  private recycle(): void {
    this.replace('recycled', RECYCLES_AT);
    this.fullAt.push(this.freeAt);
  }

  /** P10: who waits is served, who comes after is not; P15: what is to be closed is not reset before. */
  private end(): number {
    const until = this.lend('last');
    this.callers.belated = { error: 'ERR_POOL_CLOSED', at: Math.max(CLOSES_AT, CALLERS.belated.at) };
    return this.close('shutdown', until);
  }

  private totals(): Account['totals'] {
    const { closes, callers, connection, failures, hooks } = this;
    const closed = { broken: 0, expired: 0, idle: 0, recycled: 0, surplus: 0, shutdown: 0 };
    for (const { reason } of closes) closed[reason]++;
    return {
      acquired: Object.values(callers).filter((fate) => 'by' in fate).length,
      connected: connection,
      connectFailures: failures,
      acquireTimeouts: callers.early !== undefined && 'error' in callers.early ? 1 : 0,
      pings: hooks.keepalive.length,
      closed,
    };
  }

  /** P10: no connection, no timer but the factory's own, behind a close that the pool has ceased to wait for. */
  private left(): Account['left'] {
    const timersAtClose = this.cell.close === 'slow' ? 1 : 0;
    // F2: the listener that stays on for good.
    const listeners = Array.from({ length: this.connection }, () => ['error']);
    return { open: 0, connecting: 0, closing: 0, waiting: 0, timersAtClose, timers: 0, listeners };
  }
}

/** What the contract says that the story must come to. */
export function expected(cell: Cell): Account {
  return new Reckoning(cell).account();
}
