import { receptionOf, tolerateErrors, type StreamLike } from './capabilities.js';
import { DISCARD, KEEPALIVE } from './channels.js';
import { Checkup } from './checkup.js';
import type { Clock } from './clock.js';
import { Closer } from './closer.js';
import { ConnectionError, noteBrokenBy } from './connection-error.js';
import type { CloseReason, ConnectionFactory } from './connection-factory.js';
import { Filler } from './filler.js';
import { IdleQueue } from './idle-queue.js';
import type { PoolLog } from './pool-log.js';
import { Census, isGone, nameOf, State, type PooledConnection } from './pooled-connection.js';
import type { OwnSettings, SizeBounds } from './settings.js';
import type { ConnectionInfo, Totals } from './stats.js';
import { Upkeep } from './upkeep.js';
import type { Judge } from './verdict.js';
import { Watcher } from './watcher.js';

/**
 * How a connection is lost. After a break its idle siblings are suspect; a mishap says nothing of them; and of an end that
 * its own side chose there is no more to say.
 */
type Loss = 'break' | 'mishap' | 'end';

/** What the stock asks of its pool. */
export interface StockHost<C> {
  /** How many callers wait. */
  waiting(): number;
  /** This connection is free and well: somebody's, or idle. */
  offer(entry: PooledConnection<C>): void;
  /** A connection has been opened, or a slot has come free: look what can be done with it. */
  changed(): void;
}

/**
 * A pool's connections: how they come in, are watched, checked, and go. Who gets them is the pool's business.
 *
 * Every hook of the user is a point where everything may have changed, for it may call the pool; so states are changed
 * before a hook is called, and looked at again after it.
 */
export class Stock<C> {
  readonly entries = new Set<PooledConnection<C>>();
  readonly census: Census;
  readonly idle: IdleQueue<C>;
  readonly filler: Filler<C>;
  readonly closer: Closer<C>;
  bounds: SizeBounds;
  /** Whether connections fill the pool up to its size by themselves, or are opened only for those who wait. */
  filling = false;
  /** More connections than the bounds allow, after a resize: those that come free are to go. */
  overfull = false;
  /**
   * Whether there is more to lending a connection, and to taking it back, than whose turn it is: {@link isParticular}, or
   * those that come back may be too many, or the first that do so since connects fail.
   */
  needsCare = false;
  /** isUsable() or a stream is to be asked, something noted or counted, a reset made, or the pool closes. Never less again. */
  private isParticular: boolean;
  /** Whether anything depends on when a connection was used. */
  private mindsUse: boolean;
  private readonly watcher: Watcher<C>;
  private readonly checkup: Checkup<C>;
  private readonly upkeep: Upkeep<C>;
  /** The connections that are held, to tell one that is handed out twice. */
  private readonly held = new Set<unknown>();

  constructor(
    private readonly factory: ConnectionFactory<C>,
    private readonly settings: OwnSettings,
    private readonly clock: Clock,
    private readonly totals: Totals,
    private readonly log: PoolLog,
    private readonly verdicts: Judge,
    private readonly host: StockHost<C>,
  ) {
    this.bounds = settings.size;
    this.idle = new IdleQueue(this.usualOrder());
    this.census = new Census(this.idle);
    this.mindsUse = this.asksForTimes();
    this.closer = new Closer(factory, settings, clock, log);
    this.watcher = new Watcher(factory, (entry, error) => this.told(entry, error));
    const { leakDetection, maxUses } = settings;
    const isTracked = leakDetection < Infinity || maxUses < Infinity;
    this.isParticular = this.watcher.asksFactory || factory.reset !== undefined || isTracked || this.mindsUse;
    this.checkup = new Checkup(factory, settings, clock, {
      ping: {
        passed: (entry) => this.pinged(entry),
        failed: (entry, error) => {
          this.lose(entry, error, 'break');
          this.tellPinged(error);
        },
      },
      reset: {
        passed: (entry) => {
          // A reset is a use as well; were it none, the idle queue would not be in the order of last use.
          if (this.mindsUse) entry.activeAt = this.clock.now();
          this.host.offer(entry);
        },
        failed: (entry, error) => this.lose(entry, error, 'mishap'),
      },
    });
    this.filler = new Filler(factory, settings, clock, this.entries, this.census, totals, log, {
      wanted: () => this.wanted(),
      arrived: (entry, connection) => this.arrived(entry, connection),
      arrivedLate: (connection) => this.arrivedLate(connection),
      vanished: () => this.host.changed(),
      outageChanged: () => this.reviewCare(),
    });
    this.upkeep = new Upkeep(settings, clock, this.entries, {
      ping: (entry) => this.ping(entry),
      retire: (entry, reason) => this.release(entry, reason),
      isElastic: () => this.isElastic,
      mayShrink: () => this.census.live > this.bounds.min,
    });
    this.reviewCare();
  }

