import { subscribe, tracingChannel, unsubscribe, type TracingChannelSubscribers } from 'node:diagnostics_channel';
import { context, SpanStatusCode, trace, type Context, type Span, type Tracer } from '@opentelemetry/api';
import type { AcquireEvent, ConnectEvent } from '../pool/channels.js';
import { describeError } from '../pool/errors.js';
import type { PoolNaming } from './pool-meter.js';

/** What a retry tells of itself. */
interface Retried {
  readonly method: string;
  readonly attempt: number;
  readonly error: unknown;
  /** In milliseconds. */
  readonly delay: number;
}

/**
 * A span for whoever waits for a connection, and for each connect; and on the span in which a call is retried, how often.
 * @returns stops it
 */
export function tracePools(tracer: Tracer, naming: Pick<PoolNaming, 'attributesOf' | 'ours'>): () => void {
  const { attributesOf, ours } = naming;
  const asked = new WeakMap<AcquireEvent, { readonly at: number; readonly context: Context }>();
  const waits = new WeakMap<AcquireEvent, Span>();
  const connects = new WeakMap<ConnectEvent, Span>();

  const acquire: Partial<TracingChannelSubscribers<AcquireEvent>> = {
    start: (event) => {
      if (ours.has(event)) asked.set(event, { at: Date.now(), context: context.active() });
    },
    // Who gets a connection at once has not waited, and a span each would be too many.
    end: (event) => {
      const question = asked.get(event);
      if (!event.waits || question === undefined) return;
      const options = { startTime: question.at, attributes: attributesOf(event.pool) };
      waits.set(event, tracer.startSpan('connection_pool.wait', options, question.context));
    },
    asyncEnd: (event) => end(waits.get(event), event.error),
  };
  const connect: Partial<TracingChannelSubscribers<ConnectEvent>> = {
    start: (event) => {
      if (!ours.has(event)) return;
      const attributes = { ...attributesOf(event.pool), 'connection_pool.connect.attempt': event.attempt };
      // Of its own: whoever set it off may be gone before it is open, and the connection is for whoever comes first.
      connects.set(event, tracer.startSpan('connection_pool.connect', { root: true, attributes }));
    },
    asyncEnd: (event) => end(connects.get(event), event.error),
  };

  const onRetry = (message: unknown): void => {
    const { method, attempt, error, delay } = message as Retried;
    const span = trace.getActiveSpan();
    span?.setAttributes({ 'connection_pool.retry.method': method, 'connection_pool.retry.count': attempt });
    span?.addEvent('retry', { attempt, delay, error: describeError(error) });
  };
  const onGiveUp = (message: unknown): void => {
    const { method, attempt } = message as Retried;
    const attributes = { 'connection_pool.retry.method': method, 'connection_pool.retry.attempts': attempt };
    trace.getActiveSpan()?.setAttributes({ ...attributes, 'connection_pool.retry.gave_up': true });
  };

  const channels = [
    [tracingChannel('nestjs-connection-pool:acquire'), acquire],
    [tracingChannel('nestjs-connection-pool:connect'), connect],
  ] as const;
  for (const [channel, subscribers] of channels) {
    channel.subscribe(subscribers as TracingChannelSubscribers<object>);
  }
  subscribe('nestjs-connection-pool:retry', onRetry);
  subscribe('nestjs-connection-pool:give-up', onGiveUp);
  return () => {
    for (const [channel, subscribers] of channels) {
      channel.unsubscribe(subscribers as TracingChannelSubscribers<object>);
    }
    unsubscribe('nestjs-connection-pool:retry', onRetry);
    unsubscribe('nestjs-connection-pool:give-up', onGiveUp);
  };
}

function end(span: Span | undefined, error: unknown): void {
  if (span === undefined) return;
  if (error !== undefined) {
    const message = describeError(error);
    span.recordException(error instanceof Error ? error : message);
    span.setStatus({ code: SpanStatusCode.ERROR, message });
  }
  span.end();
}
