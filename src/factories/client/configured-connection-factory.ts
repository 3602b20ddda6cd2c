import { ConnectionFactory, type ConnectContext } from '../../pool/connection-factory.js';
import { PoolSettingsError } from '../../pool/errors.js';
import type { Fault } from '../../pool/rules.js';

/** Options, or what tells them anew for each connect: for passwords and tokens that change, and addresses looked up. */
export type OptionsSource<O> = O | (() => O | Promise<O>);

/** A factory of connections that are opened with options. */
export abstract class ConfiguredConnectionFactory<C, O extends object> extends ConnectionFactory<C> {
  /**
   * @param options how connections are opened; a function is asked anew for each
   * @throws PoolSettingsError which lists every fault of the options; a function's fail the connect
   */
  constructor(private readonly options: OptionsSource<O>) {
    super();
    if (typeof options !== 'function') this.check(options);
  }

  override async connect(context: ConnectContext): Promise<C> {
    const { signal } = context;
    // Not later: what has been started must be cut off, and what has not need not be.
    signal.throwIfAborted();
    const options = typeof this.options === 'function' ? this.check(await this.options()) : this.options;
    signal.throwIfAborted();
    return this.open(options, context);
  }

  /** Opens a connection, every step of it. Given up by `context.signal` it leaves nothing behind. */
  protected abstract open(options: O, context: ConnectContext): Promise<C>;

  /** What is wrong with options, where their client would not say so, or not before it is too late. */
  protected faultsOf?(options: O): Fault[];

  private check(options: O): O {
    const faults = this.faultsOf?.(options) ?? [];
    if (faults.length > 0) throw new PoolSettingsError(this.constructor.name, faults);
    return options;
  }
}
