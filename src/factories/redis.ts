import {
  ClientClosedError,
  ClientOfflineError,
  ConnectionTimeoutError,
  createClient,
  DisconnectsClientError,
  ErrorReply,
  SocketClosedUnexpectedlyError,
  SocketTimeoutError,
  type RedisClientOptions,
  type RedisClientType,
  type RedisFunctions,
  type RedisModules,
  type RedisScripts,
  type RespVersions,
  type TypeMapping,
} from 'redis';
import { ConnectionError } from '../pool/connection-error.js';
import type { ConnectContext } from '../pool/connection-factory.js';
import type { Fault } from '../pool/rules.js';
import { choiceFaults } from './client/choice.js';
import { ClientConnectionFactory } from './client/client-connection-factory.js';
import { ignoreErrors, watchDeath } from './client/death.js';
import { guardListeners, takeOffListeners } from './client/listeners.js';
import { opening } from './client/opening.js';

export type { OptionsSource } from './client/configured-connection-factory.js';

/** What `redis` takes, and what is undone between two borrowers. */
export interface RedisConnectionOptions<
  M extends RedisModules = RedisModules,
  F extends RedisFunctions = RedisFunctions,
  S extends RedisScripts = RedisScripts,
  RESP extends RespVersions = 3,
  T extends TypeMapping = TypeMapping,
> extends RedisClientOptions<M, F, S, RESP, T> {
  /**
   * What is undone when a connection comes back. Default: `'session'`.
   *
   * - `'session'`: another database, WATCH, MULTI, subscriptions. One round trip, and more only where there is more to undo.
   * - `'transaction'`: WATCH and subscriptions, of which the client knows. Nothing is asked where there are none.
   * - `'none'`: nothing.
   */
  readonly reset?: 'session' | 'transaction' | 'none';
}

/** What has to be remembered of a client. */
interface Origin extends Pick<RedisConnectionOptions, 'reset'> {
  readonly database: number;
  /** Whether it was asked for what no reset undoes, such as to be somebody else. */
  isOther: boolean;
  /** Cuts it off, whatever it is doing. */
  cut(): void;
}

/**
 * Connections to Redis, by `redis`. Its parameters are those of the client: modules, functions, scripts, the protocol's
 * version, and how replies are mapped to types.
 *
 * @example
 * class JobsConnectionFactory extends RedisConnectionFactory {
 *   constructor(config: ConfigService) {
 *     super({ url: config.getOrThrow('REDIS_URL') });
 *   }
 * }
 */
export class RedisConnectionFactory<
  M extends RedisModules = {},
  F extends RedisFunctions = {},
  S extends RedisScripts = {},
  RESP extends RespVersions = 3,
  T extends TypeMapping = {},
