import type { Account, Dial } from './account.js';
import type { Books } from './books.js';
import type { PoolStats } from '../../src/pool/stats.js';

/** A connection whose loss within so many milliseconds, before it has served, counts as a failed connect. */
const PROBATION = 1_000;

/** Rounding, where times are sums of fractions of milliseconds. */
const SLACK = 0.1;

/** A count of which some cases are doubtful: what the pool knew at that moment nobody outside can tell. */
export class Count {
  least = 0;
  most = 0;

  add(isCertain: boolean): void {
    if (isCertain) this.least++;
    this.most++;
  }

  allows(value: number): boolean {
    return this.least <= value && value <= this.most;
  }

  toString(): string {
    return this.least === this.most ? `${this.least}` : `${this.least} to ${this.most}`;
  }
}

/** Connections lost and connects failed, and what follows from them: when connects fail, and when they do no more. */
export class Failures {
  /** Failed connects; a connection lost at once is one. */
  readonly failed = new Count();
  /** Connections lost, as the log tells of them. */
  readonly lost = new Count();
  /** When something last held, and when a connect last failed for certain. */
  private heldAt = -1;
  private failedAt = -1;
  /** When the outage began of which the log tells. */
  private since: number | undefined;
  /** When something last served for certain, and when a connect last failed, perhaps. */
  private servedAt = -1;
  private readonly serving = new Map<Account, number>();
  private doubtedAt = -1;
  /** How many outages had ended when it was last looked at. */
  private backs = 0;
  /** Connects of which it is not known yet what came of them. */
  private readonly open = new Set<Dial>();

  constructor(private readonly ledger: Books) {}

  begun(dial: Dial): void {
    this.open.add(dial);
  }

  /** It is lost, and the pool knows it. */
  mourned(account: Account): void {
    const { turn, now, isInHook } = this.ledger;
    if (account.isMourned || account.isLate) return;
    account.isMourned = true;
    const isCertain = !isInHook && account.openedIn < turn;
    this.lost.add(isCertain);
    if (account.provenIn < turn || now - account.openedAt > PROBATION + SLACK) return;
    // One that has lived out its time has held, whatever became of it in that instant.
    const isYoung = now - account.openedAt < this.ageToHold - SLACK;
    this.count(now, isCertain && account.provenIn > turn && isYoung);
  }

  /** It has completed a lease or a ping, or lived out its time. */
  held(account: Account): void {
    this.heldAt = this.ledger.now;
    account.provenIn = Math.min(account.provenIn, this.ledger.turn);
  }

  /** It has completed a lease or a ping; for certain only if nothing becomes of it before the pool learns of that. */
  served(account: Account): void {
    this.held(account);
    if (!this.ledger.isInHook) this.serving.set(account, this.ledger.now);
  }

  /** When all has settled: what the pool says of failures must be what came of the connects. */
  audit(stats: PoolStats): void {
    const { ledger } = this;
    this.settle();
    const { connectFailures } = stats.totals;
    if (!this.failed.allows(connectFailures)) {
      ledger.fault(`the pool counts ${connectFailures} failed connects, and there were ${String(this.failed)}`);
    }
    if ((stats.lastConnectError === undefined) !== (connectFailures === 0)) {
      ledger.fault(`${connectFailures} connects failed, the last with ${String(stats.lastConnectError)}`);
    }
    this.auditOutage(stats);
  }

  /** Counts the connects whose end is known now, and what has served. */
  private settle(): void {
    for (const [{ wounds }, at] of this.serving) if (wounds.size === 0) this.servedAt = Math.max(this.servedAt, at);
    this.serving.clear();
    for (const dial of this.open) {
      const { signal } = dial.context;
      if (signal.aborted) {
        // Given up; what it does then is of no account.
        const isLate = (signal.reason as { code?: string }).code === 'ERR_POOL_CONNECT_TIMEOUT';
        if (isLate) this.count(dial.at + this.ledger.limits.connectTimeout, true);
      } else if (dial.failed) {
        this.count(dial.endedAt, true);
      } else if (!dial.settled) {
        continue;
      }
      this.open.delete(dial);
    }
  }

