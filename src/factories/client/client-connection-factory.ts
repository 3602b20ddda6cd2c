import type { CloseReason } from '../../pool/connection-factory.js';
import { ConfiguredConnectionFactory } from './configured-connection-factory.js';

/** A factory of connections that are somebody else's client, with its own ways to part and to be cut off. */
export abstract class ClientConnectionFactory<C, O extends object> extends ConfiguredConnectionFactory<C, O> {
  override close(client: C, reason: CloseReason): void | Promise<void> {
    return reason === 'broken' ? this.destroy(client) : this.part(client);
  }

  /** Cuts the connection off without waiting for the other side. Called for any reason, also after {@link part}. */
  abstract override destroy(client: C): void;

  /** Parts politely. Where that takes longer than the pool's `closeTimeout` the connection is destroyed. */
  protected abstract part(client: C): void | Promise<void>;
}
