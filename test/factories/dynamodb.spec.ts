import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  DeleteTableCommand,
  DescribeTableCommand,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
  QueryCommand,
  ScanCommand,
  type AttributeValue,
  type DynamoDBClientConfig,
} from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { generate } from 'selfsigned';
import {
  DynamoDbTableConnectionFactory,
  type DynamoDbTable,
  type DynamoDbTableConnectionOptions,
} from '../../src/factories/dynamodb.js';
import { ConnectionPool, isConnectionError, type PoolSettings } from '../../src/index.js';
import { whereInstalled } from '../servers/binaries.js';
import { dynamoDb, dynamoDbAt } from '../servers/dynamodb.js';
import { PrivateServer } from '../servers/private-server.js';
import { send } from '../servers/processes.js';
import { establishedTo } from '../servers/sockets.js';
import { pause, until } from '../until.js';
import { conformance, type Subject } from './conformance.js';
import { SilentServer } from './silent-server.js';

const pem = await generate([{ name: 'commonName', value: 'localhost' }], {
  keyType: 'ec',
  extensions: [{ name: 'subjectAltName', altNames: [{ type: 7, ip: '127.0.0.1' }] }],
});

type Options = Partial<DynamoDbTableConnectionOptions>;

function factory(port: number, options: Options = {}, scheme?: string): DynamoDbTableConnectionFactory {
  return new DynamoDbTableConnectionFactory({ ...dynamoDbAt(port, scheme), tableName: 'things', ...options });
}

const key = (id: string): Record<string, AttributeValue> => ({ id: { S: id } });

const get = ({ send: ask, tableName }: DynamoDbTable): Promise<unknown> =>
  ask(new GetItemCommand({ TableName: tableName, Key: key('1') }));

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

const WORK = {
  serve: get,
  dawdle: (table) => table.send(new ListTablesCommand({})),
  mistakes: {
    'a condition that does not hold': (table) =>
      table.send(
        new PutItemCommand({ TableName: table.tableName, Item: key('1'), ConditionExpression: 'attribute_exists(x)' }),
      ),
    'a key that is none': (table) =>
      table.send(new GetItemCommand({ TableName: table.tableName, Key: { x: { S: '' } } })),
    'a table that is not there': (table) => table.send(new DescribeTableCommand({ TableName: 'nothing' })),
    'more than the table can bear': (table) => table.send(new ScanCommand({ TableName: table.tableName })),
    'a fault of the service': (table) => table.send(new QueryCommand({ TableName: table.tableName })),
    'an error of his own': () => Promise.reject(new Error('his own')),
  },
  dirt: [],
  spoils: {
    'a command that nobody awaited': (table) => void failure(table.send(new ListTablesCommand({}))),
  },
  endSessions: (server) => Promise.resolve(send(server.pid!, 'SIGUSR2')),
} satisfies Partial<Subject<DynamoDbTable>>;

conformance<DynamoDbTable>({
  name: 'DynamoDbTableConnectionFactory',
  kind: dynamoDb(),
  factory: (port) => factory(port),
  stranger: {
    factory: (port) => factory(port, { tableName: 'nothing' }),
    error: /There is no table "nothing"/,
  },
  ...WORK,
});

conformance<DynamoDbTable>({
  name: 'DynamoDbTableConnectionFactory, with TLS and a key to ping with',
  kind: dynamoDb(pem),
  factory: (port) => factory(port, { agent: { ca: pem.cert }, pingKey: key('none') }, 'https'),
  stranger: { factory: (port) => factory(port, {}, 'https'), error: /self-signed certificate/ },
  ...WORK,
});

