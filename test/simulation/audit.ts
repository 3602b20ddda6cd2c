import type { PoolStats } from '../../src/pool/stats.js';
import type { Account } from './account.js';
import { auditHooks } from './audit-hooks.js';
import { show } from './books.js';
import type { Ledger } from './ledger.js';

/** What callers of ready() and close() wait for. */
export interface Awaited {
  readonly ready: Array<{
    readonly connections: number | undefined;
    readonly signal: AbortSignal | undefined;
    isOver: boolean;
  }>;
  close: Promise<void> | undefined;
  closed: boolean;
}

/** The pool's timers: all, and those that keep the process alive. */
export interface Timers {
  readonly pending: number;
  readonly holding: number;
}

/** Rounding, where times are sums of fractions of milliseconds. */
const SLACK = 0.1;

/** What must hold whenever everything has settled that needs no time, and every timer that is due has fired. */
export function audit(ledger: Ledger, awaited: Awaited, timers: Timers): void {
  const stats = ledger.look('settled');
  auditCounts(ledger, stats);
  auditConnections(ledger, stats);
  auditCallers(ledger, stats, awaited);
  // First, for the others ask it what it knows then.
  ledger.failures.audit(stats);
  auditFilling(ledger, stats, timers);
  auditHooks(ledger);
  auditMemory(ledger, stats);
  auditTimers(ledger, stats, awaited, timers);
}

/** The pool's books and the world's say the same. */
function auditCounts(ledger: Ledger, stats: PoolStats): void {
  const { totals } = stats;
  const accounts = [...ledger.live].filter(({ isLate }) => !isLate);
  const checking = accounts.filter(({ check }) => check !== undefined && ledger.isUnderWay(check)).length;
  const leased = accounts.filter(({ holder }) => holder !== undefined).length;
  const expected = {
    leased,
    checking,
    idle: accounts.length - leased - checking,
    connecting: ledger.dialsInFlight(),
    closing: ledger.partingConnections(),
    waiting: ledger.waiting.size,
    connected: ledger.accounts.length,
    closed: ledger.accounts.length - ledger.live.size,
    acquired: ledger.grants,
    acquireTimeouts: ledger.timeouts,
    pings: ledger.pings,
  };
  if (stats.idle > 0 && stats.open + stats.connecting > ledger.bounds.max) {
    ledger.fault(`${stats.open} are open, and only ${ledger.bounds.max} may be: ${show(stats)}`);
  }
  const closed = Object.values(totals.closed).reduce((sum, count) => sum + count, 0);
  const counted = { ...stats, ...totals, closed };
  for (const [name, value] of Object.entries(expected)) {
    const said = counted[name as keyof typeof expected];
    if (said !== value) ledger.fault(`the pool counts ${said} ${name}, and there are ${value}: ${show(stats)}`);
  }
  const [first] = ledger.waiting;
  const longest = first === undefined ? 0 : ledger.now - first.cameAt;
  if (Math.abs(stats.longestWait - longest) > SLACK) {
    ledger.fault(`the longest wait is ${longest} ms, and the pool says ${stats.longestWait}`);
  }
  // By a method of its own a connection is closed without being told why.
  if (ledger.closedFor.polite > 0) return;
  for (const [reason, count] of Object.entries(totals.closed)) {
    const seen = ledger.closedFor[reason as keyof typeof totals.closed];
    if (seen !== count) ledger.fault(`the pool counts ${count} closed as ${reason}, and there were ${seen}`);
  }
}

function auditConnections(ledger: Ledger, stats: PoolStats): void {
  const { keepalive, maxLifetime, maxUses, leakDetection } = ledger.limits;
  const mustGo = ledger.closing && stats.waiting === 0;
  for (const account of ledger.live) {
    const { id, condemned, check, diedIn, holder } = account;
    if (account.isLate) ledger.fault(`connection ${id} came too late and was never closed`);
    if (check !== undefined && !ledger.isUnderWay(check)) {
      ledger.fault(`connection ${id} is open though its ${check.hook} took too long`);
    }
    if (holder !== undefined) {
      if (ledger.now - holder.servedAt > leakDetection + SLACK) holder.mustBeReported = true;
      continue;
    }
    if (condemned !== undefined) ledger.fault(`connection ${id} is kept though ${condemned.why}`);
    if (diedIn !== undefined) ledger.fault(`connection ${id} is kept though it has died`);
    if (mustGo) ledger.fault(`connection ${id} is kept though the pool closes and nobody waits`);
    if (account.uses >= maxUses) ledger.fault(`connection ${id} is kept though it was used ${account.uses} times`);
    if (!account.isFree) continue;
    if (account.suspectSince !== undefined && account.suspectSince < ledger.turn) {
      ledger.fault(`nobody looked at connection ${id} after a sibling broke`);
    }
    if (account.dial.begunIn < ledger.recycledIn) ledger.fault(`connection ${id} is older than the last recycle()`);
    // P13: what came in the very instant in which a caller's time was up, after a stall say, was in time for him.
    const inTime = account.movedIn === ledger.turn && ledger.timedOutAt.includes(account.arrivedAt);
    if (inTime) {
      ledger.fault(`connection ${id} came free in the instant in which a caller was told that his time was up`);
    }
    const quiet = ledger.now - account.activeAt;
    if (quiet > keepalive + SLACK) ledger.fault(`connection ${id} was not pinged for ${quiet} ms`);
    const age = ledger.now - account.openedAt;
    if (age > maxLifetime + SLACK) ledger.fault(`connection ${id} is ${age} ms old`);
    if (stats.waiting > 0 && quiet < ledger.limits.checkAfterIdle) {
      ledger.fault(`connection ${id} is free, and callers wait: ${show(stats)}`);
    }
  }
}