  /** Whether the connection can be lent. */
  isUsable(entry: PooledConnection<C>): boolean {
    return this.watcher.isUsable(entry);
  }

  /** Nobody wants it now. */
  toIdle(entry: PooledConnection<C>): void {
    this.census.move(entry, State.idle);
    if (entry.isStream) this.noteReception(entry);
    this.idle.push(entry);
  }

  /** The same, of one that comes from a lease and needs no care. */
  rest(entry: PooledConnection<C>): void {
    this.census.rest(entry);
    this.idle.push(entry);
  }

  /** Bytes that lay there unread before a ping still do after it; those of its reply were asked for. */
  private noteReception(entry: PooledConnection<C>): void {
    const { unread, received } = receptionOf(entry.connection as StreamLike);
    entry.reception = { unread: Math.min(unread, entry.reception?.unread ?? Infinity), received };
  }

  /** Pings an idle connection. */
  ping(entry: PooledConnection<C>): void {
    this.idle.remove(entry);
    this.census.move(entry, State.checking);
    this.totals.pings++;
    this.upkeep.spread(entry);
    this.checkup.ping(entry);
  }

  private pinged(entry: PooledConnection<C>): void {
    entry.activeAt = this.clock.now();
    this.served(entry);
    this.host.offer(entry);
    this.tellPinged(undefined);
  }

  private tellPinged(error: unknown): void {
    const { name, id } = this.settings;
    if (KEEPALIVE.hasSubscribers) KEEPALIVE.publish({ pool: name, poolId: id, error });
  }

  /** Resets a connection that comes back from a lease. */
  reset(entry: PooledConnection<C>): void {
    this.census.move(entry, State.checking);
    this.checkup.reset(entry);
  }

  /** It has completed a lease or a ping. */
  served(entry: PooledConnection<C>): void {
    this.prove(entry);
    this.filler.served();
  }

  /** It has held. */
  private prove(entry: PooledConnection<C>): void {
    if (!entry.proven) this.filler.proved(entry);
  }

  /** It is broken: away with it. */
  lose(entry: PooledConnection<C>, error: unknown, kind: Loss): void {
    if (kind !== 'end') noteBrokenBy(error);
    // Doomed as broken it has been mourned already: its death was told inside its own isUsable().
    if (entry.doom !== 'broken') this.mourn(entry, error, kind);
    this.part(entry, 'broken');
    if (kind === 'break') this.suspectSiblings();
    this.host.changed();
  }

  /** It says itself that it cannot be lent. @param error what its last work failed with, if it did */
  loseUnusable(entry: PooledConnection<C>, error?: unknown): void {
    noteBrokenBy(error);
    if (isGone(entry)) return;
    const asksFactory = this.factory.isUsable !== undefined;
    const why = asksFactory ? "its factory's isUsable() says so" : 'it ended, or got bytes that nobody had asked for';
    this.lose(entry, new ConnectionError(`The connection is no longer usable: ${why}`), 'mishap');
  }

  /** A lease of it has ended well. */
  used(entry: PooledConnection<C>): void {
    this.served(entry);
    if (!this.mindsUse) return;
    entry.leasedAt = this.clock.now();
    entry.activeAt = entry.leasedAt;
  }

  /** Closes it. Nobody may hold it any more, or nobody is allowed to. */
  part(entry: PooledConnection<C>, reason: CloseReason): void {
    if (entry.state === State.idle) this.idle.remove(entry);
    this.census.move(entry, State.closing);
    entry.pending?.giveUp(new ConnectionError(`Pool "${this.settings.name}" closes this connection (${reason})`));
    this.watcher.stop(entry);
    this.totals.closed[reason]++;
    this.closer.close(entry.connection, reason, () => {
      // Not before: an object that comes back while it is being closed would be closed in its new borrower's hands.
      this.held.delete(entry.connection);
      if (reason !== 'broken') this.forget(entry);
      this.host.changed();
    });
    // Nobody waits for the farewell of a broken one; its slot is free as soon as its close has been called.
    if (reason === 'broken') this.forget(entry);
    if (this.overfull) this.lookWhetherOverfull();
    this.tellDiscarded(reason, entry.cause);
  }

