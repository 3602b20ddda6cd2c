import { getEventListeners } from 'node:events';
import type { Awaited } from './audit.js';
import type { Ledger } from './ledger.js';
import { isUntold, whyNotGivenUp } from './reasons.js';

/** What the hooks, the log and the callers' signals must have been told once all has settled. */
export function auditHooks(ledger: Ledger): void {
  auditSignals(ledger);
  auditCloses(ledger);
  auditLog(ledger);
}

/** What was given up knows of it, and nothing is given up without a reason. */
function auditSignals(ledger: Ledger): void {
  for (const check of ledger.cutOff) {
    if (isUntold(check)) ledger.fault(`a connection was closed, and its ${check.hook} goes on without knowing`);
  }
  ledger.cutOff.length = 0;
  for (const dial of ledger.dialling) {
    const { aborted } = dial.context.signal;
    const isLate = ledger.isPast(dial.at, ledger.limits.connectTimeout);
    if (isLate && !aborted) ledger.fault(`the connect of ${dial.at} ms took too long, and does not know`);
    if (!aborted || dial.isGivenUp) continue;
    dial.isGivenUp = true;
    const wrong = whyNotGivenUp(ledger, dial);
    if (wrong !== undefined) ledger.fault(`the connect of ${dial.at} ms was given up, but ${wrong}`);
  }
  ledger.mayGiveUp = 0;
}

/** F4: a close that takes too long is at an end all the same; what has a destroy() is destroyed. */
function auditCloses(ledger: Ledger): void {
  for (const account of ledger.closings) {
    // Those that were begun later have more time.
    if (!ledger.isPast(account.closedAt, ledger.limits.closeTimeout)) break;
    ledger.closings.delete(account);
    ledger.slowCloses.add(true);
    if (ledger.limits.canBeDestroyed) ledger.fault(`connection ${account.id} took too long to close, and lives`);
  }
}

function auditLog(ledger: Ledger): void {
  const { report, failures } = ledger;
  if (!failures.lost.allows(report.lost)) {
    ledger.fault(`the log tells of ${report.lost} lost connections, and there were ${String(failures.lost)}`);
  }
  if (!ledger.forced.allows(report.forced)) {
    ledger.fault(`the log tells of ${report.forced} leases that were cut off, and there were ${String(ledger.forced)}`);
  }
  if (!ledger.slowCloses.allows(report.slowCloses)) {
    ledger.fault(
      `the log tells of ${report.slowCloses} closes that took too long, and there were ${String(ledger.slowCloses)}`,
    );
  }
  const { leakDetection } = ledger.limits;
  if (leakDetection === Infinity) return;
  const leaked = ledger.callers.filter(({ mustBeReported }) => mustBeReported).length;
  const held = ledger.callers.filter((caller) => {
    const until = Math.min(caller.returnedAt, caller.account?.closedAt ?? Infinity, ledger.now);
    return until - caller.servedAt >= leakDetection - 0.1;
  }).length;
  if (report.leaks < leaked || report.leaks > held) {
    ledger.fault(`the log tells of ${report.leaks} leaks, and there were ${leaked} to ${held}`);
  }
}

/** P6: a signal that nobody waits with has no listener of the pool's, and one that many wait with has one for all. */
export function auditListeners(ledger: Ledger, awaited: Awaited, signals: readonly AbortSignal[]): void {
  for (const signal of signals) {
    const waiters = [...ledger.waiting].some((caller) => caller.signal === signal) ? 1 : 0;
    const readies = awaited.ready.filter((one) => !one.isOver && one.signal === signal).length;
    const listeners = getEventListeners(signal, 'abort').length;
    if (listeners !== waiters + readies) {
      ledger.fault(`a signal has ${listeners} listeners, and ${waiters + readies} are needed`);
    }
  }
}
