import { ImapFlow, type ImapFlowError, type ImapFlowOptions, type MailboxObject } from 'imapflow';
import { ConnectionError } from '../pool/connection-error.js';
import type { ConnectContext } from '../pool/connection-factory.js';
import { ClientConnectionFactory } from './client/client-connection-factory.js';
import { ignoreErrors, watchDeath } from './client/death.js';
import { guardListeners, takeOffListeners } from './client/listeners.js';
import { opening } from './client/opening.js';

export type { OptionsSource } from './client/configured-connection-factory.js';

/** What `imapflow` takes, and what is undone between two borrowers. */
export interface ImapConnectionOptions extends ImapFlowOptions {
  /**
   * What is undone when a connection comes back. Default: `'mailbox'`.
   *
   * - `'mailbox'`: a mailbox that is still open is closed, and nothing is expunged. Where there is none, which the client
   *   knows, nothing is asked; one that was opened read-only costs one round trip, another two.
   * - `'none'`: it stays open, which saves those who all open the same one from opening it.
   */
  readonly reset?: 'mailbox' | 'none';
}

/**
 * Connections to an IMAP server, by `imapflow`.
 *
 * @example
 * class MailboxFactory extends ImapConnectionFactory {
 *   constructor(config: ConfigService) {
 *     super({ host: 'imap.example.org', secure: true, auth: { user: 'ann', pass: config.getOrThrow('MAIL_PASSWORD') } });
 *   }
 * }
 */
export class ImapConnectionFactory extends ClientConnectionFactory<ImapFlow, ImapConnectionOptions> {
  /** What each client is to have undone. */
  private readonly resets = new WeakMap<ImapFlow, ImapConnectionOptions['reset']>();

  override isUsable(client: ImapFlow): boolean {
    return isAlive(client);
  }

  /** The client never listens to itself. */
  override watch(client: ImapFlow, broken: (error?: unknown) => void): () => void {
    return guardListeners(client, watchDeath(client, ['close'], broken));
  }

  /** A NOOP. When the connection dies the client says that it succeeded. */
  override async keepalive(client: ImapFlow): Promise<void> {
    await client.noop();
    assertUsable(client);
  }

  override reset(client: ImapFlow): void | Promise<void> {
    takeOffListeners(client);
    if (isBusy(client) || isDownloading(client) || isLocked(client) || this.mustClose(client)) return this.undo(client);
  }

  private mustClose(client: ImapFlow): boolean {
    return this.resets.get(client) !== 'none' && client.mailbox !== false;
  }

  private async undo(client: ImapFlow): Promise<void> {
    while (isBusy(client)) await client.noop();
    // One that was given up, or has come to its end, counts for a moment still.
    if (isDownloading(client)) await new Promise((resolve) => setImmediate(resolve));
    if (isDownloading(client)) throw new Error('A download was left open: it would go on in the next mailbox');
    // A lock that nobody will release would keep its next borrower waiting for ever.
    if (isLocked(client)) throw new Error('A mailbox lock was not released');
    if (!this.mustClose(client)) return;
    const { path, readOnly } = client.mailbox as MailboxObject;
    // To close it expunges all that is marked as deleted, unless it is open for reading only.
    if (readOnly !== true) await client.mailboxOpen(path, { readOnly: true });
    await client.mailboxClose();
    assertUsable(client);
  }

  override isConnectionError(error: unknown): boolean {
    return error instanceof Error && BROKEN.test(String((error as Error & { readonly code?: unknown }).code));
  }

  override destroy(client: ImapFlow): void {
    client.close();
  }

  protected override async open(
    { reset, ...config }: ImapConnectionOptions,
    context: ConnectContext,
  ): Promise<ImapFlow> {
    const client = new ImapFlow({ logger: false, disableAutoIdle: true, ...config });
    ignoreErrors(client);
    await opening(
      context.signal,
      () =>
        client.connect().catch((error: unknown) => {
          throw this.explain(error, config);
        }),
      () => client.close(),
    );
    this.resets.set(client, reset);
    return client;
  }

  protected override part(client: ImapFlow): Promise<void> {
    return client.logout();
  }

  /** The client itself says "Command failed" when somebody is not let in, and "Unexpected close". */
  private explain(error: unknown, { auth }: ImapFlowOptions): unknown {
    const { authenticationFailed, message, reason, responseText } = error as ImapFlowError;
    if (authenticationFailed === true && responseText !== undefined) {
      return new Error(`The server does not let ${auth!.user} in: ${responseText}`, { cause: error });
    }
    if (!this.isConnectionError(error)) return error;
    return new ConnectionError(reason === undefined ? message : `${message}: ${reason}`, { cause: error });
  }
}

/** What the client knows of what it is doing, and does not tell. */
interface Doings {
  readonly currentRequest: unknown;
  readonly requestQueue: readonly unknown[];
  readonly currentLock: unknown;
  readonly _openDownloads: number;
  readonly locks: readonly unknown[];
}

/** Whether something that nobody awaited is under way: it may open a mailbox yet. */
function isBusy(client: ImapFlow): boolean {
  const { currentRequest, requestQueue } = client as unknown as Doings;
  return Boolean(currentRequest) || requestQueue.length > 0;
}

/** Whether the stream of a download is open, which asks for the next piece when it is read, in whatever mailbox is open then. */
function isDownloading(client: ImapFlow): boolean {
  return (client as unknown as Doings)._openDownloads > 0;
}

/** Whether somebody holds a mailbox lock, or waits for one. */
function isLocked(client: ImapFlow): boolean {
  const { currentLock, locks } = client as unknown as Doings;
  return Boolean(currentLock) || locks.length > 0;
}

/** Not one whose server has said BYE, though the client closes it only a moment later. */
function isAlive({ usable, state, states }: ImapFlow): boolean {
  return usable && state !== states.LOGOUT;
}

/** Where the connection dies the client makes a success or a "no" of it, as with NOOP, CLOSE, STATUS and STORE. */
function assertUsable(client: ImapFlow): void {
  if (!isAlive(client)) throw new ConnectionError('The connection was closed before the server answered');
}

/** The connection is gone, or what its next bytes mean nobody knows any more. All that the client says is in its `ImapFlowErrorCode`. */
const BROKEN = new RegExp(
  [
    '^(NoConnection|EConnectionClosed|StateLogout|ClosedAfterConnect(Text|TLS)',
    'ETIMEOUT|(CONNECT|GREETING|UPGRADE)_TIMEOUT',
    'ParserError.*|MAX_IMAP_NESTING_REACHED|UnexpectedTag|MissingTag|InvalidResponse|ResponseProcessingFailed',
    '(Line|Literal|Response)TooLarge|TooManyTokens)$',
  ].join('|'),
);
