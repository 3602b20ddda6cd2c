import { tracingChannel, type TracingChannelSubscribers } from 'node:diagnostics_channel';
import type { AcquireEvent, ConnectEvent, UseEvent } from '../pool/channels.js';

/** Somebody who wants to know how long things took in pools. All times are in seconds. */
export interface PoolTimesListener {
  /** A connect is over; with what it failed, if it did. */
  connected(event: ConnectEvent, seconds: number): void;
  /** Somebody who asked for a connection has got it, or an error. */
  waited(event: AcquireEvent, seconds: number): void;
  /** Somebody has given his connection back. */
  used(event: UseEvent, seconds: number): void;
}

type Heard<E extends object> = (event: E, seconds: number) => void;

/**
 * Takes the time of what pools tell of in their channels.
 * @returns stops it
 */
export function observeTimes(listener: PoolTimesListener): () => void {
  const stops = [
    timed<ConnectEvent>(
      'connect',
      (...told) => listener.connected(...told),
      () => false,
    ),
    timed<AcquireEvent>(
      'acquire',
      (...told) => listener.waited(...told),
      (event) => !event.waits,
    ),
    timed<UseEvent>(
      'use',
      (...told) => listener.used(...told),
      () => false,
    ),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

/** @param isOverAtEnd whether `end` was all, and nothing asynchronous follows */
function timed<E extends object>(name: string, heard: Heard<E>, isOverAtEnd: (event: E) => boolean): () => void {
  const begun = new WeakMap<E, number>();
  const over = (event: E): void => {
    const start = begun.get(event);
    // It had begun before anybody listened.
    if (start === undefined) return;
    begun.delete(event);
    heard(event, (performance.now() - start) / 1_000);
  };
  const subscribers: Partial<TracingChannelSubscribers<E>> = {
    start: (event) => void begun.set(event, performance.now()),
    end: (event) => {
      if (isOverAtEnd(event)) over(event);
    },
    asyncEnd: (event) => over(event),
  };
  const channel = tracingChannel<unknown, E>(`nestjs-connection-pool:${name}`);
  channel.subscribe(subscribers as TracingChannelSubscribers<E>);
  return () => channel.unsubscribe(subscribers as TracingChannelSubscribers<E>);
}
