import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { Module, type INestApplicationContext, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConnectionPoolModule, getPoolToken } from '../../src/index.js';
import type { ConnectionFactoryClass, ConnectionPool, PoolSettings, PoolStats } from '../../src/index.js';
import { PrivateServer } from '../servers/private-server.js';
import { until } from '../until.js';

/** What callers of a worst day call: idempotent, and answered with what was asked, so that a swapped reply shows. */
export interface Echo {
  echo(text: string): Promise<string>;
}

/** A server that has its worst day, and those who use it. */
export interface Cast {
  readonly server: PrivateServer;
  readonly factory: ConnectionFactoryClass;
  /** A factory of that pool whose connections do not tell of their death. */
  readonly deafFactory: ConnectionFactoryClass;
  /** A provider whose `echo` is `@Retryable`. */
  readonly service: Type<Echo>;
  /** One that gives up each attempt after 200 ms. */
  readonly hastyService: Type<Echo>;
  /** How many clients the server takes, the administrator aside. */
  readonly places: number;
  /** How many connections the server itself knows, the one that asks aside. */
  connections(): Promise<number>;
  /** Ends every session but the one that asks, as an administrator does. */
  endSessions(): Promise<unknown>;
  /** Takes a place on the server; yields what gives it back. */
  takePlace(): Promise<() => unknown>;
  isTooMany(error: unknown): boolean;
}

/** What a day came to. */
export interface Outcome {
  readonly calls: number;
  /** What calls failed with. */
  readonly failures: readonly string[];
  /** Replies that were not their own request's. */
  readonly swapped: readonly string[];
  readonly retries: number;
  /** How long the call that took longest did, in milliseconds. */
  readonly longest: number;
  /** How long after each fault the pool was full again, in milliseconds. */
  readonly fullAfter: readonly number[];
  /** Connections that the server still knew when the application had closed. */
  readonly left: number;
  /** Connections that the pool opened and never closed. */
  readonly unclosed: number;
  readonly stats: PoolStats;
}

/** When so many calls have failed something is wrong, and callers that never wait would hold up everything else. */
const ENOUGH_FAILURES = 1_000;
const MOST_TURNS = 100_000;

/** How long a day waits for anything, in milliseconds: for ever, almost, on a machine that has something else to do. */
const PATIENCE = 20_000;

/** An application with one pool of real clients, and the callers that it serves while its server is mistreated. */
export class WorstDay implements AsyncDisposable {
  readonly failures: string[] = [];
  longest = 0;
  private readonly swapped: string[] = [];
  private readonly fullAfter: number[] = [];
  private readonly callers: Array<Promise<void>> = [];
  private succeeded = 0;
  private open = true;

  private constructor(
    readonly cast: Cast,
    private readonly app: INestApplicationContext,
    readonly pool: ConnectionPool<unknown>,
    private readonly service: Echo,
    private readonly retries: { count: number },
  ) {}

  /** A started application, whose pool is not full yet. */
  static async begin(cast: Cast, settings: PoolSettings = {}): Promise<WorstDay> {
    const { server, factory, service } = cast;
    const retries = { count: 0 };
    const silent = { log: () => {}, warn: () => {}, error: () => {} };

    @Module({ providers: [{ provide: PrivateServer, useValue: server }], exports: [PrivateServer] })
    class ServerModule {}

    @Module({
      imports: [
        ConnectionPoolModule.forRoot({
          // Pauses as short as a test is, but for that all as it comes.
          defaults: { size: 10, reconnect: { maxDelay: '1s' } },
          retry: { default: { maxRetries: 3, onRetry: () => retries.count++ } },
          logger: silent,
        }),
        ConnectionPoolModule.forFeature([{ factory, imports: [ServerModule], ...settings }]),
      ],
      providers: [service],
    })
    class WorstDayModule {}

    const app = await NestFactory.createApplicationContext(WorstDayModule, { logger: false, abortOnError: false });
    return new WorstDay(cast, app, app.get(getPoolToken(factory)), app.get(service), retries);
  }

  get stats(): PoolStats {
    return this.pool.stats();
  }

  /** Callers come, each of whom calls again and again. */
  load(callers: number): void {
    const first = this.callers.length;
    for (let caller = first; caller < first + callers; caller++) this.callers.push(this.callOnAndOn(caller));
  }

  /** So many callers call once. */
  async calls(callers: number): Promise<void> {
    await Promise.all(Array.from({ length: callers }, (_, caller) => this.call(`once ${caller}`)));
  }

  /** Resolves when so many more calls have been answered. */
  async answered(more: number): Promise<void> {
    const enough = this.succeeded + more;
    await this.until(`${more} calls are answered`, () => this.succeeded >= enough);
  }

  /** Resolves when so many more connects have failed. */
  async refused(more: number): Promise<void> {
    const enough = this.stats.totals.connectFailures + more;
    await this.until(`${more} connects have failed`, () => this.stats.totals.connectFailures >= enough);
  }

  /** Resolves when every connection that the pool is to have is open. */
  async full(): Promise<void> {
    await this.until('the pool is full', () => this.stats.open === this.stats.size);
  }

  /**
   * Does something to the server, and resolves when the pool has made up for it.
   *
   * @param lost how many connections this costs at least
   */
  async survive(fault: () => Promise<unknown>, lost: number): Promise<void> {
    const enough = this.stats.totals.closed.broken + lost;
    await fault();
    const well = performance.now();
    await this.until(`${lost} connections are lost`, () => this.stats.totals.closed.broken >= enough);
    await this.full();
    this.fullAfter.push(performance.now() - well);
  }

  async until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    await until(condition, () => `${what}: ${JSON.stringify(this.soFar())}`, PATIENCE);
  }

  /** No more calls; when the last is answered the application closes. */
  async end(): Promise<Outcome> {
    await this.close();
    let left = Infinity;
    // A server notices in its own time that a client has said goodbye, and may have no place before for whoever asks.
    const noneLeft = async (): Promise<boolean> => {
      left = await this.cast.connections().catch(() => Infinity);
      return left === 0;
    };
    await until(noneLeft, 'none is left', 5_000).catch(() => undefined);
    const { connected, closed } = this.stats.totals;
    const unclosed = connected - Object.values(closed).reduce((sum, count) => sum + count, 0);
    return { ...this.soFar(), left, unclosed };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private async close(): Promise<void> {
    this.open = false;
    await Promise.all(this.callers);
    await this.app.close();
  }

  private soFar(): Omit<Outcome, 'left' | 'unclosed'> {
    const { failures, swapped, longest, fullAfter, stats } = this;
    const calls = this.succeeded + failures.length;
    return { calls, failures, swapped, retries: this.retries.count, longest, fullAfter, stats };
  }

  /** A caller thinks for some milliseconds between two calls, so that some connections are idle and others are not. */
  private async callOnAndOn(caller: number): Promise<void> {
    for (let turn = 0; turn < MOST_TURNS && this.open && this.failures.length < ENOUGH_FAILURES; turn++) {
      await this.call(`${caller}/${turn}`);
      await pause((caller + turn) % 10);
    }
  }

  private async call(text: string): Promise<void> {
    const begun = performance.now();
    try {
      const reply = await this.service.echo(text);
      this.succeeded++;
      if (reply !== text) this.swapped.push(`${text} got ${reply}`);
    } catch (error) {
      this.failures.push(String(error));
    }
    this.longest = Math.max(this.longest, performance.now() - begun);
  }
}
