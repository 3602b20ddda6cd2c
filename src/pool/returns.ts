import { noteBrokenBy } from './connection-error.js';
import type { LeakWatch } from './leak-watch.js';
import type { Outcome } from './lease.js';
import { isGone, State, type PooledConnection } from './pooled-connection.js';
import type { Stock } from './stock.js';
import type { Judge } from './verdict.js';

/** What returns ask of their pool. */
export interface ReturnsHost<C> {
  /** Whether anybody waits. */
  isAwaited(): boolean;
  /** Whether the pool is closed, or about to be. */
  isClosing(): boolean;
  /** Gives the connection to whoever has waited longest. */
  hand(entry: PooledConnection<C>): void;
  /** A slot has come free. */
  changed(): void;
}

/** What becomes of a connection that comes free, where that takes more than a look at who waits. */
export class Returns<C> {
  /** @param resets whether a connection is reset before its next borrower gets it */
  constructor(
    private readonly stock: Stock<C>,
    private readonly verdicts: Judge,
    private readonly leaks: LeakWatch<C> | undefined,
    private readonly resets: boolean,
    private readonly host: ReturnsHost<C>,
  ) {}

  /** A lease has ended well. */
  receive(entry: PooledConnection<C>): void {
    // The pool may have been closed, and the connection with it.
    if (entry.state !== State.leased) return;
    this.leaks?.returned(entry);
    if (entry.doom === 'broken') this.layToRest(entry);
    else if (this.stock.isUsable(entry)) this.keep(entry);
    else this.stock.loseUnusable(entry);
  }

  /** A lease has ended, and not well, or not for certain. */
  judge(entry: PooledConnection<C>, outcome: Outcome, error: unknown, signal: AbortSignal | undefined): void {
    const verdict = this.verdicts.verdict(outcome, error, signal);
    const wasGivenUp = verdict !== 'broken' && this.wasGivenUp(entry);
    // Likewise; and the user's own predicates may have done it just now.
    if (entry.state !== State.leased) return;
    const { stock } = this;
    this.leaks?.returned(entry);
    if (wasGivenUp && verdict === 'intact') this.layToRest(entry);
    else if (entry.doom === 'broken') this.bury(entry, wasGivenUp ? undefined : error);
    else if (verdict === 'broken') stock.lose(entry, error, 'break');
    else if (verdict === 'unsure') this.bury(entry, undefined);
    else if (stock.isUsable(entry)) this.keep(entry);
    else stock.loseUnusable(entry, error);
  }

  /** A connection that is free and well goes to whoever has waited longest, or becomes idle. */
  offer(entry: PooledConnection<C>): void {
    const { stock, host } = this;
    if (entry.state !== State.leased && !this.isStillWell(entry)) return;
    if (this.mustGo(entry)) stock.retire(entry, stock.overfull ? 'surplus' : 'shutdown');
    else if (host.isAwaited()) host.hand(entry);
    else stock.toIdle(entry);
  }

  /** Closes a connection that is known to be dead or that nobody may trust, which is no news of its siblings. */
  bury(entry: PooledConnection<C>, error: unknown): void {
    noteBrokenBy(error);
    this.stock.part(entry, 'broken');
    this.host.changed();
  }

  /** It died meanwhile. If that was by its own side's choice, its lease is as good a proof as any that connects hold. */
  private layToRest(entry: PooledConnection<C>): void {
    if (this.wasGivenUp(entry)) this.stock.used(entry);
    // What that did may have closed the pool.
    if (entry.state === State.leased) this.bury(entry, undefined);
  }

  /** It comes from a lease, and is well. */
  private keep(entry: PooledConnection<C>): void {
    const { stock } = this;
    stock.used(entry);
    // What that did may have called the pool, so offer() looks once more.
    if (this.resets && !this.mustGo(entry)) stock.reset(entry);
    else this.offer(entry);
  }

  /** Whether it died meanwhile by its own side's choice, of which an error of the work says nothing. */
  private wasGivenUp({ doom, cause }: PooledConnection<C>): boolean {
    return doom === 'broken' && this.verdicts.wasGivenUp(cause);
  }

  private mustGo(entry: PooledConnection<C>): boolean {
    const { stock, host } = this;
    return entry.doom !== undefined || stock.overfull || (host.isClosing() && !host.isAwaited());
  }

  /** Of one that does not come from a lease, which has just been asked. */
  private isStillWell(entry: PooledConnection<C>): boolean {
    // A hook that was called meanwhile may have closed the pool.
    if (isGone(entry)) return false;
    if (!this.host.isAwaited() || this.stock.isUsable(entry)) return true;
    this.stock.loseUnusable(entry);
    return false;
  }
}
