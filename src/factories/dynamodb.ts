import http from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import {
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  type AttributeValue,
  type DynamoDBClientConfig,
} from '@aws-sdk/client-dynamodb';
import { ConnectionError } from '../pool/connection-error.js';
import type { ConnectContext, HookContext } from '../pool/connection-factory.js';
import { ClientConnectionFactory } from './client/client-connection-factory.js';
import { ignoreErrors, watchDeath } from './client/death.js';
import { opening } from './client/opening.js';

export type { OptionsSource } from './client/configured-connection-factory.js';

/** What a `DynamoDBClient` takes, but for its `requestHandler`: that one has the connection. */
export interface DynamoDbTableConnectionOptions extends Omit<DynamoDBClientConfig, 'requestHandler'> {
  /** The table's name or ARN. A table that is not there, or not ready yet, is a failed connect. */
  readonly tableName: string;
  /** What Node's agents take: `ca`, `rejectUnauthorized`, `localAddress`, `family` … */
  readonly agent?: https.AgentOptions;
  /**
   * How often a command is sent at most. Default: 1, for another connection serves a retry better; with more, the client
   * itself waits and asks again where it is throttled.
   */
  readonly maxAttempts?: DynamoDBClientConfig['maxAttempts'];
  /** How long an answer may take, in milliseconds; it costs the connection. Default: for ever. */
  readonly requestTimeout?: number;
  /**
   * The key of an item, there or not, that is read for a ping (half a unit of read capacity). Default: none; the table is
   * described, which takes no capacity, but a permission, and which AWS does not serve to many at a time.
   */
  readonly pingKey?: Readonly<Record<string, AttributeValue>>;
}

/** A table, and one connection to it. */
export interface DynamoDbTable {
  readonly tableName: string;
  /** It has this one connection, and opens no other. Whoever closes it loses it. */
  readonly client: DynamoDBClient;
  /** Sends a command: `client.send`. One at a time; others wait for it. */
  readonly send: DynamoDBClient['send'];
}

/**
 * Connections to a table of DynamoDB, by `@aws-sdk/client-dynamodb`: each a handle on the table with a client and a socket of
 * its own, on which the table has answered.
 *
 * @example
 * class Orders extends DynamoDbTableConnectionFactory {
 *   constructor(config: ConfigService) {
 *     super({ region: 'eu-central-1', tableName: config.getOrThrow('ORDERS_TABLE') });
 *   }
 * }
 */
export class DynamoDbTableConnectionFactory extends ClientConnectionFactory<
  DynamoDbTable,
  DynamoDbTableConnectionOptions
> {
  private readonly lines = new WeakMap<DynamoDbTable, Line>();
  private readonly pings = new WeakMap<DynamoDbTable, DynamoDbTableConnectionOptions['pingKey']>();

  override isUsable(table: DynamoDbTable): boolean {
    const { destroyed, readable, writable } = this.socketOf(table);
    return !destroyed && readable && writable;
  }

  /** Behind a command that goes on those of the next borrower would have to wait. */
  override reset(table: DynamoDbTable): void {
    if (this.lines.get(table)!.commands > 0) throw new Error('The table came back while a command went on');
  }

  override watch(table: DynamoDbTable, broken: (error?: unknown) => void): () => void {
    const line = this.lines.get(table)!;
    return watchDeath(line.socket!, ['close'], (error) => broken(line.abortedBy ?? error));
  }

  /** Whoever aborts a command cuts off its connection. */
  override isAbandonment(error: unknown): boolean {
    return error instanceof Error && error.name === 'AbortError';
  }

  /** One round trip: the table is described, or an item of it is read. */
  override keepalive(table: DynamoDbTable, { signal }: HookContext): Promise<void> {
    return ask(table, this.pings.get(table), signal);
  }

  override destroy(table: DynamoDbTable): void {
    this.lines.get(table)!.cut();
  }

  protected override async open(
    { tableName, agent, requestTimeout, pingKey, ...config }: DynamoDbTableConnectionOptions,
    { signal }: ConnectContext,
  ): Promise<DynamoDbTable> {
    const line = new Line(agent);
    const client = new DynamoDBClient({
      maxAttempts: 1,
      ...config,
      requestHandler: {
        httpAgent: line.http,
        httpsAgent: line.https,
        requestTimeout,
        // It would only say so on the console.
        throwOnRequestTimeout: true,
      },
    });
    client.middlewareStack.add(
      (next) => async (args) => {
        line.commands++;
        try {
          return await next(args);
        } finally {
          line.commands--;
        }
      },
      // Outside the SDK's own retries, whose pauses are part of a command.
      { step: 'initialize', priority: 'high' },
    );
    client.middlewareStack.add(
      (next) => async (args) => {
        line.aim(args.request as Target);
        return next(args).catch((error: unknown) => line.explain(error));
      },
      // Inside the SDK's own retries, which would be in vain.
      { step: 'finalizeRequest', priority: 'low' },
    );
    const table: DynamoDbTable = { tableName, client, send: client.send.bind(client) };
    this.lines.set(table, line);
    this.pings.set(table, pingKey);
    await opening(
      signal,
      () => ask(table, pingKey, signal),
      () => this.destroy(table),
    );
    return table;
  }

  /** HTTP has no goodbye. */
  protected override part(table: DynamoDbTable): void {
    this.destroy(table);
  }

  private socketOf(table: DynamoDbTable): Socket {
    return this.lines.get(table)!.socket!;
  }
}