> extends ClientConnectionFactory<RedisClientType<M, F, S, RESP, T>, RedisConnectionOptions<M, F, S, RESP, T>> {
  private readonly origins = new WeakMap<object, Origin>();

  override isUsable(client: RedisClientType<M, F, S, RESP, T>): boolean {
    return client.isOpen;
  }

  /** The client never listens to itself. */
  override watch(client: RedisClientType<M, F, S, RESP, T>, broken: (error?: unknown) => void): () => void {
    return guardListeners(client, watchDeath(client, ['error', 'end'], broken));
  }

  /** One round trip. */
  override async keepalive(client: RedisClientType<M, F, S, RESP, T>): Promise<void> {
    const answer = await permitted(client.sendCommand(['PING']));
    if (isQueued(answer)) throw new ConnectionError('The connection was left within MULTI');
  }

  override reset(client: RedisClientType<M, F, S, RESP, T>): void | Promise<void> {
    takeOffListeners(client);
    const origin = this.origins.get(client)!;
    if (origin.isOther) throw new Error('The connection came back logged in as somebody else, or in another mode');
    const isClean = !client.isPubSubActive && !client.isDirtyWatch && !client.isWatching;
    if (origin.reset === 'none' || (origin.reset === 'transaction' && isClean)) return undefined;
    return this.undo(client, origin);
  }

  private async undo(client: RedisClientType<M, F, S, RESP, T>, { reset, database }: Origin): Promise<void> {
    if (client.isPubSubActive || client.isDirtyWatch) await client.reset();
    if (reset === 'transaction') {
      if (client.isWatching) await client.unwatch();
      return;
    }
    // Nobody knows what was sent as a bare command. Not reset(), which takes longer, and selects the borrower's database again.
    const [, answer] = await Promise.all([permitted(client.select(database)), permitted(client.unwatch())]);
    if (isQueued(answer)) await Promise.all([client.sendCommand(['DISCARD']), client.select(database)]);
  }

  override isConnectionError(error: unknown): boolean {
    return BROKEN.some((each) => error instanceof each) || repliedWith(error, 'NOAUTH');
  }

  override destroy(client: RedisClientType<M, F, S, RESP, T>): void {
    this.origins.get(client)!.cut();
  }

  protected override faultsOf({ reset }: RedisConnectionOptions<M, F, S, RESP, T>): Fault[] {
    return choiceFaults('reset', reset, ['session', 'transaction', 'none']);
  }

  protected override async open(
    options: RedisConnectionOptions<M, F, S, RESP, T>,
    { pool, signal }: ConnectContext,
  ): Promise<RedisClientType<M, F, S, RESP, T>> {
    const { reset, socket, ...config } = options;
    const controller = new AbortController();
    const client = createClient<M, F, S, RESP, T>({
      name: nameFor(pool),
      maintNotifications: 'disabled',
      ...config,
      disableOfflineQueue: true,
      socket: {
        // The pool's own covers all of it.
        connectTimeout: 0,
        keepAliveInitialDelay: 10_000,
        ...socket,
        reconnectStrategy: false,
        signal: controller.signal,
      } as SocketOptions,
    });
    shareListeners(client);
    ignoreErrors(client);
    const cut = (): void => {
      try {
        client.destroy();
      } catch {
        // Before 6.3 it refuses once a connect has failed, or a polite close has begun.
      }
      // While it dials the client has no socket yet that it could destroy.
      controller.abort();
    };
    const origin: Origin = { reset, database: client.options.database ?? 0, isOther: false, cut };
    this.origins.set(client, origin);
    noteCommands(client, origin);
    await opening(
      signal,
      async () => {
        await client.connect();
        // In RESP 2 and without a password nothing has been said yet, and so nothing been answered.
        await permitted(client.sendCommand(['PING']));
      },
      cut,
    );
    return client;
  }

  /** What is under way is waited for. */
  protected override part(client: RedisClientType<M, F, S, RESP, T>): Promise<void> {
    return client.close();
  }
}

type SocketOptions = RedisClientOptions['socket'];

/**
 * What all that a client is asked passes through, by whatever method, and the proxies that it makes of itself inherit. It
 * says hello by none of them, and so do its own methods for subscriptions, of which it keeps account.
 */
interface Funnel {
  sendCommand(args: Command, ...more: unknown[]): unknown;
  _executeMulti(commands: Batch, ...more: unknown[]): unknown;
  _executePipeline(commands: Batch, ...more: unknown[]): unknown;
  MONITOR(...args: unknown[]): unknown;
  monitor(...args: unknown[]): unknown;
  /** Called by the client alone, with what its streaming credentials provider says. */
  reAuthenticate(credentials: unknown): Promise<void>;
}

type Command = readonly unknown[];
type Batch = ReadonlyArray<{ readonly args: Command }>;

/**
 * A client and its proxies have the same listeners, but each counts them for itself, and at none has listeners of its own from
 * then on, to which nobody speaks. With one list and one count for all it does not matter who adds one and who removes it.
 */
function shareListeners(client: object): void {
  const { _self: self } = client as { readonly _self: Record<string, unknown> };
  for (const key of ['_events', '_eventsCount']) {
    let shared = self[key];
    const set = (value: unknown): void => {
      shared = value;
    };
    Object.defineProperty(self, key, { get: () => shared, set });
  }
}

