import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { Client, type Channel, type ConnectConfig } from 'ssh2';
import { ConnectionError } from '../pool/connection-error.js';
import type { ConnectContext } from '../pool/connection-factory.js';
import { describeValue, type Fault } from '../pool/rules.js';
import { ClientConnectionFactory } from './client/client-connection-factory.js';
import { ignoreErrors, watchDeath, type Emitter } from './client/death.js';
import { dial, type DialOptions } from './client/dial.js';
import { guardListeners, takeOffListeners } from './client/listeners.js';
import { opening } from './client/opening.js';

export type { OptionsSource } from './client/configured-connection-factory.js';

/** The client's own dialling, and its time-outs of that, are the work of the factory and of the pool. */
type Replaced = 'forceIPv4' | 'forceIPv6' | 'host' | 'port' | 'readyTimeout' | 'sock' | 'timeout';

/** Where to dial, whom to trust there and as whom to log in, and what else `ssh2` takes. */
export interface SshConnectionOptions extends Omit<ConnectConfig, Replaced>, Pick<DialOptions, 'family'> {
  readonly host: string;
  /** Default: 22. */
  readonly port?: number;
  /**
   * The fingerprint of the server's key, as `ssh-keyscan HOST | ssh-keygen -lf -` prints it: `SHA256:…`. Without it a
   * `hostVerifier` must be given, for by itself `ssh2` trusts any server, and tells it the password.
   */
  readonly hostKey?: string;
}

/**
 * Connections to an SSH server, by `ssh2`.
 *
 * @example
 * class BuildHostConnectionFactory extends SshConnectionFactory {
 *   constructor(config: ConfigService) {
 *     super({ host: 'build.example.org', hostKey: 'SHA256:…', username: 'ci', privateKey: config.getOrThrow('BUILD_KEY') });
 *   }
 * }
 */
export class SshConnectionFactory extends ClientConnectionFactory<Client, SshConnectionOptions> {
  /** The client's own destroy() does nothing once it has said goodbye. */
  private readonly sockets = new WeakMap<Client, Socket>();

  override isUsable(client: Client): boolean {
    return this.socketOf(client).writable;
  }

  /** The client listens to itself only if it is told to connect again. */
  override watch(client: Client, broken: (error?: unknown) => void): () => void {
    return guardListeners(client, watchDeath(client, ['close'], broken));
  }

  /** Asks for the end of a forwarding that is none: the server has to answer, and nothing comes of it. */
  override keepalive(client: Client): Promise<void> {
    return new Promise((resolve, reject) => {
      client.unforwardIn('127.0.0.1', 1, (error) => {
        if (error instanceof Error && !error.message.startsWith('Unable to unbind')) reject(error);
        else resolve();
      });
    });
  }

  /** Ends what the borrower left open: SFTP sessions, tunnels, forwardings. A command that still runs costs the connection. */
  override reset(client: Client): void | Promise<void> {
    takeOffListeners(client);
    if (hasLeftovers(client as unknown as Internals)) return this.undo(client);
  }

  private async undo(client: Client): Promise<void> {
    const { _callbacks, _forwarding, _forwardingUnix, _chanMgr } = client as unknown as Internals;
    // Answers come in the order of the questions, so that then it is known what became of those that nobody awaited.
    if (_callbacks.length > 0) await this.keepalive(client);
    await Promise.all([
      ...Object.keys(_forwarding).map((address) => endForwarding(client, address)),
      ...Object.keys(_forwardingUnix).map((path) => endUnixForwarding(client, path)),
    ]);
    for (const channel of Object.values(_chanMgr._channels)) {
      if (typeof channel !== 'object' || isBusy(channel)) {
        throw new Error('The connection came back while a command was running on it, or a channel was being opened');
      }
      channel.destroy();
    }
  }

  override isConnectionError(error: unknown): boolean {
    if (!(error instanceof Error)) return false;
    return LOST.test(String(levelOf(error))) || DEAD.test(error.message);
  }

  override destroy(client: Client): void {
    this.socketOf(client).destroy();
  }

  protected override async open(options: SshConnectionOptions, { signal }: ConnectContext): Promise<Client> {
    const { host, port = 22, family, localAddress, localPort, hostKey, ...config } = options;
    const socket = await dial({ host, port, family, localAddress, localPort }, signal);
    const client = new Client();
    ignoreErrors(client);
    this.sockets.set(client, socket);

    let presented: string | undefined;
    const isKnown = (key: Buffer): boolean => (presented = fingerprintOf(key)) === hostKey;
    const verification = hostKey === undefined ? {} : { hostVerifier: isKnown, hostHash: undefined };
    try {
      await opening(
        signal,
        () => login(client, { ...config, ...verification, sock: socket, readyTimeout: 0 }),
        (reason) => void socket.destroy(reason),
      );
    } catch (error) {
      if (presented !== undefined && presented !== hostKey) {
        throw new Error(`The key of ${host}:${port} is ${presented}, not ${hostKey}`, { cause: error });
      }
      if (levelOf(error) !== 'client-authentication') throw error;
      throw new Error(`${host}:${port} does not let ${options.username} in: ${(error as Error).message}`, {
        cause: error,
      });
    }
    return client;
  }

