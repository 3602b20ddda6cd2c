import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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
    const { port, close } = await answering({ Table: { TableStatus: status } });
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

async function answering(answer: object): Promise<{ port: number; close(): void }> {
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'application/x-amz-json-1.0').end(JSON.stringify(answer));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, close: () => server.close() };
}
