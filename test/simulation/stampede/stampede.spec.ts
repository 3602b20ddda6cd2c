import { beforeAll, describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { plot } from './plot.js';
import { attemptsPer, OUTAGE, peak, PROCESSES, RUNS, SIZE, slowestLogin, stampede, type Stampede } from './stampede.js';

const ALL = PROCESSES * SIZE;
const SECOND = 1_000;
/** The defaults that bound a stampede. */
const MAX_CONNECTING = 5;
const FIRST_PAUSE = 100;
const LONGEST_PAUSE = 30_000;

let defaults: Stampede;
let unbounded: Stampede;
beforeAll(async () => {
  defaults = await stampede(RUNS.defaults);
  unbounded = await stampede(RUNS.unbounded);
});

/** When one process began its connects, in milliseconds since the backend died. */
const timesOf = (run: Stampede, process: number): number[] =>
  run.attempts.filter((attempt) => attempt.process === process).map(({ at }) => at);

const processes = Array.from({ length: PROCESSES }, (_, process) => process);
const during = (times: number[]): number[] => times.filter((at) => at < OUTAGE);

/** The longest that each pause may be, the first one first. */
const ceiling = (pause: number): number => Math.min(FIRST_PAUSE * 2 ** pause, LONGEST_PAUSE);

describe('a stampede: 100 processes lose 20 connections each at once, and their backend for a minute', () => {
  // Not only the numbers that the plot shows: they must not be luck.
  const seeds = Array.from({ length: 5 }, (_, index) => index + 1);

  test.each(seeds)('nothing is lost: every pool is full again and at rest (seed %i)', async (seed) => {
    const run = await stampede(RUNS.defaults, seed);
    expect(run.sessions).toBe(ALL);
    for (const stats of run.stats) {
      expect(stats).toMatchObject({ idle: SIZE, connecting: 0, closing: 0, waiting: 0, downSince: undefined });
      expect(stats.totals.connected - stats.totals.closed.broken).toBe(SIZE);
    }
    // Each process that looks once a pause sees the return within the longest of them; then it fills, 5 at a time.
    expect(run.fullAt - OUTAGE).toBeLessThan(LONGEST_PAUSE + 3 * SECOND);
  });

  test.each(seeds)('attempts per second stay bounded, and become ever fewer (seed %i)', async (seed) => {
    const run = await stampede(RUNS.defaults, seed);
    expect(peak(SECOND, run, 0, SECOND)).toBeLessThan(10 * PROCESSES);
    // One or two for each process, then one for every fifth, then for every sixth.
    expect(peak(SECOND, run, SECOND, OUTAGE)).toBeLessThan(1.5 * PROCESSES);
    expect(peak(SECOND, run, 10 * SECOND, OUTAGE)).toBeLessThan(PROCESSES / 4);
    expect(peak(SECOND, run, 30 * SECOND, OUTAGE)).toBeLessThan(PROCESSES / 5);
    // The backend takes 200 logins a second, and has 2000 to take.
    expect(peak(SECOND, run, OUTAGE)).toBeLessThan(ALL / 8);
    expect(peak(SECOND / 10, run, OUTAGE)).toBeLessThan(ALL / 40);
  });

  test('every process begins no more than maxConnecting at once, then one connect a pause, in pauses that grow', () => {
    for (const process of processes) {
      const times = during(timesOf(defaults, process));
      expect(times.slice(0, MAX_CONNECTING)).toEqual(Array.from({ length: MAX_CONNECTING }, () => 0));
      const pauses = times.slice(MAX_CONNECTING).map((at, index, later) => at - (later[index - 1] ?? 0));
      // The first of them runs from the first refusal, which comes after a millisecond.
      for (const [index, pause] of pauses.entries()) {
        expect(pause).toBeGreaterThanOrEqual(1);
        expect(pause).toBeLessThanOrEqual(ceiling(index) + 1);
      }
      // Growing ones: were they all as short as the first, there would be hundreds.
      expect(pauses.length).toBeLessThan(25);
    }
  });

  test('jitter spreads them: no 100 ms see a quarter of the processes once the first second is over', () => {
    expect(peak(100, defaults, SECOND, OUTAGE)).toBeLessThan(PROCESSES / 4);
    const lastTenSeconds = attemptsPer(100, defaults).slice((OUTAGE - 10 * SECOND) / 100, OUTAGE / 100);
    // A quarter of all spans and more have some, though there are but a few dozen attempts.
    expect(lastTenSeconds.filter((count) => count > 0).length).toBeGreaterThan(25);
  });

  test('without jitter all processes knock in the same instants, and without a limit with all their connects at once', () => {
    const pauses = [101, 301, 701, 1_501, 3_101, 6_301, 12_701, 25_501, 51_101];
    for (const process of processes) {
      expect(during(timesOf(unbounded, process))).toEqual([...Array.from({ length: SIZE }, () => 0), ...pauses]);
    }
    expect(attemptsPer(100, unbounded)[0]).toBe(ALL);
    expect(unbounded.sessions).toBe(ALL);
  });

  test('at the death, at the return and in all there are fewer attempts than without jitter and limit, and no login is slow', () => {
    expect(peak(100, defaults, 0, OUTAGE)).toBeLessThan(peak(100, unbounded, 0, OUTAGE) / 3);
    expect(peak(SECOND, defaults, OUTAGE)).toBeLessThan(peak(SECOND, unbounded, OUTAGE) / 8);
    expect(peak(100, defaults, OUTAGE)).toBeLessThan(peak(100, unbounded, OUTAGE) / 8);
    expect(defaults.attempts.length).toBeLessThan(unbounded.attempts.length);
    // What it costs is patience, and not even that: whoever comes with all others waits for all others.
    expect(slowestLogin(defaults)).toBeLessThan(SECOND / 2);
    expect(slowestLogin(unbounded)).toBeGreaterThan(8 * SECOND);
    expect(defaults.fullAt).toBeLessThan(unbounded.fullAt);
  });

  test('the same seed gives the same run, another one another', async () => {
    expect((await stampede(RUNS.defaults)).attempts).toEqual(defaults.attempts);
    expect((await stampede(RUNS.defaults, 2)).attempts).not.toEqual(defaults.attempts);
  });

  test('the picture in docs/ is what this run draws', () => {
    // If it is not, draw it anew: node test/start.js simulation/stampede/main
    const committed = readFileSync(new URL('../../../docs/stampede.svg', import.meta.url), 'utf8');
    expect(committed).toBe(plot(defaults, unbounded));
  });
});