/** Where a request goes to. */
interface Target {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
}

/**
 * The one connection of a client. By itself a client would dial again whenever it has lost one, and also when it was destroyed.
 *
 * The SDK asks for credentials (of a role, a web identity) over the same agents: those connections come and go.
 */
class Line {
  socket: Socket | undefined;
  /** How many are under way. */
  commands = 0;
  /** What a command failed with whose borrower gave it up, and cut off the connection with it. */
  abortedBy: unknown;
  readonly http: http.Agent;
  /** The SDK takes either, as the endpoint says. */
  readonly https: https.Agent;
  /** Host and port of the table; unknown before the first command. */
  private target: string | undefined;
  private isOver = false;

  constructor(options: https.AgentOptions = {}) {
    const one = { keepAliveMsecs: 10_000, ...options, keepAlive: true, maxSockets: 1, maxFreeSockets: 1 };
    this.http = this.tap(new http.Agent(one));
    this.https = this.tap(new https.Agent(one));
  }

  aim({ protocol, hostname, port = protocol === 'https:' ? 443 : 80 }: Target): void {
    this.target ??= `${hostname}:${port}`;
  }

  /** @throws what a command failed with; if the connection was lost, as an error that says so, and as one of this realm */
  explain(error: unknown): never {
    const { name, message } = error as Error;
    const isAnswer = '$fault' in (error as object);
    if (isAnswer || this.socket?.destroyed !== true) throw error;
    if (name === 'AbortError') {
      this.abortedBy ??= error;
      throw error;
    }
    throw new ConnectionError(`The connection to DynamoDB failed: ${message}`, { cause: error });
  }

  cut(): void {
    this.isOver = true;
    this.http.destroy();
    this.https.destroy();
  }

  private tap<A extends http.Agent>(agent: A): A {
    const dial = agent.createConnection.bind(agent);
    agent.createConnection = (options, callback) => {
      const isToTable = `${options.host}:${options.port}` === this.target;
      if (this.isOver || (isToTable && this.socket !== undefined)) {
        const error = new ConnectionError('it was closed');
        process.nextTick(() => callback?.(error, undefined as never));
        return undefined;
      }
      const socket = dial(options, callback) as Socket;
      ignoreErrors(socket);
      if (isToTable) this.socket = socket;
      return socket;
    };
    // One that was opened for credentials, where they are at the same address, must not be taken for the table's.
    const keep = agent.keepSocketAlive.bind(agent);
    agent.keepSocketAlive = (socket) => (socket === this.socket ? keep(socket) : undefined);
    return agent;
  }
}

/** @throws Error if the table is not there, or not ready; whatever else the SDK throws */
async function ask(
  { client, tableName }: DynamoDbTable,
  key: DynamoDbTableConnectionOptions['pingKey'],
  abortSignal: AbortSignal,
): Promise<void> {
  try {
    if (key !== undefined) {
      await client.send(new GetItemCommand({ TableName: tableName, Key: key }), { abortSignal });
      return;
    }
    const { Table } = await client.send(new DescribeTableCommand({ TableName: tableName }), { abortSignal });
    const status = Table?.TableStatus;
    if (status !== 'ACTIVE' && status !== 'UPDATING') throw new Error(`The table "${tableName}" is ${status}`);
  } catch (error) {
    // With GetItem, the service itself does not name the table.
    if ((error as Error).name !== 'ResourceNotFoundException') throw error;
    throw new Error(`There is no table "${tableName}"`, { cause: error });
  }
}
