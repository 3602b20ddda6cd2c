import { channel, tracingChannel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { get, type ClientRequest, type IncomingMessage, type Server } from 'node:http';
import { describe, expect, jest, test } from '@jest/globals';
import {
  Inject,
  Injectable,
  Module,
  VersioningType,
  type CanActivate,
  type ExecutionContext,
  type INestApplication,
  type ModuleMetadata,
} from '@nestjs/common';
import { ConnectionPoolModule } from '../../src/index.js';
import { ConnectionPoolDashboardModule, type ConnectionPoolDashboardOptions } from '../../src/dashboard/dashboard.js';
import { dashboardController } from '../../src/dashboard/dashboard.controller.js';
import { PAGE_NAMES } from '../../src/dashboard/page-files.js';
import { until } from '../until.js';
import { ADAPTERS, clockThatRuns, listening } from './applications.js';
import { Backend, factoryTo } from './backend.js';

const ROUTES = ['', ...PAGE_NAMES.map((name) => `/${name}`), '/stream'];

const guards: CanActivate[] = [];

/** What the guard injects, of a module of its own. */
class Accounts {
  isOperator(name: unknown): boolean {
    return name === 'olga';
  }
}

@Module({ providers: [Accounts], exports: [Accounts] })
class AccountsModule {}

@Injectable()
class OperatorsOnly implements CanActivate {
  constructor(@Inject(Accounts) private readonly accounts: Accounts) {}

  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<{ headers: Record<string, string> }>();
    return this.accounts.isOperator(headers['x-user']);
  }
}

function withDashboard(options: ConnectionPoolDashboardOptions): ModuleMetadata {
  const pools = ConnectionPoolModule.forFeature([{ factory: factoryTo(new Backend(), 'mail'), size: 2 }]);
  return { imports: [pools, ConnectionPoolDashboardModule.forRoot({ interval: 100, ...options })] };
}

const OPEN = { path: 'pools/live', unguarded: true };

/** Asks, and hands the answer over as soon as its head is there: that of the stream has no end. */
async function ask(url: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const [response] = (await once(get(url, { headers, agent: false }), 'response')) as [IncomingMessage];
  return response;
}

async function statusOf(url: string, headers?: Record<string, string>): Promise<number> {
  const response = await ask(url, headers);
  response.destroy();
  return response.statusCode!;
}

/** A page that follows the stream. */
class Follower {
  received = '';
  hasEnded = false;
  private readonly request: ClientRequest;

  constructor(url: string) {
    this.request = get(url, { agent: false }, (response) => {
      response.setEncoding('utf8').on('data', (text: string) => (this.received += text));
      response.on('end', () => (this.hasEnded = true));
    });
    this.request.on('error', () => undefined);
  }

  leave(): void {
    this.request.destroy();
  }

  /** What it was sent so far. */
  get events(): string[] {
    return [...this.received.matchAll(/^event: (\w+)$/gm)].map(([, kind]) => kind!);
  }
}

function isListening(): boolean {
  return (
    channel('nestjs-connection-pool:leak').hasSubscribers ||
    tracingChannel('nestjs-connection-pool:acquire').end.hasSubscribers
  );
}

