import process from 'node:process';
import { auditEnd } from './audit.js';
import { TellingConnection } from './connections.js';
import { show } from './books.js';
import type { Ledger } from './ledger.js';
import type { Programme } from './programme.js';
import { perform } from './steps.js';
import { World } from './world.js';

/** What came of a programme. */
export interface Outcome {
  /** What was wrong, in the order in which it was seen; none: the pool kept its promises. */
  readonly faults: readonly string[];
  /** After which step that was; the length of the programme if it was at the end. */
  readonly step: number;
  /** How often everything was looked at. */
  readonly looks: number;
}

/** Runs a programme: its steps, then a backend that is well again, then the end of the pool. */
export async function run(programme: Programme): Promise<Outcome> {
  const stray: unknown[] = [];
  const onStray = (error: unknown): void => void stray.push(error);
  process.on('unhandledRejection', onStray);
  let world: World | undefined;
  let step = 0;
  const faults: string[] = [];
  try {
    world = new World(programme);
    const { ledger } = world;
    for (; step < programme.steps.length && ledger.faults.length === 0; step++) {
      // What takes no time is done in the same promise job as the step before it.
      const done = perform(world, programme.steps[step]!);
      if (done !== undefined) await done;
      ledger.look('after the step');
    }
    if (ledger.faults.length === 0) await recover(world);
    if (ledger.faults.length === 0) await finish(world);
  } catch (error) {
    faults.push(`something was thrown at nobody: ${(error as Error).stack ?? String(error)}`);
  }
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', onStray);
  faults.push(
    ...(world?.ledger.faults ?? []),
    ...stray.map((error) => `a rejection was never handled: ${String(error)}`),
  );
  return { faults, step, looks: world?.ledger.looks ?? 0 };
}

/** Longer than anything that the pool may still be waiting for, once the backend is well. */
function patience({ limits }: Ledger): number {
  const { connectTimeout, keepaliveTimeout, resetTimeout, closeTimeout, reconnect } = limits;
  // What may take for ever has been ended.
  const times = [connectTimeout, keepaliveTimeout, resetTimeout, closeTimeout].filter((time) => time < Infinity);
  return times.reduce((sum, time) => sum + time, 2 * reconnect.maxDelay + 1_500);
}

/** The backend is well again, and everybody gives back what he holds: the pool must be full, and serve. */
async function recover(world: World): Promise<void> {
  const { ledger, backend, pool } = world;
  await world.advance(0);
  backend.heal();
  world.callers.releaseAll();
  if (ledger.closing) return;
  world.ready({});
  for (let round = 0; round < 2; round++) await world.advance(patience(ledger));
  // Each who is served gives back at once, so that the next is.
  for (let round = 0; round < ledger.callers.length && pool.stats().waiting > 0; round++) {
    world.callers.releaseAll();
    await world.advance(250);
  }
  world.callers.releaseAll();
  await world.advance(patience(ledger));
  // A hook of before may have closed it.
  if (ledger.closing) return;
  const { min, max } = ledger.bounds;
  const stats = pool.stats();
  if (stats.open < min) ledger.fault(`all is well, and only ${stats.open} of ${min} are open`);
  // A pool that need not be full, or that was resized to less, may have had no reason to connect again.
  const mustKnow =
    ledger.resizedAt < 0 && ledger.hogs === 0 && stats.connecting + stats.waiting === 0 && stats.open === min;
  if (mustKnow && min === max && stats.downSince !== undefined) {
    ledger.fault(`all is well, and the pool says that it is down`);
  }
  const hasShrunk = ledger.limits.idleTimeout * 2 > patience(ledger) || stats.idle === 0 || stats.open <= min;
  if (!hasShrunk) ledger.fault(`nobody comes, and ${stats.open} are open, though ${min} would do: ${show(stats)}`);
  // Work without an end may hold all that there are.
  if (ledger.hogs >= max) return;
  // Nor can anybody be served who has to wait for a connect or a check, where nobody may.
  if (ledger.limits.maxWaiting === 0) return;
  if (stats.waiting > 0) ledger.fault(`all is well, and ${stats.waiting} callers wait`);
  world.callers.use({ work: 'value', takes: 0, failure: 'plain', midway: undefined }, { timeout: patience(ledger) });
  await world.advance(patience(ledger));
  if (ledger.callers.at(-1)!.state !== 'served') ledger.fault('all is well, and a caller was not served');
  const { downSince } = pool.stats();
  if (downSince !== undefined) ledger.fault(`all is well, and the pool says that it is down since ${downSince}`);
}

/** The end of the pool: everything is closed once, nobody is forgotten, nothing is left. */
async function finish(world: World): Promise<void> {
  const { ledger, pool, awaited } = world;
  // Work without an end may hold connections for as long as they are awaited.
  world.close(ledger.limits.shutdownTimeout === Infinity ? 50 : undefined);
  await world.advance(Math.max(0, ledger.closeDeadline - ledger.now) + patience(ledger));
  await world.advance(patience(ledger));
  if (!awaited.closed) ledger.fault('the pool does not close');
  // Connects that ignored their signal come late; those that hang never do.
  for (let round = 0; round < 20 && world.ownTimers > 0; round++) await world.advance(patience(ledger));
  auditEnd(ledger, ledger.accounts);
  for (const caller of ledger.waiting) ledger.fault(`${String(caller)} was forgotten`);
  for (const { connection } of ledger.accounts) {
    if (!(connection instanceof TellingConnection)) continue;
    const left = ['error', 'end', 'close'].map((event) => connection.listenerCount(event));
    if (String(left) !== '1,0,0') {
      ledger.fault(`connection ${connection.id} has ${String(left)} listeners of error, end, close`);
    }
  }
  for (const [what, ask] of Object.entries({
    acquire: () => pool.acquire(),
    ready: () => pool.ready(),
    tryAcquire: async () => pool.tryAcquire(),
  })) {
    const code = await ask().then(
      () => 'a connection',
      (error: unknown) => (error as { code?: string }).code,
    );
    if (code !== 'ERR_POOL_CLOSED') ledger.fault(`a closed pool answers ${what} with ${code}`);
  }
}
