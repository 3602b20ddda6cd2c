import { setTimeout as pause } from 'node:timers/promises';
import type { PoolSettings } from '../../src/index.js';
import { until } from '../until.js';
import { WorstDay, type Cast, type Outcome } from './worst-day.js';

/** No call failed, no reply went to another's call, and no connection was left behind. */
export const UNHARMED = { failures: [], swapped: [], left: 0, unclosed: 0 };

/** What can befall any server. */
export interface Fault {
  readonly title: string;
  /** Spends a day on which it does. */
  spend(cast: Cast): Promise<Outcome>;
}

/** A day with a hundred callers, some of whom have been served. */
export async function busyDay(cast: Cast): Promise<WorstDay> {
  const day = await WorstDay.begin(cast);
  await day.full();
  day.load(100);
  await day.answered(500);
  return day;
}

/** A day on which nobody calls any more, after some did. */
async function quietDay(cast: Cast, settings?: PoolSettings): Promise<WorstDay> {
  const day = await WorstDay.begin(cast, settings);
  await day.full();
  // One that has served is replaced at once when it is lost; one that was lost before counts as a failed connect.
  await day.calls(20);
  return day;
}

/** What costs no call: at most it has to wait. */
export const HARMLESS: readonly Fault[] = [
  {
    title: 'kill -9 and a restart: calls are made again, on other connections',
    async spend(cast) {
      await using day = await busyDay(cast);
      await day.survive(async () => {
        await cast.server.kill();
        await day.refused(8);
        await cast.server.restart();
      }, 10);
      await day.answered(500);
      return await day.end();
    },
  },
  {
    title: 'an orderly restart: calls are made again, on other connections',
    async spend(cast) {
      await using day = await busyDay(cast);
      await day.survive(() => cast.server.restart(), 10);
      await day.answered(500);
      return await day.end();
    },
  },
  {
    title: 'sessions ended by the administrator in the middle of their work, again and again: calls are made again',
    async spend(cast) {
      await using day = await busyDay(cast);
      for (let turn = 0; turn < 5; turn++) {
        await day.survive(() => cast.endSessions(), 10);
        await day.answered(200);
      }
      return await day.end();
    },
  },
  {
    // Nothing is broken, as far as anybody can tell, and nobody who calls has set a limit.
    title: 'two seconds in which it stands still: calls wait for them to pass',
    async spend(cast) {
      await using day = await busyDay(cast);
      cast.server.pause();
      await pause(2_000);
      cast.server.resume();
      await day.answered(500);
      await day.until('somebody has waited', () => day.longest > 1_900);
      return await day.end();
    },
  },
  {
    // The pings find it out, and so do the connects that are to make up for what the pings cost; but a call whose request
    // has been sent waits for the reply, and the others for a connection.
    title: 'a standstill that pings and connects have less patience for: calls wait for it to pass',
    async spend(cast) {
      const settings = { keepalive: 200, keepaliveTimeout: 300, connectTimeout: 500 };
      await using day = await WorstDay.begin(cast, settings);
      await day.full();
      day.load(3);
      await day.answered(30);
      await day.survive(async () => {
        cast.server.pause();
        await day.refused(3);
        cast.server.resume();
      }, 5);
      await day.answered(30);
      return await day.end();
    },
  },
  {
    // It is the connects that fail of it, and those the pool makes again: no call gets to know.
    title: 'too many connections, as others have taken every place: calls wait until some go',
    async spend(cast) {
      await using others = await Others.takeAllPlaces(cast);
      await using day = await WorstDay.begin(cast);
      day.load(100);
      await day.refused(8);
      await day.until('the pool says why', () => cast.isTooMany(day.stats.lastConnectError));
      await others.leave(4);
      await day.until('the four places are taken', () => day.stats.open === 4);
      await day.answered(500);
      await day.survive(() => others.leave(), 0);
      await day.answered(500);
      return await day.end();
    },
  },
  {
    title: 'fewer places than the pool wants: calls share what connections there are',
    async spend(cast) {
      await using day = await WorstDay.begin(cast, { size: cast.places + 10 });
      day.load(100);
      await day.until('all places are taken', () => day.stats.open === cast.places);
      await day.refused(3);
      await day.until('the pool says why', () => cast.isTooMany(day.stats.lastConnectError));
      await day.answered(500);
      return await day.end();
    },
  },
];

/** What nobody notices who comes after it. */
export const UNNOTICED: readonly Fault[] = [
  {
    title: 'idle sessions ended by the administrator are replaced while nobody calls',
    async spend(cast) {
      await using day = await quietDay(cast);
      const { acquired } = day.stats.totals;
      await day.survive(() => cast.endSessions(), 10);
      if (day.stats.totals.acquired > acquired) throw new Error('somebody called');
      await day.calls(20);
      return await day.end();
    },
  },
  {
    title: 'idle sessions that died unheard are found out by the check before they are lent',
    async spend({ deafFactory, ...cast }) {
      await using day = await quietDay({ ...cast, deafFactory, factory: deafFactory }, { checkAfterIdle: '100ms' });
      await cast.endSessions();
      await day.until('all are dead', async () => (await cast.connections()) === 0);
      await pause(100);
      if (day.stats.open !== 10) throw new Error('somebody heard of it');
      await day.calls(20);
      return await day.end();
    },
  },
];

/** A standstill that lasts until calls fail that have no patience: `@Retryable({ attemptTimeout: '200ms' })`. */
export async function standStillForHastyCallers(cast: Cast): Promise<Outcome> {
  await using day = await busyDay({ ...cast, service: cast.hastyService });
  cast.server.pause();
  await pause(2_000);
  await day.until('calls fail', () => day.failures.length > 0);
  cast.server.resume();
  await day.full();
  await day.answered(500);
  return await day.end();
}

/** Prints, if FIGURES is set, what a day came to. */
export function show(title: string, { calls, failures, retries, longest, fullAfter, stats }: Outcome): void {
  if (!process.env['FIGURES']) return;
  const { connected, connectFailures } = stats.totals;
  const full = fullAfter.map(Math.round).join(', ') || '-';
  const figures = { calls, failed: failures.length, retries, longest: Math.round(longest), full, connected };
  process.stderr.write(`${title}\n  ${JSON.stringify({ ...figures, connectFailures })}\n`);
}

/** Clients that have nothing to do with the pool, and take all places on the server. */
class Others implements AsyncDisposable {
  private readonly clients: Array<() => unknown> = [];

  static async takeAllPlaces(cast: Cast): Promise<Others> {
    const others = new Others();
    // Whoever was there before may not have gone yet.
    const areTaken = async (): Promise<boolean> => {
      try {
        others.clients.push(await cast.takePlace());
      } catch (error) {
        if (!cast.isTooMany(error)) throw error;
      }
      return others.clients.length === cast.places;
    };
    await until(areTaken, 'all places are taken');
    return others;
  }

  async leave(some = this.clients.length): Promise<void> {
    for (const leave of this.clients.splice(0, some)) await leave();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }
}
