import { ConnectionFactory, type ConnectContext } from '../../pool/connection-factory.js';

/** Options, or what tells them anew for each connect: for passwords and tokens that change, and addresses looked up. */
export type OptionsSource<O> = O | (() => O | Promise<O>);

/** A factory of connections that are opened with options. */
export abstract class ConfiguredConnectionFactory<C, O extends object> extends ConnectionFactory<C> {
  /** @param options how connections are opened; a function is asked anew for each */
  constructor(private readonly options: OptionsSource<O>) {
    super();
  }

  override async connect(context: ConnectContext): Promise<C> {
    const { signal } = context;
    // Not later: what has been started must be cut off, and what has not need not be.
    signal.throwIfAborted();
    const options = typeof this.options === 'function' ? await this.options() : this.options;
    signal.throwIfAborted();
    return this.open(options, context);
  }

  /** Opens a connection, every step of it. Given up by `context.signal` it leaves nothing behind. */
  protected abstract open(options: O, context: ConnectContext): Promise<C>;
}