whereInstalled(dynamoDb(), describe)('DynamoDbTableConnectionFactory', () => {
  let server: PrivateServer;
  let pools: Array<ConnectionPool<DynamoDbTable>> = [];

  beforeAll(async () => {
    server = await PrivateServer.start(dynamoDb());
  });

  afterAll(() => server?.stop());

  afterEach(async () => {
    await Promise.all(pools.map((pool) => pool.close({ timeout: 0 })));
    pools = [];
  });

  function open(options: Options = {}, settings: PoolSettings = {}): ConnectionPool<DynamoDbTable> {
    const pool = new ConnectionPool(factory(server.port, options), { name: 'things', size: 1, ...settings });
    pools.push(pool);
    return pool;
  }

  /** Whether the next borrower, who does not have to wait for anything but his own answer, gets this handle. */
  async function servesAgain(pool: ConnectionPool<DynamoDbTable>, before: DynamoDbTable): Promise<boolean> {
    return pool.use(async (table) => {
      await get(table);
      return table === before;
    });
  }

  test('a handle whose connection is lost says so, and dials no more', async () => {
    const lease = await open().acquire();
    send(server.pid!, 'SIGUSR2');
    let error: unknown;
    const isLost = async (): Promise<boolean> => (error = await failure(get(lease.connection))) !== undefined;
    await until(isLost, 'the connection is lost');
    expect(String(error)).toContain('The connection to DynamoDB failed');
    expect(isConnectionError(error)).toBe(true);
    expect(String(await failure(get(lease.connection)))).toContain('The connection to DynamoDB failed: it was closed');
    expect(establishedTo(server.port)).toBe(0);
    lease.release(error);
  });

  test('a handle that was given back to a pool that closed it dials no more', async () => {
    const pool = open();
    const table = await pool.use((connection) => connection);
    await pool.close();
    expect(String(await failure(get(table)))).toContain('The connection to DynamoDB failed');
    expect(establishedTo(server.port)).toBe(0);
  });

  test('knows at once that a connection is lost', async () => {
    const tables = factory(server.port);
    const table = await tables.connect({ pool: 'things', attempt: 1, signal: AbortSignal.timeout(5_000) });
    expect(tables.isUsable(table)).toBe(true);
    send(server.pid!, 'SIGUSR2');
    await until(() => !tables.isUsable(table), 'it is not usable');
  });

  test('an answer that ends the connection is an answer', async () => {
    const body = JSON.stringify({ __type: 'com.amazonaws.dynamodb.v20120810#ValidationException', message: 'no' });
    const last = createServer((request, response) => {
      const isFirst = String(request.headers['x-amz-target']).endsWith('.DescribeTable');
      response.setHeader('content-type', 'application/x-amz-json-1.0');
      if (isFirst) response.end(JSON.stringify({ Table: { TableStatus: 'ACTIVE' } }));
      else response.writeHead(400, { connection: 'close' }).end(body);
    });
    last.listen(0, '127.0.0.1');
    await once(last, 'listening');
    const tables = factory((last.address() as AddressInfo).port);
    const table = await tables.connect({ pool: 'things', attempt: 1, signal: AbortSignal.timeout(5_000) });
    expect(await failure(get(table))).toMatchObject({ name: 'ValidationException', message: 'no' });
    expect(tables.isUsable(table)).toBe(false);
    last.close();
  });

  test('commands sent at once share the connection', async () => {
    const answers = await open().use((table) => Promise.all([get(table), get(table), get(table)]));
    expect(answers).toHaveLength(3);
    expect(establishedTo(server.port)).toBe(1);
  });

  test.each<[string, Options, number]>([
    ['once', {}, 1],
    ['as often as it is told', { maxAttempts: 2 }, 2],
  ])('sends a command that is throttled %s', async (_, options, attempts) => {
    const error = await failure(open(options).use((table) => table.send(new ScanCommand({ TableName: 'things' }))));
    expect(error).toMatchObject({ name: 'ProvisionedThroughputExceededException', $metadata: { attempts } });
  });

  test('an answer that does not come in time breaks the connection', async () => {
    const pool = open({ requestTimeout: 100 });
    const error = await failure(pool.use((table) => table.send(new ListTablesCommand({}))));
    expect(error).toMatchObject({ name: 'ConnectionError', cause: { name: 'TimeoutError' } });
    expect(isConnectionError(error)).toBe(true);
    expect(pool.stats().totals.closed.broken).toBe(1);
    await pool.use(get);
  });

  test('a command that its borrower aborts costs the connection, and is no break', async () => {
    const pool = open();
    const abortSignal = AbortSignal.timeout(50);
    const error = await failure(pool.use((table) => table.send(new ListTablesCommand({}), { abortSignal })));
    expect(error).toMatchObject({ name: 'AbortError' });
    expect(isConnectionError(error)).toBe(false);
    await pool.use(get);
    expect(pool.stats().totals.connected).toBe(2);
  });

  describe('is not handed on while a command goes on that nobody awaited', () => {
    const left = (table: DynamoDbTable): Promise<unknown> => failure(table.send(new ListTablesCommand({})));

    test('that waits for its answer: the next borrower has another, and does not wait', async () => {
      const pool = open();
      let outcome!: Promise<unknown>;
      const before = await pool.use((table) => {
        outcome = left(table);
        return table;
      });
      expect(await servesAgain(pool, before)).toBe(false);
      expect(isConnectionError(await outcome)).toBe(true);
      expect(pool.stats().totals).toMatchObject({ connected: 2, closed: { broken: 1 } });
    });

    test('that waits for its turn', async () => {
      const pool = open();
      const before = await pool.use(async (table) => {
        const first = get(table);
        void left(table);
        await first;
        return table;
      });
      expect(await servesAgain(pool, before)).toBe(false);
    });

    test('that the SDK is about to send again', async () => {
      let isAsked = false;
      const retryStrategy: DynamoDBClientConfig['retryStrategy'] = {
        mode: 'patient',
        acquireInitialRetryToken: () => Promise.resolve(tokenOf(0)),
        refreshRetryTokenForRetry: () => {
          if (isAsked) return Promise.reject(new Error('once is enough'));
          isAsked = true;
          return Promise.resolve(tokenOf(300));
        },
        recordSuccess: () => {},
      };
      const pool = open({ retryStrategy });
      const before = await pool.use(async (table) => {
        void failure(table.send(new ScanCommand({ TableName: table.tableName })));
        await until(() => isAsked, 'it was throttled');
        return table;
      });
      expect(await servesAgain(pool, before)).toBe(false);
    });

    test('but when it has failed, been aborted in time, or been answered, it is', async () => {
      const pool = open();
      const before = await pool.use(async (table) => {
        const abortSignal = AbortSignal.abort();
        await Promise.allSettled([
          ...[get(table), get(table), table.send(new ScanCommand({ TableName: table.tableName }))],
          table.send(new ListTablesCommand({}), { abortSignal }),
        ]);
        return table;
      });
      expect(await servesAgain(pool, before)).toBe(true);
      expect(pool.stats().totals).toMatchObject({ connected: 1, closed: { broken: 0 } });
    });
  });

  test('a command that its borrower aborts makes no other connection suspect, also if he goes on', async () => {
    const lines: string[] = [];
    const write = (line: unknown): number => lines.push(String(line));
    const pool = open({}, { size: 3, logger: { log: write, warn: write, error: write } });
    await pool.ready();
    await pool.use(async (table) => {
      await failure(table.send(new ListTablesCommand({}), { abortSignal: AbortSignal.timeout(50) }));
      await until(() => establishedTo(server.port) === 2, 'its connection is gone');
      await pause(20);
    });
    await pool.ready();
    expect(pool.stats().totals).toMatchObject({ connected: 4, pings: 0, connectFailures: 0, closed: { broken: 1 } });
    expect(lines).toEqual([]);
  });

  test('is handed on after each ping, to whoever waited for it', async () => {
    const pool = open({}, { checkAfterIdle: 0 });
    const before = await pool.use((table) => table);
    for (let turn = 0; turn < 3; turn++) expect(await servesAgain(pool, before)).toBe(true);
    expect(pool.stats().totals.pings).toBeGreaterThanOrEqual(3);
  });

  test('credentials that come after the connect was given up open nothing', async () => {
    let provide!: () => void;
    const asked = new Promise<void>((resolve) => (provide = resolve));
    const credentials: DynamoDBClientConfig['credentials'] = async () => {
      await asked;
      return { accessKeyId: 'ann', secretAccessKey: 'secret' };
    };
    const controller = new AbortController();
    const reason = new Error('given up');
    const connecting = failure(
      factory(server.port, { credentials }).connect({ pool: 'things', attempt: 1, signal: controller.signal }),
    );
    await pause(20);
    controller.abort(reason);
    expect(await connecting).toBe(reason);
    provide();
    await pause(50);
    expect(establishedTo(server.port)).toBe(0);
  });

  describe('credentials of a role', () => {
    const before = { ...process.env };
    let folder: string;

    beforeAll(() => {
      folder = mkdtempSync(path.join(tmpdir(), 'token-'));
      writeFileSync(path.join(folder, 'token'), 'ann');
    });

    afterEach(() => {
      process.env = { ...before };
    });

    afterAll(() => rmSync(folder, { recursive: true }));

    function askFor(port: number): void {
      Object.assign(process.env, {
        AWS_WEB_IDENTITY_TOKEN_FILE: path.join(folder, 'token'),
        AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/ann',
        AWS_ENDPOINT_URL_STS: `http://127.0.0.1:${port}`,
        AWS_REGION: 'us-east-1',
        AWS_EC2_METADATA_DISABLED: 'true',
      });
    }

    test('are asked for on connections that do not stay, and are not taken for the table’s', async () => {
      const sts = await answering(ROLE, 'text/xml');
      askFor(sts.port);
      await using pool = open({ credentials: undefined }, { size: 2 });
      await pool.ready();
      await Promise.all([pool.use(get), pool.use(get)]);
      expect(sts.requests()).toBe(2);
      await until(() => establishedTo(sts.port) === 0, 'they are gone');
      expect(establishedTo(server.port)).toBe(2);
      expect(pool.stats().totals).toMatchObject({ connected: 2, connectFailures: 0, closed: { broken: 0 } });
      sts.close();
    });

    test('are not waited for, nor asked for again, when the connect is given up', async () => {
      await using silent = await SilentServer.start();
      askFor(silent.port);
      const controller = new AbortController();
      const reason = new Error('given up');
      const connecting = failure(
        factory(server.port, { credentials: undefined }).connect({
          ...{ pool: 'things', attempt: 1, signal: controller.signal },
        }),
      );
      await until(() => silent.sockets.size === 1, 'they are asked for');
      controller.abort(reason);
      expect(await connecting).toBe(reason);
      // The SDK would ask again after some 100 ms.
      await pause(500);
      expect(silent.sockets.size).toBe(0);
    });
  });

  test.each(['http', 'https'])('an endpoint without a port is that of %s', async (scheme) => {
    const agent: Options['agent'] = { lookup: (_hostname, _options, callback) => callback(new Error('nowhere'), '') };
    const connecting = factory(server.port, { endpoint: `${scheme}://table.invalid`, agent }).connect({
      ...{ pool: 'things', attempt: 1, signal: AbortSignal.timeout(5_000) },
    });
    expect(String(await failure(connecting))).toBe('ConnectionError: The connection to DynamoDB failed: nowhere');
  });

  test('a table that is deleted is found out by the ping, which names it', async () => {
    const own = await PrivateServer.start(dynamoDb());
    try {
      for (const pingKey of [undefined, key('none')]) {
        await own.restart();
        await using pool = new ConnectionPool(factory(own.port, { pingKey }), {
          name: 'things',
          size: 1,
          keepalive: 20,
        });
        await pool.use((table) => table.send(new DeleteTableCommand({ TableName: 'things' })));
        await until(
          () => pool.stats().lastConnectError !== undefined,
          () => 'it is found out',
        );
        expect(String(pool.stats().lastConnectError)).toContain('There is no table "things"');
      }
    } finally {
      await own.stop();
    }
  });

  test.each([
    ['CREATING', 'The table "things" is CREATING'],
    ['UPDATING', undefined],
  ])('a table that is %s', async (status, error) => {
    const { port, close } = await answering(
      JSON.stringify({ Table: { TableStatus: status } }),
      'application/x-amz-json-1.0',
    );
    await using pool = new ConnectionPool(factory(port), { name: 'things', size: 1 });
    try {
      const problem = await failure(pool.use(() => 'served', { timeout: 300 }));
      expect((problem as Error | undefined)?.cause).toEqual(error === undefined ? undefined : new Error(error));
    } finally {
      await pool.close({ timeout: 0 });
      close();
    }
  });
});

/** That of a retry strategy that lets the SDK wait for so long. */
function tokenOf(delay: number): { getRetryCount(): number; getRetryDelay(): number } {
  return { getRetryCount: () => 1, getRetryDelay: () => delay };
}

interface Answering {
  readonly port: number;
  requests(): number;
  close(): void;
}

/** A server in this process that has one answer to everything. */
async function answering(answer: string, type: string): Promise<Answering> {
  let requests = 0;
  const server = createServer({ keepAliveTimeout: 60_000 }, (_, response) => {
    requests++;
    response.setHeader('content-type', type).end(answer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { port, requests: () => requests, close };
}

/** What AWS answers to AssumeRoleWithWebIdentity. */
const ROLE = `
  <AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
    <AssumeRoleWithWebIdentityResult>
      <Credentials>
        <AccessKeyId>ASIAANN</AccessKeyId>
        <SecretAccessKey>secret</SecretAccessKey>
        <SessionToken>session</SessionToken>
        <Expiration>2099-01-01T00:00:00Z</Expiration>
      </Credentials>
    </AssumeRoleWithWebIdentityResult>
  </AssumeRoleWithWebIdentityResponse>
`;
