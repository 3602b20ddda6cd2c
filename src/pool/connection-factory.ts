/** Why a connection is closed. `'broken'` cuts off at once; the other reasons part politely. */
export type CloseReason = 'broken' | 'expired' | 'idle' | 'recycled' | 'surplus' | 'shutdown';

/** What {@link ConnectionFactory.connect} is told. */
export interface ConnectContext {
  /** The pool's name. */
  readonly pool: string;
  /** 1, and one more for each connect of this pool that failed since the last that held. */
  readonly attempt: number;
  /** Aborted after `connectTimeout`, and when the connection is no longer wanted. */
  readonly signal: AbortSignal;
}

/** What a ping or a reset is told. */
export interface HookContext {
  /** Aborted after the hook's time-out, and when its connection is given up. */
  readonly signal: AbortSignal;
}

/**
 * How one kind of connection lives: how it is opened, and if need be how it is pinged, reset, watched and closed.
 * Extend it, and give the class (in a Nest module) or an instance (without Nest) to a pool.
 *
 * Which of the optional methods it has must be settled when its pool is made. Whatever a method does (throw, reject, hang,
 * settle late), the pool loses nothing by it. The shape is that of geventconnpool's `ConnectionPool` (`_new_connection`,
 * `_keepalive`), the names those of the field.
 */
export abstract class ConnectionFactory<C> {
  /** The pool's name. By default the class's name without `ConnectionFactory` or `Factory`; set it if you minify. */
  static poolName?: string;

  /**
   * Opens a connection: every step of it (dial, TLS, login, select). Anything but null and undefined may be the
   * connection. To fail, throw; obey `context.signal` so that a connect given up leaves nothing behind.
   */
  abstract connect(context: ConnectContext): C | Promise<C>;

  /**
   * Closes a connection. Without it the first method that the connection has is called: for `'broken'` destroy,
   * terminate, disconnect, `[Symbol.dispose]`, `[Symbol.asyncDispose]`, close, end, quit; otherwise quit, end,
   * `[Symbol.asyncDispose]`, `[Symbol.dispose]`, close, destroy. After `closeTimeout` {@link destroy} is called.
   */
  close?(connection: C, reason: CloseReason): void | Promise<void>;

  /**
   * Cuts a connection off at once, as the last resort: its close has failed, or has taken longer than `closeTimeout`.
   * Without it, the connection's own `destroy()` is called if it has one.
   */
  destroy?(connection: C): void;

  /** Pings a connection that is not in use, to keep it open and to find out whether it is. Throw if it is not. */
  keepalive?(connection: C, context: HookContext): void | Promise<void>;

  /**
   * Whether the connection can be lent; asked at every borrow and return, so it must be cheap. Without it, a stream is
   * usable while it is not destroyed, readable and writable, and no unread bytes arrived while it was idle.
   */
  isUsable?(connection: C): boolean;

  /**
   * Undoes what a borrower left behind (an open transaction, a selected mailbox), before the next gets it. Where it knows that
   * there is nothing to undo, let it return nothing at once instead of a promise: then a return costs next to nothing more.
   */
  reset?(connection: C, context: HookContext): void | Promise<void>;

  /**
   * Watches for the connection's death: call `broken` when it dies, return what stops the watch. Without it, an
   * EventEmitter's 'close', 'end' and 'error' mean its death. Of one that died of what {@link isAbandonment} knows, nothing is
   * logged, and its siblings are left alone; it is replaced all the same.
   */
  watch?(connection: C, broken: (error?: unknown) => void): () => void;

  /** Tells which of the client's own errors mean that the connection is broken; adds to `connectionErrors`. */
  isConnectionError?(error: unknown): boolean;

  /**
   * Tells which of the client's own errors mean that work was given up before its reply had come, such as a time-out of the
   * client's. It costs the connection, for the reply may still be on its way to the next borrower; but it is no connection
   * error, is not retried as one, and says nothing of the other connections. Adds to AbortError and TimeoutError. Asked also of
   * what {@link watch} tells: whether the client has given up the connection itself, as it is meant to.
   */
  isAbandonment?(error: unknown): boolean;
}

/** A class of connection factories, whatever its constructor takes. */
export type ConnectionFactoryClass<C = unknown> = (abstract new (
  // A class may have any constructor, which only `any` says.
  // oxlint-disable-next-line typescript/no-explicit-any
  ...args: any[]
) => ConnectionFactory<C>) & { poolName?: string };

/** The connection that a factory class makes: `ConnectionOf<typeof MailFactory>`. */
export type ConnectionOf<F> =
  F extends ConnectionFactoryClass<infer C> ? C : F extends ConnectionFactory<infer C> ? C : never;

/** The name of a factory's pool where no other is given; undefined if the class has no name to derive one from. */
export function poolNameOf(factory: { readonly poolName?: string; readonly name: string }): string | undefined {
  if (factory.poolName !== undefined) return factory.poolName;
  const stem = factory.name.replace(/(Connection)?Factory$/, '');
  return stem === '' ? undefined : stem.charAt(0).toLowerCase() + stem.slice(1);
}
