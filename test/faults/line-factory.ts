import { ConnectionFactory } from '../../src/pool/connection-factory.js';
import type { CloseReason, ConnectContext, HookContext } from '../../src/pool/connection-factory.js';
import { LineClient, type Address } from './line-client.js';

export interface LineFactoryOptions {
  /** The optional hooks that the factory has. Default: both. */
  readonly hooks?: ReadonlyArray<'keepalive' | 'reset'>;
  readonly user?: string;
}

/** Opens clients of a {@link LineServer}, wherever its address is then, and keeps book of them. */
export class LineFactory extends ConnectionFactory<LineClient> {
  static override poolName = 'lines';

  /** Connects that were begun. */
  attempts = 0;
  /** Every client that was opened, in order. */
  readonly opened: LineClient[] = [];
  /** Every close, in order. */
  readonly closed: Array<{ readonly client: LineClient; readonly reason: CloseReason }> = [];

  /** @param address may be changed: the next connect goes there */
  constructor(
    public address: Address,
    private readonly options: LineFactoryOptions = {},
  ) {
    super();
    const hooks = options.hooks ?? ['keepalive', 'reset'];
    if (hooks.includes('keepalive')) this.keepalive = (client, { signal }) => ask(client, 'PING', signal);
    if (hooks.includes('reset')) this.reset = (client, { signal }) => ask(client, 'RESET', signal);
  }

  /** Clients whose sockets are not closed. */
  get live(): LineClient[] {
    return this.opened.filter(({ socket }) => !socket.closed);
  }

  override async connect({ signal }: ConnectContext): Promise<LineClient> {
    this.attempts++;
    const client = await LineClient.open(this.address, this.options.user ?? 'ann', signal);
    this.opened.push(client);
    return client;
  }

  override async close(client: LineClient, reason: CloseReason): Promise<void> {
    this.closed.push({ client, reason });
    if (reason === 'broken') client.destroy();
    else await client.end();
  }
}

async function ask(client: LineClient, verb: string, signal: HookContext['signal']): Promise<void> {
  await client.request(verb, '', signal);
}