  /** By itself ssh2 trusts whoever answers. */
  protected override faultsOf({ hostKey, hostVerifier }: SshConnectionOptions): Fault[] {
    if (hostVerifier !== undefined || /^SHA256:[\w+/]{43}$/.test(hostKey ?? '')) return [];
    const allowed =
      "the fingerprint of the server's key, such as ssh-keygen -l prints, `SHA256:…`; or a `hostVerifier`";
    return [{ path: 'hostKey', received: describeValue(hostKey), allowed }];
  }

  protected override part(client: Client): void | Promise<void> {
    if (!this.isUsable(client)) return this.destroy(client);
    return new Promise((resolve) => {
      client.once('close', resolve);
      client.end();
    });
  }

  private socketOf(client: Client): Socket {
    return this.sockets.get(client)!;
  }
}

/** What the client knows of what is open. It tells nobody. */
interface Internals {
  /** Of the questions that have not been answered. */
  readonly _callbacks: readonly unknown[];
  /** By address and port, and by path. */
  readonly _forwarding: Readonly<Record<string, unknown>>;
  readonly _forwardingUnix: Readonly<Record<string, unknown>>;
  /** Those that are being opened are functions, or true. */
  readonly _chanMgr: { readonly _channels: Readonly<Record<string, OpenChannel | (() => void) | true>> };
}

/** Whether anything is open, or being opened. */
function hasLeftovers({ _callbacks, _forwarding, _forwardingUnix, _chanMgr }: Internals): boolean {
  const records = [_forwarding, _forwardingUnix, _chanMgr._channels];
  return _callbacks.length > 0 || records.some((record) => Object.keys(record).length > 0);
}

interface OpenChannel extends Pick<Channel, 'subtype'> {
  readonly _callbacks: readonly unknown[];
  /** Null after a signal. */
  readonly _exit: { readonly code: number | null | undefined };
  destroy(): void;
}

/**
 * Whether the server may go on counting the channel among the sessions of the connection when it is closed. Of those
 * `sshd` allows ten, so that before long nothing could be opened on the connection any more.
 */
function isBusy({ subtype, _callbacks, _exit }: OpenChannel): boolean {
  const isCommand = subtype === 'exec' || subtype === 'shell';
  return _callbacks.length > 0 || (isCommand && _exit.code === undefined);
}

function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

function login(client: Client, config: ConnectConfig): Promise<void> {
  // Its types know each event by its name alone.
  const emitter: Emitter = client;
  return new Promise((resolve, reject) => {
    const over = (settle: () => void): void => {
      for (const [event, listener] of Object.entries(listeners)) emitter.removeListener(event, listener);
      settle();
    };
    const fail = (error: Error): void => over(() => reject(error));
    const listeners: Record<string, (...args: unknown[]) => void> = {
      ready: () => over(resolve),
      // One of an agent is not the end: the client goes on to the next way to log in.
      error: (error) => levelOf(error) !== 'agent' && fail(error as Error),
      close: () => fail(new ConnectionError('The server closed the connection before the login was done')),
      'change password': () => fail(new Error('The server wants the password to be changed before it lets anybody in')),
    };
    for (const [event, listener] of Object.entries(listeners)) emitter.on(event, listener);
    client.connect(config);
  });
}

function endForwarding(client: Client, address: string): Promise<void> {
  const colon = address.lastIndexOf(':');
  return new Promise((resolve, reject) => {
    client.unforwardIn(address.slice(0, colon), Number(address.slice(colon + 1)), settle(resolve, reject));
  });
}

function endUnixForwarding(client: Client, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    client.openssh_unforwardInStreamLocal(path, settle(resolve, reject));
  });
}

function settle(resolve: () => void, reject: (error: Error) => void): (error?: Error | null) => void {
  return (error) => (error instanceof Error ? reject(error) : resolve());
}

/** Where in the client an error comes from. */
function levelOf(error: unknown): unknown {
  return (error as { readonly level?: unknown }).level;
}

const LOST = /^(client-(socket|timeout)|protocol)$/;

/** What the client says, without a level, to those whose answer will not come. */
const DEAD = /^(Not connected|No response from server)$/;
