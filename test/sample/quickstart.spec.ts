import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { PoolStats } from '../../src/index.js';
import { RunningSample } from './running-sample.js';

type Statistics = PoolStats & { name: string };

const CONCURRENCY = 200;

describe('sample 01-quickstart', () => {
  let sample: RunningSample;

  beforeAll(async () => {
    sample = await RunningSample.start('01-quickstart');
  }, 30_000);

  afterAll(async () => {
    await sample.stop();
  });

  async function pool(): Promise<Statistics> {
    const [only] = await sample.get<Statistics[]>('/pools');
    return only!;
  }

  function set(key: string, body: string): Promise<Response> {
    const headers = { 'content-type': 'application/json' };
    return fetch(`${sample.url}/set/${key}`, { method: 'PUT', headers, body });
  }

  /** 200 requests at a time, again and again, until it is told to stop; yields what failed and how many there were. */
  function load(): { stop(): Promise<{ requests: number; failures: string[] }> } {
    let running = true;
    let requests = 0;
    const failures: string[] = [];
    const client = async (id: number): Promise<void> => {
      while (running) {
        requests++;
        const response = await fetch(`${sample.url}/get/load-${id}`);
        const text = await response.text();
        if (!response.ok || !text.includes(`"value":${id}`)) failures.push(`${response.status} ${text}`);
      }
    };
    const clients = Array.from({ length: CONCURRENCY }, (_, id) => client(id));
    return {
      async stop() {
        running = false;
        await Promise.all(clients);
        return { requests, failures };
      },
    };
  }

  it('fills a pool of 20 and shows its statistics', async () => {
    await sample.until(async () => (await pool()).open === 20);
    expect(await pool()).toMatchObject({ name: 'store', size: 20, open: 20, waiting: 0, lastConnectError: null });
  }, 30_000);

  it('sets a value and gets it', async () => {
    expect(await (await set('greeting', '{ "value": { "text": "hello world" } }')).json()).toEqual({
      key: 'greeting',
      value: { text: 'hello world' },
    });
    expect(await sample.get('/get/greeting')).toEqual({ key: 'greeting', value: { text: 'hello world' } });
    expect(await sample.get('/get/unknown')).toEqual({ key: 'unknown', value: null });
    expect((await set('greeting', '{}')).status).toBe(400);
  });

  it('has a live page of its pool, which is sent what happens', async () => {
    const page = await fetch(`${sample.url}/pools/live`);
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    const html = await page.text();
    const files = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => new URL(file!, page.url).href);
    expect(files).toHaveLength(5);
    for (const file of files) expect((await fetch(file)).status).toBe(200);

    const leaving = new AbortController();
    const stream = await fetch(`${sample.url}/pools/live/stream`, { signal: leaving.signal });
    const { value } = await stream.body!.pipeThrough(new TextDecoderStream()).getReader().read();
    expect(value).toMatch(/^event: snapshot\ndata: .*"name":"store"/);
    leaving.abort();
  });

  it('has metrics for Prometheus, and a health check', async () => {
    const metrics = await (await fetch(`${sample.url}/metrics`)).text();
    expect(metrics).toContain('connection_pool_size_max{pool="store"} 20');
    expect(metrics).toMatch(/^connection_pool_wait_seconds_count\{pool="store",outcome="ok"\} [1-9]/m);
    const health = await fetch(`${sample.url}/health`);
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({
      status: 'ok',
      info: { connectionPools: { pools: { store: { open: 20 } } } },
    });
  });

  it('fails no request when the store resets all its connections, and when it dies and comes back', async () => {
    for (let id = 0; id < CONCURRENCY; id++) await set(`load-${id}`, `{ "value": ${id} }`);
    const under = load();
    const before = (await pool()).totals.acquired;
    const progress = async (): Promise<number> => (await pool()).totals.acquired - before;
    await sample.until(async () => (await progress()) > 2 * CONCURRENCY);

    await fetch(`${sample.url}/chaos/break`, { method: 'POST' });
    await sample.until(async () => (await pool()).totals.closed.broken >= 20);

    await fetch(`${sample.url}/chaos/restart`, { method: 'POST' });
    await sample.until(async () => (await pool()).totals.connectFailures > 0);
    await sample.until(async () => (await fetch(`${sample.url}/health`)).status === 503);
    await sample.until(async () => (await pool()).open === 20);
    const atRecovery = await progress();
    await sample.until(async () => (await progress()) > atRecovery + 2 * CONCURRENCY);

    const { requests, failures } = await under.stop();
    expect(failures).toEqual([]);
    expect(requests).toBeGreaterThan(4 * CONCURRENCY);
    expect((await pool()).totals.acquireTimeouts).toBe(0);
  }, 60_000);

  it('tells what happened in one line each, and in a live line', () => {
    expect(sample.output).toMatch(/Pool "store" lost \d+ connections: /);
    // The store died within a second of the break, so the outage may begin with connections that were lost at once.
    const outages =
      sample.output.match(/Pool "store" (cannot connect|loses connections .*), and goes on trying: /g) ?? [];
    expect(outages.length).toBeGreaterThanOrEqual(1);
    expect(outages.length).toBeLessThanOrEqual(2);
    expect(sample.output.match(/Pool "store" connects again, after /g)).toHaveLength(outages.length);
    expect(sample.output).toMatch(
      /store: open +\d+\/20 idle +\d+ leased +\d+ waiting +\d+ replaced +[1-9]\d* retries +\d+/,
    );
  });

  it('survives a break while the store is down, and two restarts at once', async () => {
    await fetch(`${sample.url}/chaos/restart`, { method: 'POST' });
    await fetch(`${sample.url}/chaos/restart`, { method: 'POST' });
    expect((await fetch(`${sample.url}/chaos/break`, { method: 'POST' })).status).toBe(202);
    expect(await sample.get('/get/greeting')).toEqual({ key: 'greeting', value: { text: 'hello world' } });
    expect(sample.output).not.toMatch(/Unhandled|EADDRINUSE/);
  }, 30_000);

  it.each([
    [{ origin: 'https://elsewhere.example', 'sec-fetch-site': 'cross-site' }],
    [{ origin: 'http://localhost:8080', 'sec-fetch-site': 'same-site' }],
    [{ origin: 'null' }],
    [{ 'sec-fetch-site': 'cross-site' }],
  ])('is not broken by the page of another site: %j', async (headers) => {
    for (const route of ['break', 'restart', 'load']) {
      expect((await fetch(`${sample.url}/chaos/${route}`, { method: 'POST', headers })).status).toBe(403);
    }
  });

  it('makes load by itself, also for a page of its own, which ends with the application', async () => {
    const before = (await pool()).totals.acquired;
    const own = { origin: sample.url, 'sec-fetch-site': 'same-origin' };
    for (const headers of [{}, own]) {
      expect((await fetch(`${sample.url}/chaos/load`, { method: 'POST', headers })).status).toBe(202);
    }
    await sample.until(async () => (await pool()).totals.acquired > before + 10 * CONCURRENCY);
    await sample.until(async () => (await pool()).leased === 20);
    const output = sample.output.length;
    await sample.stop();
    expect(sample.output.slice(output)).not.toMatch(/WARN|ERROR/);
  }, 30_000);
});