describe.each(ADAPTERS)('the dashboard on %s', (adapter) => {
  test('answers at each of its addresses', async () => {
    const { url } = await listening(withDashboard(OPEN), adapter);
    const page = await fetch(`${url}/pools/live`);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(await page.text()).toContain('<title>Connection pools</title>');
    for (const name of PAGE_NAMES) {
      const file = await fetch(`${url}/pools/live/${name}`);
      const type = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml' };
      expect([name, file.status, file.headers.get('content-type')]).toEqual([
        name,
        200,
        type[name.split('.')[1] as keyof typeof type],
      ]);
      expect((await file.text()).length).toBeGreaterThan(100);
    }
    const stream = await ask(`${url}/pools/live/stream`);
    expect(stream.headers['content-type']).toBe('text/event-stream');
    stream.destroy();
    expect(await statusOf(`${url}/pools/live/nothing.js`)).toBe(404);
  });

  test('lets only those in whom its guards let in, at each of its addresses', async () => {
    const options = { path: 'pools/live', imports: [AccountsModule], guards: [OperatorsOnly] };
    const { url } = await listening(withDashboard(options), adapter);
    for (const route of ROUTES) {
      const address = `${url}/pools/live${route}`;
      expect([route, await statusOf(address), await statusOf(address, { 'x-user': 'eve' })]).toEqual([route, 403, 403]);
      expect([route, await statusOf(address, { 'x-user': 'olga' })]).toEqual([route, 200]);
      expect([route, (await fetch(address, { method: 'HEAD' })).status]).toEqual([route, 403]);
    }
  });

  test('takes a guard that is an object', async () => {
    const guards = [{ canActivate: () => false }];
    const { url } = await listening(withDashboard({ guards }), adapter);
    expect(await statusOf(`${url}/connection-pools`)).toBe(403);
  });

  test('allows the page nothing but what comes from its own address, and no cache to keep it', async () => {
    const { url } = await listening(withDashboard(OPEN), adapter);
    for (const route of ROUTES) {
      const response = await ask(`${url}/pools/live${route}`);
      response.destroy();
      const { headers } = response;
      const policy = String(headers['content-security-policy']).split('; ');
      expect(policy).toEqual(expect.arrayContaining(["default-src 'none'", "script-src 'self'", "style-src 'self'"]));
      expect(policy).toEqual(expect.arrayContaining(["connect-src 'self'", "frame-ancestors 'none'"]));
      expect(policy.join()).not.toContain('unsafe');
      expect(headers).toMatchObject({ 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' });
      expect(headers['cache-control']).toMatch(route === '/stream' ? /no-store, no-transform/ : /private, no-cache/);
    }
  });

  test('sends a file again only if it is another', async () => {
    const { url } = await listening(withDashboard(OPEN), adapter);
    const address = `${url}/pools/live/uplot.js`;
    const etag = (await fetch(address)).headers.get('etag')!;
    const again = await fetch(address, { headers: { 'if-none-match': etag } });
    expect([again.status, await again.text()]).toEqual([304, '']);
    expect((await fetch(address, { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
  });

  test.each(['', '/page.js', '/stream'])('tells the head alone of "%s" to those who ask for that', async (route) => {
    const { url } = await listening(withDashboard(OPEN), adapter);
    const response = await fetch(`${url}/pools/live${route}`, { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  });

  test('only looks: no other method leads anywhere', async () => {
    const { url } = await listening(withDashboard(OPEN), adapter);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      for (const route of ROUTES) expect((await fetch(`${url}/pools/live${route}`, { method })).status).toBe(404);
    }
    const head = await fetch(`${url}/pools/live/stream`, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(isListening()).toBe(false);
  });

  test.each([
    ['a global prefix', (application: INestApplication) => void application.setGlobalPrefix('api'), '/api/pools/live'],
    [
      'versions in addresses',
      (application: INestApplication) =>
        void application.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' }),
      '/pools/live',
    ],
  ])('stands with %s where it should', async (_, prepare, path) => {
    const { url } = await listening(withDashboard(OPEN), adapter, prepare);
    expect(await statusOf(`${url}${path}`)).toBe(200);
    expect(await statusOf(`${url}${path}/stream`)).toBe(200);
  });

  test('names its files relative to its own address, whatever stands before that', async () => {
    const { url } = await listening(withDashboard(OPEN), adapter);
    const html = await (await fetch(`${url}/pools/live?a=/b`)).text();
    const addresses = [...html.matchAll(/(?:src|href)="([^"]*)"/g)].map(([, address]) => address!);
    expect(addresses.length).toBeGreaterThan(3);
    for (const address of addresses) {
      const path = new URL(address, 'https://ops.example/behind/a/proxy/live').pathname;
      expect(path).toMatch(/^\/behind\/a\/proxy\/live\/[a-z.]+$/);
      expect(PAGE_NAMES).toContain(path.split('/').at(-1));
    }
  });

  test('puts nothing into the page that somebody wrote into its address', async () => {
    const { url } = await listening(withDashboard({ path: ':tenant', unguarded: true }), adapter);
    const response = await ask(`${url}/"><script>alert(1)<%2fscript>&'`);
    response.setEncoding('utf8');
    let html = '';
    for await (const text of response) html += String(text);
    expect(response.statusCode).toBe(200);
    expect(html).not.toContain('alert(1)<');
    expect(html.match(/<script/g)).toHaveLength(2);
    expect(html).toContain('src="./%22%3E%3Cscript%3Ealert(1)%3C%2fscript%3E%26');
  });

  test('listens to nothing before the first page, and some seconds after the last', async () => {
    const { url } = await listening(withDashboard(OPEN), adapter, undefined, clockThatRuns(20));
    await fetch(`${url}/pools/live`);
    expect(isListening()).toBe(false);
    const [one, other] = [new Follower(`${url}/pools/live/stream`), new Follower(`${url}/pools/live/stream`)];
    await until(() => one.events.length > 1 && other.events.length > 1, 'both are sent something');
    expect(isListening()).toBe(true);
    expect(one.events.slice(0, 2)).toEqual(['snapshot', 'frame']);
    one.leave();
    const seen = other.events.length;
    await until(() => other.events.length > seen + 1, 'the other goes on');
    expect(isListening()).toBe(true);
    other.leave();
    await until(() => !isListening(), 'nobody listens any more');
  });

  test('asks its guards again after a time, and lets nobody go on whose rights have ended', async () => {
    let mayLook = true;
    const guards = [{ canActivate: () => mayLook }];
    const options = { path: 'pools/live', guards, streamLifetime: '1s' };
    const { url } = await listening(withDashboard(options), adapter, undefined, clockThatRuns(10));
    const follower = new Follower(`${url}/pools/live/stream`);
    await until(() => follower.hasEnded, 'its time is over');
    expect(follower.events.at(-1)).toBe('renew');
    const again = new Follower(`${url}/pools/live/stream`);
    await until(() => again.events.length > 0, 'it is let in again');
    const since = /"since":\d+/;
    expect(since.exec(again.received)![0]).toBe(since.exec(follower.received)![0]);
    mayLook = false;
    await until(() => again.hasEnded, 'its time is over');
    expect(await statusOf(`${url}/pools/live/stream`)).toBe(403);
  });

  test('ends its streams when the application is closed, and does not hold it up', async () => {
    const { application, url } = await listening(withDashboard(OPEN), adapter);
    const follower = new Follower(`${url}/pools/live/stream`);
    await until(() => follower.events.length > 0, 'it follows');
    const start = performance.now();
    await application.close();
    // Node would wait five seconds for a connection that is kept alive.
    expect(performance.now() - start).toBeLessThan(4_000);
    await until(() => follower.hasEnded, 'its stream has ended');
    expect(isListening()).toBe(false);
  });

  test('is told of pools by name, and of errors by their message alone', async () => {
    const backend = new Backend();
    backend.isUp = false;
    const failure = Object.assign(new Error('login failed'), { config: { password: 's3cret' } });
    backend.failure = failure;
    const pools = ConnectionPoolModule.forFeature([{ factory: factoryTo(backend, '<b>mail</b>'), size: 2 }]);
    const { url } = await listening(
      { imports: [pools, ConnectionPoolDashboardModule.forRoot({ ...OPEN, interval: 100 })] },
      adapter,
    );
    const follower = new Follower(`${url}/pools/live/stream`);
    await until(() => follower.received.includes('login failed'), 'the failure is told');
    expect(follower.received).not.toContain('s3cret');
    expect(follower.received).toContain('<b>mail</b>');
    follower.leave();
  });
});

test.each(ADAPTERS)('a page that has gone while a guard was deciding is not waited for, on %s', async (adapter) => {
  let decide!: (mayEnter: boolean) => void;
  const isAsked = new Promise<void>((asked) => {
    class SlowGuard implements CanActivate {
      canActivate(): Promise<boolean> {
        asked();
        return new Promise((resolve) => (decide = resolve));
      }
    }
    guards.push(new SlowGuard());
  });
  const { application, url } = await listening(
    withDashboard({ path: 'pools/live', guards: guards.splice(0) }),
    adapter,
  );
  const page = new Follower(`${url}/pools/live/stream`);
  await isAsked;
  const server = application.getHttpServer() as Server;
  page.leave();
  await until(() => new Promise((resolve) => server.getConnections((_, open) => resolve(open === 0))), 'it has gone');
  decide(true);
  await new Promise((resolve) => setImmediate(resolve));
  expect(channel('nestjs-connection-pool:leak').hasSubscribers).toBe(false);
});

test('with a slash at its end, which Express lets pass, the page finds its files all the same', async () => {
  const { url } = await listening(withDashboard(OPEN), 'Express');
  const page = await (await fetch(`${url}/pools/live/`)).text();
  expect(page).toContain('"./page.js"');
  expect(page).not.toContain('{base}');
});

test('in capitals, which are the same to Express, there is no file', async () => {
  const { url } = await listening(withDashboard(OPEN), 'Express');
  expect(await statusOf(`${url}/pools/live/PAGE.JS`)).toBe(404);
});

test('over HTTP/2, which has no such header, the connection is not asked to close', () => {
  const attach = jest.fn();
  const Dashboard = dashboardController('pools/live', []);
  const dashboard = new Dashboard({ attach }) as { live(request: object, response: object): void };
  const headersOver = (httpVersionMajor: number): string[] => {
    const names: string[] = [];
    const response = { setHeader: (name: string) => names.push(name) };
    dashboard.live({ method: 'GET', originalUrl: '/pools/live/stream', httpVersionMajor }, response);
    expect(attach).toHaveBeenLastCalledWith(response);
    return names;
  };
  expect(headersOver(1)).toContain('connection');
  expect(headersOver(2)).not.toContain('connection');
});

test('an application does not start with a dashboard that anybody may see, unless told so', () => {
  expect(() => withDashboard({ path: 'pools/live' })).toThrow(/guards: received none/);
});

test('two dashboards in one application have guards of their own', async () => {
  const strict = ConnectionPoolDashboardModule.forRoot({
    path: 'strict',
    imports: [AccountsModule],
    guards: [OperatorsOnly],
  });
  const { imports } = withDashboard({ path: 'lax', unguarded: true });
  const { url } = await listening({ imports: [...imports!, strict] });
  expect(await statusOf(`${url}/strict/stream`)).toBe(403);
  expect(await statusOf(`${url}/lax/stream`)).toBe(200);
});
