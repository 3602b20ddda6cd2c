import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { context, SpanStatusCode, trace, type Attributes } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { ConnectionError, ConnectionPool, ConnectionPoolModule, ConnectionPools, retry } from '../../src/index.js';
import { ConnectionPoolOpenTelemetryModule, instrumentPools } from '../../src/telemetry/opentelemetry.js';
import { memoryFactory, memoryLogger, start } from '../module/applications.js';

/** The real SDK, with what it would export kept in memory. */
function sdk() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new MeterProvider({ readers: [reader] });
  const spans = new InMemorySpanExporter();
  const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
  return {
    meterProvider,
    tracerProvider,
    spans,
    /** Each metric as it would be exported now: its points, by their attributes. */
    async metrics(): Promise<Record<string, Array<{ attributes: Attributes; value: unknown }>>> {
      exporter.reset();
      await reader.forceFlush();
      const [latest] = exporter.getMetrics().slice(-1);
      const all = latest?.scopeMetrics.flatMap(({ metrics }) => metrics) ?? [];
      return Object.fromEntries(
        all.map(({ descriptor, dataPoints }) => [
          `${descriptor.name} [${descriptor.unit}]`,
          dataPoints.map(({ attributes, value }) => ({ attributes, value })),
        ]),
      );
    },
  };
}

function poolOf(name: string, size: number | { min: number; max: number } = 2, connect?: () => Promise<void>) {
  return new ConnectionPool(new (memoryFactory(name, connect))(), { name, size, logger: memoryLogger() });
}

const MAIL = { 'db.client.connection.pool.name': 'mail' };

describe('the metrics of the semantic conventions', () => {
  test('tell how many connections are idle and used, how many there may be, and who waits', async () => {
    const { meterProvider, tracerProvider, metrics } = sdk();
    await using pool = poolOf('mail', { min: 1, max: 2 });
    const stop = instrumentPools([pool], { meterProvider, tracerProvider });
    await pool.ready();
    const lease = await pool.acquire();
    expect(await metrics()).toMatchObject({
      'db.client.connection.count [{connection}]': [
        { attributes: { ...MAIL, 'db.client.connection.state': 'idle' }, value: 0 },
        { attributes: { ...MAIL, 'db.client.connection.state': 'used' }, value: 1 },
      ],
      'db.client.connection.idle.max [{connection}]': [{ attributes: MAIL, value: 2 }],
      'db.client.connection.idle.min [{connection}]': [{ attributes: MAIL, value: 1 }],
      'db.client.connection.limit [{connection}]': [{ attributes: MAIL, value: 2 }],
      'db.client.connection.pending_requests [{request}]': [{ attributes: MAIL, value: 0 }],
      'db.client.connection.timeouts [{timeout}]': [{ attributes: MAIL, value: 0 }],
    });
    lease.release();
    stop();
  });

  test('count who waits and who waited in vain', async () => {
    const { meterProvider, tracerProvider, metrics } = sdk();
    await using pool = poolOf('mail', 1);
    const stop = instrumentPools([pool], { meterProvider, tracerProvider });
    const lease = await pool.acquire();
    const waiting = pool.acquire({ timeout: 10 });
    expect((await metrics())['db.client.connection.pending_requests [{request}]']).toMatchObject([{ value: 1 }]);
    await expect(waiting).rejects.toThrow('busy');
    expect((await metrics())['db.client.connection.timeouts [{timeout}]']).toMatchObject([{ value: 1 }]);
    lease.release();
    stop();
  });

  test('take the time of connects, waits and leases, in seconds', async () => {
    const { meterProvider, tracerProvider, metrics } = sdk();
    await using pool = poolOf('mail', 1);
    await using other = poolOf('other', 1);
    const stop = instrumentPools([pool], { meterProvider, tracerProvider });
    await Promise.all([pool.use(() => undefined), pool.use(() => undefined), other.use(() => undefined)]);
    const told = await metrics();
    const counts = ['create_time', 'wait_time', 'use_time'].map((name) => told[`db.client.connection.${name} [s]`]);
    expect(counts).toMatchObject([
      [{ attributes: MAIL, value: { count: 1 } }],
      [{ attributes: MAIL, value: { count: 2 } }],
      [{ attributes: MAIL, value: { count: 2 } }],
    ]);
    stop();
  });

  test('have another prefix, and more attributes, where they are asked for', async () => {
    const { meterProvider, tracerProvider, metrics } = sdk();
    await using pool = poolOf('mail', 1);
    const attributes = (name: string): Attributes => ({ 'server.address': `${name}.example.org` });
    const stop = instrumentPools([pool], { meterProvider, tracerProvider, prefix: 'imap.connection', attributes });
    expect((await metrics())['imap.connection.limit [{connection}]']).toEqual([
      { attributes: { 'imap.connection.pool.name': 'mail', 'server.address': 'mail.example.org' }, value: 1 },
    ]);
    stop();
  });

  test('are told no more once it is stopped', async () => {
    const { meterProvider, tracerProvider, metrics } = sdk();
    await using pool = poolOf('mail', 1);
    instrumentPools([pool], { meterProvider, tracerProvider })();
    await pool.use(() => undefined);
    const points = Object.values(await metrics()).flat();
    expect(points).toEqual([]);
  });
});

