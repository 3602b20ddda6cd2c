import type { Account } from './account.js';
import type { Caller } from './caller.js';
import type { Ledger } from './ledger.js';

/**
 * Whether a caller may be given a connection, at this time and before all others.
 *
 * @param waitingBefore how many waited when the caller came, if he was served before he could wait
 */
export function auditLending(
  ledger: Ledger,
  caller: Caller,
  account: Account,
  waitingBefore: number | undefined,
): void {
  const { now, turn, limits } = ledger;
  const fault = (what: string): void => ledger.fault(`${String(caller)} was given connection ${account.id}, ${what}`);
  if (caller.state !== 'waiting') fault(`but had been ${caller.state}`);
  if (caller.isGone) fault('but had gone before he came');
  if (account.holder !== undefined) fault(`which ${String(account.holder)} holds`);
  // Whoever is served at once gets it from the pool's own hands; others learn of it only later.
  const isAtOnce = waitingBefore !== undefined;
  if (!account.isOpen && (isAtOnce || account.closedIn < turn)) fault(`which was closed (${account.closedFor})`);
  if (account.check !== undefined && ledger.isUnderWay(account.check)) fault(`during its ${account.check.hook}`);
  if (account.condemned !== undefined && account.condemned.turn < turn) fault(`though ${account.condemned.why}`);
  if (account.diedIn !== undefined && account.diedIn < turn) fault('which was dead');
  if (account.suspectSince !== undefined && account.suspectSince < turn) {
    fault('which nobody looked at after a sibling broke');
  }
  if (limits.canTell && account.isUnusable && account.answerIn < turn) fault('which said that it is unusable');
  // A lease is lent and looked at in one turn.
  if (limits.hasIsUsable && account.askedIn !== turn) fault('which was not asked whether it is usable');
  if (limits.hasReset && account.dirty) fault('which nobody had reset');
  if (account.uses >= limits.maxUses) fault(`which had been used ${account.uses} times`);
  const idleFor = now - account.activeAt;
  if (idleFor > 0 && idleFor >= limits.checkAfterIdle) fault(`which nobody had looked at for ${idleFor} ms`);
  auditQueue(ledger, caller, waitingBefore);
  if (waitingBefore !== undefined) auditIdle(ledger, account, fault);
}

/** Callers are served in the order in which they came. */
function auditQueue(ledger: Ledger, caller: Caller, waitingBefore: number | undefined): void {
  if (waitingBefore !== undefined) {
    if (waitingBefore > 0) ledger.fault(`${String(caller)} was served at once though ${waitingBefore} waited`);
    return;
  }
  for (const other of ledger.waiting) {
    if (other.number >= caller.number) break;
    if (!caller.cameBesides(other) && other.isAhead(ledger.now)) {
      ledger.fault(`${String(caller)} was served before ${String(other)}`);
    }
  }
}

/** Of the idle connections the one that is lent is the last used, or the one that was neither used nor pinged for longest. */
function auditIdle(ledger: Ledger, account: Account, fault: (what: string) => void): void {
  const { limits, bounds } = ledger;
  // What became idle under another order keeps its place, and a hook may have moved anything.
  if (ledger.isInHook || !isSettled(ledger, account)) return;
  // Others may be lent already, and their borrowers do not know yet.
  const free = [...ledger.live].filter((each) => each.isFree && !each.isLate).length;
  if (free !== ledger.pool.stats().idle + 1) return;
  const order = limits.order ?? (bounds.min < bounds.max ? 'lifo' : 'fifo');
  for (const other of ledger.live) {
    if (other === account || !isLendable(ledger, other) || !isSettled(ledger, other)) continue;
    const isFirst = order === 'lifo' ? other.leasedAt > account.leasedAt : other.activeAt < account.activeAt;
    // Where the longest idle ones need a check, the last used goes first: it is the one that needs none for sure.
    const isSure = order === 'lifo' || limits.checkAfterIdle === Infinity;
    if (isFirst && isSure) fault(`though by ${order} it is the turn of connection ${other.id}`);
  }
}

function isSettled(ledger: Ledger, { movedIn }: Account): boolean {
  return movedIn < ledger.turn && movedIn > ledger.resizedIn;
}

/** Free since before this turn, and as far as anybody outside can tell well. */
export function isLendable(ledger: Ledger, account: Account): boolean {
  const { turn, now, limits } = ledger;
  return (
    account.isFree &&
    !account.isLate &&
    account.movedIn < turn &&
    account.diedIn === undefined &&
    account.condemned === undefined &&
    account.suspectSince === undefined &&
    !account.isUnusable &&
    account.answerCalls === undefined &&
    now - account.activeAt < limits.checkAfterIdle
  );
}

/** Of one that has just come free: whether the pool has no reason to close it instead. */
export function couldServe(ledger: Ledger, account: Account): boolean {
  const { condemned, diedIn, dial, uses, openedAt, watch, answerCalls, isUnusable, isOpen, isLate } = account;
  const { maxUses, maxLifetime } = ledger.limits;
  const isWell = isOpen && !isLate && condemned === undefined && diedIn === undefined && !isUnusable;
  const isPlain = watch === undefined && answerCalls === undefined && ledger.openConnections() <= ledger.bounds.max;
  const isYoung = uses < maxUses && ledger.now - openedAt < maxLifetime * 0.75;
  return isWell && isPlain && isYoung && dial.begunIn > ledger.recycledIn && !ledger.closing;
}