  private tellDiscarded(reason: CloseReason, error: unknown): void {
    const { name, id } = this.settings;
    if (DISCARD.hasSubscribers) DISCARD.publish({ pool: name, poolId: id, reason, error });
  }

  /** Closes it for what it is doomed to, or else for this reason. */
  retire(entry: PooledConnection<C>, otherwise: CloseReason): void {
    this.part(entry, entry.doom ?? otherwise);
    this.host.changed();
  }

  /** An idle one has lived out its time. It has held, and while it parts there may be room for another. */
  private release(entry: PooledConnection<C>, reason: CloseReason): void {
    this.prove(entry);
    // What that began may have called the pool.
    if (entry.state === State.idle) this.retire(entry, reason);
  }

  /** Closes what the new bounds have no room for: connects in flight first, then idle ones; leased ones on return. */
  resize(bounds: SizeBounds): void {
    const wasElastic = this.isElastic;
    this.bounds = bounds;
    // What it was used for before was not noted: its idle time begins now.
    if (this.isElastic && !wasElastic) for (const entry of this.entries) entry.leasedAt = this.clock.now();
    this.idle.order = this.usualOrder();
    this.mindsUse = this.asksForTimes();
    this.isParticular ||= this.mindsUse;
    this.reviewCare();
    this.filler.abandon(this.census.live - bounds.max, () => new ConnectionError('The pool was resized to less'));
    while (this.idle.oldest !== undefined && this.isTooMany()) this.part(this.idle.oldest, 'surplus');
    this.lookWhetherOverfull();
    this.upkeep.review();
  }

  /** Replaces all: idle ones now, those in use and in flight as soon as they are free. */
  recycle(): void {
    for (const entry of [...this.entries]) {
      if (entry.state === State.idle) this.part(entry, 'recycled');
      else entry.doom ??= 'recycled';
    }
  }

  /** No more connections but for those who wait, and no upkeep. Idle ones go. */
  wind(): void {
    this.filling = false;
    this.becomeParticular();
    this.upkeep.stop();
    while (this.idle.oldest !== undefined) this.part(this.idle.oldest, 'shutdown');
  }

  /** Nobody waits any more: gives up connects, and closes what is being checked. */
  abandon(reason: () => unknown): void {
    this.filler.abandon(this.census.connecting, reason);
    if (this.census.checking > 0) this.closeAll(State.checking);
  }

  closeAll(state: State): void {
    for (const entry of [...this.entries]) {
      if (entry.state === state) this.part(entry, 'shutdown');
    }
  }

  inspect(): ConnectionInfo[] {
    const now = this.clock.now();
    return Array.from(this.entries, ({ number, state, connectedAt, uses, doom }) => ({
      number,
      state: nameOf(state) as ConnectionInfo['state'],
      age: state === State.connecting ? 0 : now - connectedAt,
      uses,
      doom,
    }));
  }

  setVital(vital: boolean): void {
    this.filler.setVital(vital);
    this.checkup.setVital(vital);
    this.closer.setVital(vital);
  }

  stop(): void {
    this.upkeep.stop();
    this.filler.stop();
    this.checkup.stop();
    this.closer.stop();
  }

  /** A pool that is to shrink must leave some connections alone. */
  private usualOrder(): 'fifo' | 'lifo' {
    return this.settings.order ?? (this.isElastic ? 'lifo' : 'fifo');
  }

  private asksForTimes(): boolean {
    const { keepalive, checkAfterIdle, idleTimeout } = this.settings;
    const shrinks = this.isElastic && idleTimeout < Infinity;
    return keepalive < Infinity || checkAfterIdle < Infinity || shrinks || this.idle.order === 'lifo';
  }

  /** Whether there may be more connections. */
  get hasRoom(): boolean {
    return this.census.total < this.bounds.max;
  }

  private becomeParticular(): void {
    this.isParticular = true;
    this.reviewCare();
  }

  private lookWhetherOverfull(): void {
    this.overfull = this.isTooMany();
    this.reviewCare();
  }

  private reviewCare(): void {
    this.needsCare = this.isParticular || this.overfull || this.filler.failingSince !== undefined;
  }