describe('spans', () => {
  beforeEach(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  });

  afterEach(() => {
    context.disable();
  });

  test('there is one for who waits, below his own, and none for who gets a connection at once', async () => {
    const { meterProvider, tracerProvider, spans } = sdk();
    await using pool = poolOf('mail', 1);
    await pool.ready();
    const stop = instrumentPools([pool], { meterProvider, tracerProvider });
    const tracer = tracerProvider.getTracer('test');
    await tracer.startActiveSpan('request', async (request) => {
      const lease = await pool.acquire();
      const waiting = pool.acquire();
      lease.release();
      (await waiting).release();
      request.end();
    });
    const [wait, request, ...others] = spans.getFinishedSpans();
    expect([wait?.name, request?.name, others]).toEqual(['connection_pool.wait', 'request', []]);
    expect(wait?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
    expect(wait?.attributes).toEqual(MAIL);
    expect(wait?.status.code).toBe(SpanStatusCode.UNSET);
    stop();
  });

  test.each(['another', 'the same'])('there is none for what happens in pools of others, of %s name', async (which) => {
    const { meterProvider, tracerProvider, spans } = sdk();
    await using pool = poolOf('mail', 1);
    await using other = poolOf(which === 'another' ? 'other' : 'mail', 1);
    const stop = instrumentPools([pool], { meterProvider, tracerProvider });
    await Promise.all([other.use(() => undefined), other.use(() => undefined)]);
    expect(spans.getFinishedSpans()).toEqual([]);
    stop();
  });

  test('what failed with something that is no error is told as text', async () => {
    const { meterProvider, tracerProvider, spans } = sdk();
    await using pool = poolOf('mail', 1, () => Promise.reject('refused'));
    const stop = instrumentPools([pool], { meterProvider, tracerProvider });
    await expect(pool.acquire({ timeout: 10 })).rejects.toThrow('is down');
    const [connect] = spans.getFinishedSpans();
    expect(connect).toMatchObject({ name: 'connection_pool.connect', status: { message: 'refused' } });
    stop();
  });

  test('a wait in vain has the error', async () => {
    const { meterProvider, tracerProvider, spans } = sdk();
    await using pool = poolOf('mail', 1);
    const lease = await pool.acquire();
    const stop = instrumentPools([pool], { meterProvider, tracerProvider });
    await expect(pool.acquire({ timeout: 10 })).rejects.toThrow('busy');
    lease.release();
    const [wait] = spans.getFinishedSpans();
    expect(wait?.status).toMatchObject({ code: SpanStatusCode.ERROR, message: expect.stringContaining('is busy') });
    expect(wait?.events).toMatchObject([{ name: 'exception' }]);
    stop();
  });

  test('there is one for each connect, of its own, with what it failed with', async () => {
    const { meterProvider, tracerProvider, spans } = sdk();
    let attempts = 0;
    await using pool = poolOf('mail', 1, async () => {
      if (++attempts === 1) throw new Error('refused');
    });
    const stop = instrumentPools([pool], { meterProvider, tracerProvider });
    const tracer = tracerProvider.getTracer('test');
    await tracer.startActiveSpan('request', async (request) => {
      await pool.use(() => undefined);
      request.end();
    });
    const connects = spans.getFinishedSpans().filter(({ name }) => name === 'connection_pool.connect');
    expect(connects).toMatchObject([
      {
        attributes: { ...MAIL, 'connection_pool.connect.attempt': 1 },
        status: { code: SpanStatusCode.ERROR, message: 'refused' },
      },
      { attributes: { ...MAIL, 'connection_pool.connect.attempt': 2 }, status: { code: SpanStatusCode.UNSET } },
    ]);
    expect(connects.map(({ parentSpanContext }) => parentSpanContext)).toEqual([undefined, undefined]);
    stop();
  });

  test('the span in which a call is retried says how often, and whether it was given up', async () => {
    const { meterProvider, tracerProvider, spans } = sdk();
    const stop = instrumentPools([], { meterProvider, tracerProvider });
    const tracer = tracerProvider.getTracer('test');
    const fetchMail = async (): Promise<never> => {
      throw new ConnectionError('reset');
    };
    await tracer.startActiveSpan('request', async (request) => {
      await retry(fetchMail, { maxRetries: 2, delay: 0 }).catch(() => undefined);
      request.end();
    });
    const [request] = spans.getFinishedSpans();
    expect(request?.attributes).toEqual({
      'connection_pool.retry.method': 'fetchMail',
      'connection_pool.retry.count': 2,
      'connection_pool.retry.attempts': 3,
      'connection_pool.retry.gave_up': true,
    });
    expect(request?.events).toMatchObject([
      { name: 'retry', attributes: { attempt: 1, error: 'reset' } },
      { name: 'retry', attributes: { attempt: 2, error: 'reset' } },
    ]);
    stop();
    await expect(retry(fetchMail, { maxRetries: 1, delay: 0 })).rejects.toThrow('reset');
    expect(trace.getActiveSpan()).toBeUndefined();
  });
});