/** Notes when a client is asked for what its next borrower must not find. */
function noteCommands(client: object, origin: Origin): void {
  const { _self: funnel } = client as { readonly _self: Funnel };
  const { sendCommand, _executeMulti, _executePipeline, MONITOR, reAuthenticate } = funnel;
  // Called on a proxy, they are to know its options.
  funnel.sendCommand = function (args, ...more) {
    origin.isOther ||= isLasting(args);
    return sendCommand.call(this, args, ...more);
  };
  const batch = (execute: Funnel['_executeMulti']): Funnel['_executeMulti'] =>
    function (this: Funnel, commands, ...more) {
      origin.isOther ||= commands.some(({ args }) => isLasting(args));
      return execute.call(this, commands, ...more);
    };
  funnel._executeMulti = batch(_executeMulti);
  funnel._executePipeline = batch(_executePipeline);
  funnel.monitor = funnel.MONITOR = function (...args) {
    origin.isOther = true;
    return MONITOR.apply(this, args);
  };
  funnel.reAuthenticate = (credentials) => {
    const { isOther } = origin;
    // It is sent before this returns.
    const done = reAuthenticate(credentials);
    origin.isOther = isOther;
    return done;
  };
}

/**
 * Whether a command leaves a connection logged in as somebody else or in another mode, which no reset undoes, or would have
 * the client take one reply for another.
 */
function isLasting(args: Command): boolean {
  const name = String(args[0]).toUpperCase();
  if (name === 'CLIENT') return !FLEETING.has(String(args[1]).toUpperCase());
  if (name === 'SCRIPT') return String(args[1]).toUpperCase() === 'DEBUG';
  // By itself it only asks.
  if (name === 'HELLO') return args.length > 1;
  return LASTING.has(name);
}

/** Those of RESET, by which the client would go on in another protocol, and of SUBSCRIBE are not the client's own. */
const LASTING = new Set([
  ...['AUTH', 'RESET', 'QUIT', 'MONITOR', 'READONLY', 'READWRITE', 'ASKING', 'SYNC', 'PSYNC', 'REPLCONF'],
  ...['SUBSCRIBE', 'PSUBSCRIBE', 'SSUBSCRIBE', 'UNSUBSCRIBE', 'PUNSUBSCRIBE', 'SUNSUBSCRIBE'],
]);

/** What CLIENT does that is of no account to the next borrower. What it may learn one day is, until it is known here. */
const FLEETING = new Set([
  ...['ID', 'INFO', 'LIST', 'GETNAME', 'GETREDIR', 'TRACKINGINFO', 'HELP'],
  ...['KILL', 'PAUSE', 'UNPAUSE', 'UNBLOCK'],
]);

/** What the client itself says; what the server says is an ErrorReply. */
const BROKEN = [
  ClientClosedError,
  ClientOfflineError,
  ConnectionTimeoutError,
  DisconnectsClientError,
  SocketClosedUnexpectedlyError,
  SocketTimeoutError,
];

/** Whether the server has replied with an error of this kind, which is its first word. */
function repliedWith(error: unknown, kind: string): boolean {
  return error instanceof ErrorReply && error.message.startsWith(`${kind} `);
}

/** The answer; or none, which is as good, if the user may not ask: a server that refuses is alive, and nobody can have done it before. */
function permitted(answer: Promise<unknown>): Promise<unknown> {
  return answer.catch((error: unknown) => {
    if (!repliedWith(error, 'NOPERM')) throw error;
  });
}

/** Within MULTI whatever is asked is queued, until its EXEC. */
function isQueued(answer: unknown): boolean {
  return String(answer) === 'QUEUED';
}

/** Without blanks, which Redis does not allow in a name. */
function nameFor(pool: string): string {
  return pool.replaceAll(/[^!-~]/g, '-');
}