function auditCallers(ledger: Ledger, stats: PoolStats, awaited: Awaited): void {
  for (const caller of ledger.waiting) {
    if (caller.deadline <= ledger.now) ledger.fault(`${String(caller)} waits though his time is up`);
    if (caller.signal?.aborted === true) ledger.fault(`${String(caller)} waits though his signal was aborted`);
  }
  const { open } = stats;
  for (const { connections, signal, isOver } of awaited.ready) {
    if (!isOver && signal?.aborted === true) ledger.fault('ready() is pending though its signal was aborted');
    if (!isOver && ledger.closing) ledger.fault('ready() is pending though the pool closes');
    if (!isOver && open >= (connections ?? ledger.bounds.min)) {
      ledger.fault(`ready() is pending though ${open} are open`);
    }
  }
  // A connection that comes late meanwhile is awaited too.
  const end = Math.max(ledger.closeDeadline, ledger.lastCloseAt) + ledger.limits.closeTimeout;
  if (ledger.closing && !awaited.closed && ledger.now >= end) {
    ledger.fault(`close() is pending ${ledger.now - ledger.closeDeadline} ms after its deadline: ${show(stats)}`);
  }
}

/** Whatever can be opened now is being opened, or will be after a pause. */
function auditFilling(ledger: Ledger, stats: PoolStats, timers: Timers): void {
  const { connecting, downSince } = stats;
  if (ledger.wanted(stats) <= 0 || connecting >= ledger.limits.maxConnecting) return;
  if (downSince === undefined) {
    ledger.fault(`a connection could be opened, and is not: ${show(stats)}`);
    return;
  }
  if (timers.pending === 0) ledger.fault(`connects fail, and no timer will begin another: ${show(stats)}`);
  const late = ledger.now - ledger.nextDialBy(downSince);
  if (late > SLACK) ledger.fault(`a connect should have been begun ${late} ms ago: ${show(stats)}`);
}

/** P11, and what a closed pool must not leave behind. */
function auditTimers(ledger: Ledger, stats: PoolStats, awaited: Awaited, { pending, holding }: Timers): void {
  const isOwed =
    stats.waiting > 0 || awaited.ready.some(({ isOver }) => !isOver) || (ledger.closing && !awaited.closed);
  if (!isOwed && holding > 0) ledger.fault(`${holding} timers keep the process alive, and nobody waits`);
  if (holding === 0 && needsTime(ledger, stats, awaited)) ledger.fault('the process could end though somebody waits');
  if (!awaited.closed) return;
  // A connection that came late may be closing still.
  if (pending > 0 && ledger.parting.size === 0) ledger.fault(`the pool is closed and has ${pending} timers`);
  const { open, connecting, closing, waiting } = stats;
  if (open + connecting + closing + waiting > 0) ledger.fault(`the pool is closed, and not empty: ${show(stats)}`);
}

/** Somebody waits for what only a timer will bring about, or end. */
function needsTime(ledger: Ledger, stats: PoolStats, awaited: Awaited): boolean {
  if (stats.waiting > 0 && [...ledger.waiting].some(({ deadline }) => deadline < Infinity)) return true;
  const { connectTimeout, closeTimeout } = ledger.limits;
  if (ledger.closing) {
    const leased = stats.leased > 0 && ledger.closeDeadline < Infinity;
    return !awaited.closed && (leased || (stats.closing > 0 && closeTimeout < Infinity));
  }
  if (stats.waiting === 0 && awaited.ready.every(({ isOver }) => isOver)) return false;
  // A connect that hangs, or the pause before the next.
  return stats.connecting > 0 && connectTimeout < Infinity;
}

/** The parts of a pool in which something forgotten would pile up, with no count of its own that tells. */
interface Insides {
  readonly stock: { readonly entries: ReadonlySet<unknown>; readonly held: ReadonlySet<unknown> };
  readonly queue: {
    readonly bySignal: ReadonlyMap<unknown, unknown>;
    readonly otherDeadlines: ReadonlyMap<unknown, unknown>;
  };
}

/** Of what is closed and who has gone the pool remembers nothing. */
function auditMemory(ledger: Ledger, { open, connecting, closing, waiting }: PoolStats): void {
  const { stock, queue } = ledger.pool as unknown as Insides;
  const entries = open + connecting + closing;
  if (stock.entries.size !== entries) {
    ledger.fault(`the pool remembers ${stock.entries.size} connections, and there are ${entries}`);
  }
  const there = ledger.live.size + ledger.closings.size;
  if (stock.held.size > there) ledger.fault(`the pool holds ${stock.held.size} objects, and ${there} are connections`);
  if (Math.max(queue.bySignal.size, queue.otherDeadlines.size) > waiting) {
    ledger.fault(`the pool remembers how long callers would have waited, and ${waiting} wait`);
  }
}

/** What must hold of a connection once the pool is closed and everything late has come. */
export function auditEnd(ledger: Ledger, accounts: readonly Account[]): void {
  for (const account of accounts) {
    if (account.isOpen) ledger.fault(`connection ${account.id} was opened and never closed`);
    if (account.watches !== account.watchesStopped || account.watches > 1) {
      ledger.fault(
        `connection ${account.id} was watched ${account.watches} times, and that was stopped ${account.watchesStopped} times`,
      );
    }
  }
}