describe('the module for OpenTelemetry', () => {
  test('measures all pools of the application, until it closes', async () => {
    const { meterProvider, tracerProvider, metrics } = sdk();
    const MailFactory = memoryFactory('Mail');
    const app = await start({
      imports: [
        ConnectionPoolModule.forRoot(),
        ConnectionPoolModule.forFeature([{ factory: MailFactory, size: 3 }]),
        ConnectionPoolOpenTelemetryModule.forRoot({ meterProvider, tracerProvider }),
      ],
    });
    await app.get(ConnectionPools).get(MailFactory).ready();
    const count = (await metrics())['db.client.connection.count [{connection}]'];
    expect(count).toMatchObject([{ value: 3 }, { value: 0 }]);
    await app.close();
    // What was measured last stays; that all is closed nobody has noted.
    expect((await metrics())['db.client.connection.count [{connection}]']).toEqual(count);
  });

  test('works with whatever is registered globally, be it nothing', async () => {
    instrumentPools([])();
    const MailFactory = memoryFactory('Mail');
    const imports = [
      ConnectionPoolModule.forRoot(),
      ConnectionPoolModule.forFeature([MailFactory]),
      ConnectionPoolOpenTelemetryModule.forRoot(),
    ];
    const app = await start({ imports });
    await expect(
      app
        .get(ConnectionPools)
        .get(MailFactory)
        .use(({ number }) => number),
    ).resolves.toBe(1);
  });
});
