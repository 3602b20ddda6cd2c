import { subscribe, tracingChannel, unsubscribe, type TracingChannelSubscribers } from 'node:diagnostics_channel';
import type { AcquireEvent, DiscardEvent, KeepaliveEvent, LeakEvent, PoolEvent, UseEvent } from '../pool/channels.js';
import { isConnectionError } from '../pool/connection-error.js';

/** What is told of a retry, as far as it matters here. */
export interface Retried {
  readonly method: string;
  readonly attempt: number;
  readonly error: unknown;
}

/** Whoever wants to know what pools do not count. */
export interface Heard {
  /** Somebody has a connection, or an error in its place. */
  waited(event: PoolEvent, milliseconds: number): void;
  /** A connection is broken, and this is why. */
  broken(event: PoolEvent, error: unknown): void;
  leaked(event: LeakEvent): void;
  retried(event: Retried): void;
  gaveUp(event: Retried): void;
}

/**
 * Listens to the channels of pools and retries.
 * @param now the time, in milliseconds
 * @returns stops it
 */
export function listen(heard: Heard, now: () => number): () => void {
  const begun = new WeakMap<AcquireEvent, number>();
  const acquire: Partial<TracingChannelSubscribers<AcquireEvent>> = {
    // By then it is known whether he must wait; no time has passed since he asked.
    end: (event) => {
      if (event.waits) begun.set(event, now());
      else heard.waited(event, 0);
    },
    asyncEnd: (event) => {
      const start = begun.get(event);
      // Else it had begun before anybody listened.
      if (start !== undefined) heard.waited(event, now() - start);
    },
  };
  const channels: Array<[name: string, onMessage: (message: never) => void]> = [
    [
      'tracing:nestjs-connection-pool:use:error',
      (event: UseEvent) => {
        if (isConnectionError(event.error)) heard.broken(event, event.error);
      },
    ],
    [
      'nestjs-connection-pool:keepalive',
      (event: KeepaliveEvent) => {
        if (event.error !== undefined) heard.broken(event, event.error);
      },
    ],
    [
      'nestjs-connection-pool:discard',
      (event: DiscardEvent) => {
        if (event.error !== undefined) heard.broken(event, event.error);
      },
    ],
    ['nestjs-connection-pool:leak', (event: LeakEvent) => heard.leaked(event)],
    ['nestjs-connection-pool:retry', (event: Retried) => heard.retried(event)],
    ['nestjs-connection-pool:give-up', (event: Retried) => heard.gaveUp(event)],
  ];
  const acquires = tracingChannel<unknown, AcquireEvent>('nestjs-connection-pool:acquire');
  acquires.subscribe(acquire as TracingChannelSubscribers<AcquireEvent>);
  for (const [name, onMessage] of channels) subscribe(name, onMessage as (message: unknown) => void);
  return () => {
    acquires.unsubscribe(acquire as TracingChannelSubscribers<AcquireEvent>);
    for (const [name, onMessage] of channels) unsubscribe(name, onMessage as (message: unknown) => void);
  };
}
