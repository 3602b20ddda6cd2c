import { channel, tracingChannel, type Channel } from 'node:diagnostics_channel';
import type { CloseReason } from './connection-factory.js';
import type { SizeBounds } from './settings.js';

/*
 * What can be observed of pools, through node:diagnostics_channel: whoever wants to know subscribes by name, and where
 * nobody does nothing is published. Names and shapes are a promise (docs/channels.md).
 */

/** What all events carry. */
export interface PoolEvent {
  /** The pool's name. */
  readonly pool: string;
  /** Its `id`, which tells it from others of its name. */
  readonly poolId: symbol;
}

/** Somebody asks for a connection. */
export interface AcquireEvent extends PoolEvent {
  /** Known from `end` on: whether he must wait. If he does, `asyncStart` and `asyncEnd` come when that is over. */
  waits: boolean;
  /** What he got instead of a connection. */
  error?: unknown;
}

/** Somebody has a connection, until he gives it back. */
export interface UseEvent extends PoolEvent {
  /** What his work failed with, as far as the pool was told. */
  error?: unknown;
}

/** A connection is opened. */
export interface ConnectEvent extends PoolEvent {
  /** 1, and one more for each connect that failed since the last that held. */
  readonly attempt: number;
  error?: unknown;
}

/** A connection is closed, for whatever reason. */
export interface DiscardEvent extends PoolEvent {
  readonly reason: CloseReason;
  /** What it was lost by, if it was lost and anybody said so. */
  readonly error: unknown;
}

/** A connection has been pinged. */
export interface KeepaliveEvent extends PoolEvent {
  /** What the ping failed with, if it did. */
  readonly error: unknown;
}

/** A lease is held for longer than `leakDetection` allows, or was garbage-collected without having been released. */
export interface LeakEvent extends PoolEvent {
  /** For how long it has been held, in milliseconds. */
  readonly heldFor: number;
  /** Where it was taken: the calls, a line each. */
  readonly origin: string;
  /** Whether it was garbage-collected; its connection is replaced then. */
  readonly collected: boolean;
}

/** A pool is to have more connections, or fewer. */
export interface ResizeEvent extends PoolEvent {
  readonly size: SizeBounds;
}

const name = (event: string): string => `nestjs-connection-pool:${event}`;

export const ACQUIRE = tracingChannel<unknown, AcquireEvent>(name('acquire'));
export const USE = tracingChannel<unknown, UseEvent>(name('use'));
export const CONNECT = tracingChannel<unknown, ConnectEvent>(name('connect'));
export const DISCARD = channel(name('discard')) as Channel<unknown, DiscardEvent>;
export const KEEPALIVE = channel(name('keepalive')) as Channel<unknown, KeepaliveEvent>;
export const LEAK = channel(name('leak')) as Channel<unknown, LeakEvent>;
export const RESIZE = channel(name('resize')) as Channel<unknown, ResizeEvent>;

// Asked at each acquire. V8 looks up less of what is constant in this file than of what an object holds that it is handed.
const { start: asks, end: asked, asyncStart: served, asyncEnd: hasLeft, error: isRefused } = ACQUIRE;
const { start: takes, end: taken, asyncStart: givesBack, asyncEnd: hasGivenBack, error: hasFailed } = USE;

/** Whether anybody wants to know of leases. */
export function areLeasesHeard(): boolean {
  return (
    asks.hasSubscribers ||
    asked.hasSubscribers ||
    served.hasSubscribers ||
    hasLeft.hasSubscribers ||
    isRefused.hasSubscribers ||
    takes.hasSubscribers ||
    taken.hasSubscribers ||
    givesBack.hasSubscribers ||
    hasGivenBack.hasSubscribers ||
    hasFailed.hasSubscribers
  );
}

/** A lease is over; told when all is done, for who is told may call the pool. */
export function tellOver(use: UseEvent, error: unknown): void {
  if (error !== undefined) {
    use.error = error;
    USE.error.publish(use);
  }
  USE.asyncStart.publish(use);
  USE.asyncEnd.publish(use);
}
