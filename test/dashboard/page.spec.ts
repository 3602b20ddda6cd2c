import { createServer, request, type Server } from 'node:http';
import { afterEach, expect, test } from '@jest/globals';
import { ServiceUnavailableException, type CanActivate, type ExecutionContext } from '@nestjs/common';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { ConnectionError, ConnectionPoolModule, ConnectionPools, retry } from '../../src/index.js';
import type { Lease, UnnamedPoolSettings } from '../../src/index.js';
import { ConnectionPoolDashboardModule, type ConnectionPoolDashboardOptions } from '../../src/dashboard/dashboard.js';
import { PAGE_NAMES } from '../../src/dashboard/page-files.js';
import { until } from '../until.js';
import { ADAPTERS, listening } from './applications.js';
import { Backend, factoryTo } from './backend.js';
import { describeInBrowser, type Seen } from './browser.js';

const ROUTES = ['', ...PAGE_NAMES.map((name) => `/${name}`), '/stream'];

class WithCookie implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string | undefined> }>();
    return headers['cookie']?.includes('operator=olga') === true;
  }
}

const proxies: Server[] = [];

afterEach(() => {
  for (const proxy of proxies.splice(0)) proxy.close().closeAllConnections();
});

/** Something in front of the application, which knows it by another path. */
async function proxyTo(target: string, outside: string, inside: string): Promise<string> {
  const proxy = createServer((incoming, outgoing) => {
    if (!incoming.url!.startsWith(outside)) {
      outgoing.writeHead(404).end();
      return;
    }
    const forwarded = request(target + inside + incoming.url!.slice(outside.length), (response) => {
      outgoing.writeHead(response.statusCode!, response.headers);
      response.pipe(outgoing);
    });
    forwarded.on('error', () => outgoing.destroy());
    outgoing.on('close', () => forwarded.destroy());
    forwarded.end();
  });
  proxies.push(proxy);
  await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(proxy.address() as { port: number }).port}${outside}`;
}

interface Given {
  readonly names?: readonly string[];
  readonly size?: number;
  readonly adapter?: (typeof ADAPTERS)[number];
  readonly options?: ConnectionPoolDashboardOptions;
  readonly settings?: UnnamedPoolSettings;
}

async function application({ names = ['orders'], size = 6, adapter = 'Express', options, settings }: Given = {}) {
  const backend = new Backend();
  const pools = names.map((name) => ({
    factory: factoryTo(backend, name),
    size,
    maxConnecting: 100,
    reconnect: { maxDelay: 50 },
    shutdownTimeout: 0,
    ...settings,
  }));
  const { application, url } = await listening(
    {
      imports: [
        ConnectionPoolModule.forFeature(pools),
        ConnectionPoolDashboardModule.forRoot({ interval: 100, ...(options ?? { unguarded: true }) }),
      ],
    },
    adapter,
  );
  const all = application.get(ConnectionPools);
  await until(() => [...all].every((each) => each.stats().idle === size), 'the pools are full');
  // Connections that have served: one that is lost before counts as a connect that failed.
  for (const pool of all) await Promise.all(Array.from({ length: size }, () => pool.use(() => undefined)));
  return { application, backend, pools: all, url: `${url}/connection-pools` };
}

const isLive = (page: Page): Promise<unknown> => page.waitForSelector('.link.live');

/** Waits until the page shows this text there. */
async function shows(page: Page, selector: string, text: string | RegExp): Promise<void> {
  await page.locator(selector, { hasText: text }).first().waitFor();
}

function figure(label: string): string {
  return `.figures div:has(dt:text-is("${label}")) dd`;
}

function expectNoFaults({ faults }: Seen): void {
  expect(faults).toEqual([]);
}

describeInBrowser('the page', (open) => {
  test.each(ADAPTERS)('loads on %s, asks nobody else, and the console has nothing to say', async (adapter) => {
    const { url } = await application({ adapter });
    const seen = await open(url);
    await isLive(seen.page);
    await shows(seen.page, 'h2.name', 'orders');
    await shows(seen.page, figure('Open'), '6 / 6');
    await shows(seen.page, '#summary', '1 pool, 6 open connections');
    await seen.page.waitForSelector('.chart canvas');
    expect(await seen.page.textContent('#since')).toMatch(/the lines begin at \d\d:\d\d:\d\d/);
    expect([...seen.origins]).toEqual([new URL(url).origin]);
    expectNoFaults(seen);
  });

  test('works behind a proxy that knows it by another path', async () => {
    const { url } = await application();
    const address = await proxyTo(new URL(url).origin, '/ops/shop/connection-pools', '/connection-pools');
    const seen = await open(address);
    await isLive(seen.page);
    await shows(seen.page, figure('Open'), '6 / 6');
    expectNoFaults(seen);
  });

  test('moves when load starts: figures, cells and lines', async () => {
    const { pools, url } = await application();
    const seen = await open(url);
    const { page } = seen;
    await shows(page, figure('Leased'), /^0$/);
    const picture = (): Promise<string> => page.evaluate("document.querySelector('.cells canvas').toDataURL()");
    await page.waitForSelector('.cells[aria-valuemax="6"]');
    const before = await picture();
    const leases = [1, 2, 3, 4].map(() => pools.get('orders').tryAcquire()!);
    await shows(page, figure('Leased'), /^4$/);
    expect(await picture()).not.toBe(before);
    await page.waitForSelector('.chart[aria-label*="leased 4; idle 2"]');
    for (const lease of leases) lease.release();
    await shows(page, figure('Leased'), /^0$/);
    expectNoFaults(seen);
  });

  test('describes the cell that is pointed at, or that the keyboard has come to, and all of them in a table', async () => {
    const { pools, url } = await application();
    const seen = await open(url);
    const { page } = seen;
    const lease = pools.get('orders').tryAcquire()!;
    await shows(page, figure('Leased'), /^1$/);
    await page.hover('.cells canvas', { position: { x: 8, y: 8 } });
    await shows(page, '.detail', /^Cell 1: leased, open for \d+ s, 2 leases$/);
    await page.mouse.move(0, 0);
    await page.focus('.cells');
    await page.keyboard.press('ArrowRight');
    await shows(page, '.detail', /^Cell 2: idle, open for \d+ s, 1 lease$/);
    expect(await page.getAttribute('.cells', 'aria-valuetext')).toMatch(/^Cell 2: idle/);
    await page.keyboard.press('End');
    await shows(page, '.detail', /^Cell 6: /);
    await page.keyboard.press('Home');
    await shows(page, '.detail', /^Cell 1: leased/);
    await page.click('.table summary');
    await shows(page, '.table tbody tr:nth-child(1)', /^1leased\d+ s2$/);
    expect(await page.locator('.table tbody tr').count()).toBe(6);
    lease.release();
    expectNoFaults(seen);
  });

  test('shows an outage while it lasts, and what happened when it is over', async () => {
    const { backend, url } = await application();
    const seen = await open(url);
    const { page } = seen;
    await shows(page, '.state', 'up');
    backend.die();
    await shows(page, '.state.down', 'down for');
    await shows(page, '.error', 'connect ECONNREFUSED 127.0.0.1:5432');
    await shows(page, '#happenings li', 'cannot connect: connect ECONNREFUSED');
    await shows(page, '#happenings li', '6 connections lost');
    backend.comeBack();
    await shows(page, '.state', 'up');
    await shows(page, '#happenings li', /connects again, after/);
    expect(await page.textContent('#news')).toMatch(/^orders: connects again, after/);
    await shows(page, '#happenings li', 'replaced');
    await shows(page, '#summary.quiet', '1 pool, 6 open connections');
    expect(await page.isVisible('.error')).toBe(false);
    expectNoFaults(seen);
  });

  test('shows leaks with the calls that led to them, retries, and callers that waited in vain', async () => {
    const { pools, url } = await application({ size: 1, settings: { leakDetection: 200 } });
    const seen = await open(url);
    const { page } = seen;
    await isLive(page);
    await shows(page, figure('Idle'), /^1$/);
    const pool = pools.get('orders');
    function keepsTheLease(): Promise<Lease<unknown>> {
      return pool.acquire();
    }
    const lease = await keepsTheLease();
    await expect(pool.acquire({ timeout: 10 })).rejects.toThrow('within 10 ms');
    const failing = (): Promise<never> => Promise.reject(new ConnectionError('gone <b>for good</b>'));
    await expect(retry(failing, { maxRetries: 1, delay: 0, logger: false })).rejects.toThrow('gone');
    await shows(page, '#happenings li', '1 caller waited in vain');
    await shows(page, '#happenings li', '1 retry; attempt 1 failed: gone <b>for good</b>');
    await shows(page, '#happenings li', '1 call given up');
    await shows(page, '#happenings li', 'a lease has been held for');
    expect(await page.locator('#happenings li', { hasText: 'a lease has been held for' }).count()).toBe(1);
    await page.click('#happenings summary');
    await shows(page, '#happenings pre', 'keepsTheLease');
    lease.release();
    expectNoFaults(seen);
  });

  test('shows names as text, whatever is in them', async () => {
    const name = `<img src=x onerror="document.title='caught'">`;
    const { url, backend } = await application({ names: [name] });
    backend.failure = new Error(name);
    const seen = await open(url);
    await shows(seen.page, 'h2.name', name);
    backend.die();
    await shows(seen.page, '.error', name);
    expect(await seen.page.locator('main img').count()).toBe(0);
    expect(await seen.page.title()).toBe('1 down · Connection pools');
    expectNoFaults(seen);
  });

  test.each(ADAPTERS)(
    'is kept from strangers on %s, each of its addresses, and opens for those let in',
    async (adapter) => {
      const { url } = await application({ adapter, options: { guards: [WithCookie] } });
      const seen = await open(url);
      expect(await seen.page.textContent('body')).toContain('Forbidden');
      for (const route of ROUTES) {
        const answer = await seen.page.evaluate(async (address) => (await fetch(address)).status, url + route);
        expect([route, answer]).toEqual([route, 403]);
      }
      await seen.page.context().addCookies([{ name: 'operator', value: 'olga', url }]);
      await seen.page.goto(url);
      await isLive(seen.page);
      await shows(seen.page, figure('Open'), '6 / 6');
    },
  );

  test('opens its stream again and again, and nobody sees it: it stays live, and keeps its lines and what was opened', async () => {
    const { pools, url } = await application({
      size: 1,
      settings: { leakDetection: 100 },
      options: { unguarded: true, streamLifetime: '1s' },
    });
    const seen = await open(url);
    const { page } = seen;
    await isLive(page);
    await page.evaluate(`
      globalThis.links = [];
      new MutationObserver(() => links.push(document.getElementById('link').textContent))
        .observe(document.getElementById('link'), { childList: true, attributes: true, subtree: true });
    `);
    const lease = await pools.get('orders').acquire();
    await page.click('#happenings summary');
    const begin = await page.textContent('#since');
    const streams = (): Promise<unknown> =>
      page.evaluate("performance.getEntriesByType('resource').filter(({ name }) => name.endsWith('/stream')).length");
    const before = Number(await streams());
    await until(async () => Number(await streams()) >= before + 2, 'two streams have ended');
    lease.release();
    await shows(page, figure('Idle'), /^1$/);
    expect(await page.evaluate('links')).toEqual([]);
    expect(await page.textContent('#since')).toBe(begin);
    expect(await page.locator('#happenings li').count()).toBe(1);
    expect(await page.locator('#happenings details[open]').count()).toBe(1);
    expectNoFaults(seen);
  });

  test('says so when its guards let it in no more, and does not ask again', async () => {
    let mayLook = true;
    let asked = 0;
    const guard = { canActivate: () => (asked++, mayLook) };
    const { url } = await application({ options: { guards: [guard], streamLifetime: '1s' } });
    const { page } = await open(url);
    await isLive(page);
    await page.clock.install();
    mayLook = false;
    await shows(page, '.link.gone', 'not allowed any more: reload the page to log in');
    const before = asked;
    await page.clock.runFor(10_000);
    // This one comes after any that the page would have sent.
    await page.evaluate('fetch(location.href)');
    expect(asked).toBe(before + 1);
  });

  test('does not say that there are no pools when it was told of none because it may not look', async () => {
    const isPage = (context: ExecutionContext): boolean =>
      !context.switchToHttp().getRequest<{ originalUrl: string }>().originalUrl.endsWith('/stream');
    const { url } = await application({ options: { guards: [{ canActivate: isPage }] } });
    const { page } = await open(url);
    await shows(page, '.link.gone', 'not allowed any more');
    await page.waitForFunction(() => performance.getEntriesByName('frame').length > 0);
    expect(await page.textContent('#summary')).toBe('');
    expect(await page.isVisible('#empty')).toBe(false);
  });

  test('says what the application answers in place of a stream, and is live again once there is one', async () => {
    let isUp = true;
    const guard = {
      canActivate: () => {
        if (!isUp) throw new ServiceUnavailableException();
        return true;
      },
    };
    const { url } = await application({ options: { guards: [guard], streamLifetime: '1s' } });
    const { page } = await open(url);
    await isLive(page);
    isUp = false;
    await shows(page, '.link.gone', 'the application answers with status 503; trying again');
    isUp = true;
    await isLive(page);
    expect(await page.textContent('#link')).toBe('live');
  });

  test('finds its lines as they were when it is loaded again', async () => {
    const { backend, url } = await application();
    const { page } = await open(url);
    await isLive(page);
    backend.die();
    await shows(page, '#happenings li', '6 connections lost');
    const begin = await page.textContent('#since');
    await page.reload();
    await shows(page, '#happenings li', '6 connections lost');
    expect(await page.textContent('#since')).toBe(begin);
  });

  test('says how many wait, and for how long the first of them, be the pool up or down', async () => {
    const { backend, pools, url } = await application({ size: 1, settings: { acquireTimeout: '1m' } });
    const seen = await open(url);
    const { page } = seen;
    await shows(page, figure('Idle'), /^1$/);
    const pool = pools.get('orders');
    const lease = pool.tryAcquire()!;
    const waiting = [1, 2, 3].map(() => pool.use(() => undefined));
    await shows(page, '.state.busy', /^▲ 3\swaiting,\sthe\sfirst\sfor\s\d+\sms$/);
    backend.die();
    lease.release();
    await shows(page, '.state.down', /^✕ down for \d+ s · 3\swaiting,\sthe\sfirst\sfor\s[\d.]+\sm?s$/);
    backend.comeBack();
    await Promise.all(waiting);
    await shows(page, '.state', /^✓ up$/);
    expectNoFaults(seen);
  });

  test('says in which time the lines are that it draws', async () => {
    const { url } = await application();
    const { page } = await open(url);
    await page.waitForSelector('.chart[aria-label*="callers since "]');
    const begin = /begin at (.*)\.$/.exec((await page.textContent('#since'))!)![1]!;
    const label = (await page.getAttribute('.chart', 'aria-label'))!;
    const [, time] = /since (\d\d:\d\d:\d\d); now: leased 0; idle 6/.exec(label)!;
    const seconds = (text: string): number => Date.parse(`1970-01-01T${text}Z`) / 1_000;
    // The first look is an interval after the begin.
    expect(seconds(time!) - seconds(begin)).toBeLessThanOrEqual(1);
  });

  test('stands still while it is paused', async () => {
    const { pools, url } = await application();
    const { page } = await open(url);
    await shows(page, figure('Leased'), /^0$/);
    await page.click('#pause');
    const frames = await page.evaluate(() => performance.getEntriesByName('frame').length);
    pools.get('orders').tryAcquire();
    // The stream goes on, which is how the test knows that there would have been something to draw.
    await page.evaluate(`new Promise((resolve) => {
      const source = new EventSource(location.pathname + '/stream');
      source.addEventListener('frame', ({ data }) => {
        if (!data.includes('"leased":1')) return;
        source.close();
        resolve();
      });
    })`);
    expect(await page.textContent(figure('Leased'))).toBe('0');
    expect(await page.evaluate(() => performance.getEntriesByName('frame').length)).toBe(frames);
    await page.click('#pause');
    await shows(page, figure('Leased'), /^1$/);
  });

  test('says so when the application is gone', async () => {
    const { application: app, url } = await application();
    const { page } = await open(url);
    await isLive(page);
    await app.close();
    await shows(page, '.link.gone', 'does not answer');
    expect(await page.textContent('.link')).toContain('trying again');
  });

  test('has no fault that axe-core finds, light and dark, wide and on a phone', async () => {
    const { backend, pools, url } = await application({
      names: ['orders', 'sessions-of-all-the-users-there-are'],
      settings: { leakDetection: 200 },
    });
    const seen = await open(url, { reducedMotion: 'reduce' });
    const { page } = seen;
    await shows(page, figure('Open'), '6 / 6');
    pools.get('orders').tryAcquire();
    await shows(page, '#happenings li', 'a lease has been held for');
    backend.die();
    // One connection is still leased.
    await shows(page, '.state.down', 'cannot connect for');
    await shows(page, '.state.down', 'down for');
    await page.click('.table summary');
    await page.click('#happenings summary');
    await page.evaluate(axe.source);
    for (const width of [1_280, 360]) {
      for (const colorScheme of ['light', 'dark'] as const) {
        await page.setViewportSize({ width, height: 800 });
        await page.emulateMedia({ colorScheme });
        const { violations } = await page.evaluate<axe.AxeResults>('axe.run()');
        const found = violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]);
        expect({ width, colorScheme, found }).toEqual({ width, colorScheme, found: [] });
      }
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
    }
    expectNoFaults(seen);
  });

  test('keeps up with 10 pools of 1,000 connections each, all of which change all the time', async () => {
    const names = Array.from({ length: 10 }, (_, index) => `pool-${index}`);
    const { pools, url } = await application({ names, size: 1_000 });
    let leases: Array<Lease<unknown>> = [];
    const timer = setInterval(() => {
      const before = leases;
      leases = names.flatMap((name) => Array.from({ length: 500 }, () => pools.get(name).tryAcquire()!));
      for (const lease of before) lease.release();
    }, 90);
    try {
      const seen = await open(url);
      const { page } = seen;
      await isLive(page);
      await page.waitForFunction(() => performance.getEntriesByName('frame').length > 20);
      // What the main thread did to take in and draw each frame, and not when it came to it.
      const work = await page.evaluate(() => performance.getEntriesByName('frame').map(({ duration }) => duration));
      const median = work.slice(5).toSorted((one, other) => one - other)[Math.floor((work.length - 5) / 2)]!;
      process.stderr.write(`A frame of 10 pools with 1,000 connections each takes ${median.toFixed(1)} ms to draw\n`);
      expect(median).toBeLessThan(50);
      expect(await page.evaluate(() => performance.getEntriesByName('draw').length)).toBe(0);
      expect(await page.getAttribute('.cells', 'aria-valuemax')).toBe('1000');
      expectNoFaults(seen);
    } finally {
      clearInterval(timer);
      for (const lease of leases) lease.release();
    }
  });
});