  private isTooMany(): boolean {
    return this.census.live > this.bounds.max;
  }

  private get isElastic(): boolean {
    return this.bounds.min < this.bounds.max;
  }

  private wanted(): number {
    const { census, bounds } = this;
    const room = bounds.max - census.total;
    const missing = this.filling ? bounds.min - census.live : 0;
    const demand = this.host.waiting() - census.idle - census.checking - census.connecting;
    return Math.min(room, Math.max(missing, demand));
  }

  private arrived(entry: PooledConnection<C>, connection: C): void {
    entry.pending = undefined;
    const fault = this.unfit(connection);
    if (fault !== undefined) {
      this.filler.reject(entry, new ConnectionError(`Pool "${this.settings.name}": ${fault}`));
      return;
    }
    this.take(entry, connection);
    if (entry.doom === undefined) this.watcher.watch(entry);
    if (entry.isStream) this.becomeParticular();
    if (entry.doom !== undefined) {
      this.retire(entry, 'broken');
      return;
    }
    this.filler.opened(entry);
    this.upkeep.enter(entry);
    this.host.offer(entry);
    // While connects fail, one that holds ends that. A ping tells at once; idleness only after a while.
    const isAwaited = entry.state === State.idle && this.filler.isOnProbation(entry);
    if (isAwaited && this.factory.keepalive !== undefined) this.ping(entry);
    this.host.changed();
  }

  /** Why this cannot be a connection of the pool, if it cannot. */
  private unfit(connection: C): string | undefined {
    if (connection === null || connection === undefined) {
      return `connect() yielded ${String(connection)}; it must yield the connection, or throw`;
    }
    if (this.held.has(connection)) {
      return 'connect() yielded an object that this pool already holds; it must open a new connection each time';
    }
    return undefined;
  }

  private take(entry: PooledConnection<C>, connection: C): void {
    tolerateErrors(connection);
    entry.connection = connection;
    this.hold(connection);
    this.totals.connected++;
    const now = this.clock.now();
    entry.connectedAt = now;
    entry.activeAt = now;
    entry.leasedAt = now;
  }

  private hold(connection: C): void {
    if (typeof connection === 'object' || typeof connection === 'function') this.held.add(connection);
  }

  private arrivedLate(connection: C): void {
    // Not ours to close if it is none, or if another connect has brought it too.
    if (this.unfit(connection) !== undefined) return;
    tolerateErrors(connection);
    this.hold(connection);
    this.totals.connected++;
    this.totals.closed.surplus++;
    this.closer.close(connection, 'surplus', () => {
      this.held.delete(connection);
      this.host.changed();
    });
    this.tellDiscarded('surplus', undefined);
  }

  /** A death told by watch. Whoever holds the connection may finish; nobody gets it after. */
  private told(entry: PooledConnection<C>, error: unknown): void {
    const kind = this.verdicts.wasGivenUp(error) ? 'end' : 'break';
    if (entry.state === State.idle || entry.state === State.checking) {
      this.lose(entry, error, kind);
    } else if (entry.state === State.leased || entry.state === State.connecting) {
      if (entry.doom === 'broken') return;
      entry.doom = 'broken';
      this.mourn(entry, error, kind);
      if (kind !== 'end') this.suspectSiblings();
      this.host.changed();
    }
  }

  private mourn(entry: PooledConnection<C>, error: unknown, kind: Loss): void {
    entry.cause = error;
    if (kind !== 'end') this.log.connectionLost(error);
    // What ends by what its borrower did with it was there to be used.
    else if (entry.state === State.leased) return;
    if (this.filler.isUnproven(entry)) this.filler.kicked(error ?? new ConnectionError('The other side closed it'));
  }

  /** What broke one connection may have broken its idle siblings: a restart, a failover, a cut network. */
  private suspectSiblings(): void {
    const { siblingsOnBreak } = this.settings;
    if (siblingsOnBreak === 'keep') return;
    const canPing = siblingsOnBreak === 'check' && this.factory.keepalive !== undefined;
    for (const sibling of [...this.idle]) {
      if (sibling.state !== State.idle) continue;
      if (canPing) this.ping(sibling);
      else if (siblingsOnBreak === 'recycle' || !sibling.watched) this.part(sibling, 'recycled');
    }
  }

  private forget(entry: PooledConnection<C>): void {
    this.census.move(entry, State.closed);
    this.entries.delete(entry);
  }
}