  private count(at: number, isCertain: boolean): void {
    this.failed.add(isCertain);
    // What fell due while the event loop stood still is noticed when it goes on.
    this.doubtedAt = Math.max(this.doubtedAt, at, this.ledger.stalledUntil);
    if (isCertain) this.failedAt = Math.max(this.failedAt, at);
  }

  /** The log tells of an outage from its beginning to its end; stats() is silent of it while nothing is amiss. */
  private auditOutage(stats: PoolStats): void {
    const { ledger } = this;
    const { isDown, backs } = ledger.report;
    const { downSince } = stats;
    this.auditEnd(backs);
    if (!isDown) {
      this.since = undefined;
      if (downSince !== undefined) ledger.fault('the pool says that it is down, and the log does not');
      if (!this.hasHeldSince(this.failedAt)) {
        ledger.fault(
          `a connect has failed at ${this.failedAt} ms and nothing has held since, and the pool is not down`,
        );
      }
      return;
    }
    this.since = downSince ?? this.since;
    const { since } = this;
    if (since !== undefined && [...ledger.live].some((account) => this.hasHeld(account, since))) {
      ledger.fault('a connect has held, and the outage is not over');
    }
    this.auditSilence(stats);
  }

  /** Only a connect that was begun in an outage, and has held, ends it. */
  private auditEnd(backs: number): void {
    const { since } = this;
    // Of several that have ended meanwhile not all are known.
    const isKnown = backs === this.backs + 1;
    if (backs !== this.backs) this.since = undefined;
    this.backs = backs;
    if (!isKnown || since === undefined) return;
    const mayHaveHeld = this.ledger.accounts.some(
      ({ dial, openedAt, provenIn }) =>
        dial.at >= since && (provenIn < Infinity || this.ledger.now - openedAt >= this.ageToHold - SLACK),
    );
    if (!mayHaveHeld) this.ledger.fault(`the outage since ${since} ms is over, and no connect has held`);
  }

  private hasHeld(account: Account, since: number): boolean {
    const { turn, now } = this.ledger;
    if (account.dial.at <= since || account.openedIn === turn || account.isLate) return false;
    return account.provenIn < turn || now - account.openedAt > PROBATION + SLACK;
  }

  /** While no connect is wanted and what there is serves, the pool is not down; at any other time of an outage it is. */
  private auditSilence(stats: PoolStats): void {
    const { ledger } = this;
    if (ledger.closing) return;
    const { downSince, connecting } = stats;
    const isWanted = ledger.wanted(stats) > 0;
    if (downSince === undefined) {
      if (connecting > 0 || isWanted || this.heldAt < this.failedAt) {
        ledger.fault('connects fail, and the pool does not say that it is down');
      }
      return;
    }
    const isOnTrial = ({ dial }: Account): boolean => dial.at >= downSince;
    const isContent = connecting === 0 && !isWanted && this.servedAt > Math.max(this.doubtedAt, downSince);
    if (isContent && ![...ledger.live].some(isOnTrial)) {
      ledger.fault('nobody wants a connect, what there is serves, and the pool says that it is down');
    }
  }

  /** Whether anything has served since, or any connection has lived for long enough. */
  private hasHeldSince(time: number): boolean {
    if (this.heldAt >= time) return true;
    const { now, stalledUntil } = this.ledger;
    const age = this.ageToHold;
    return this.ledger.accounts.some(({ openedAt, closedAt }) => {
      const end = openedAt + age;
      if (end > now + SLACK || end > closedAt + SLACK) return false;
      // What fell due while the event loop stood still is noticed when it goes on; the end of a life is drawn by lot.
      return age < PROBATION ? time <= closedAt : time - SLACK <= Math.max(end, stalledUntil);
    });
  }

  /** The age at which a connection may have held without having served: it was on trial, or has lived out its time. */
  private get ageToHold(): number {
    const { limits, bounds } = this.ledger;
    const idle = bounds.min < bounds.max ? limits.idleTimeout : Infinity;
    return Math.min(PROBATION, limits.maxLifetime * 0.75, idle);
  }
}
