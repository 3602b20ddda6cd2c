import { EventEmitter } from 'node:events';
import type { Clock } from '../pool/clock.js';
import {
  ConnectionFactory,
  type CloseReason,
  type ConnectContext,
  type HookContext,
} from '../pool/connection-factory.js';

/** A connection to nothing, which dies when it is told to. */
export class ScriptedConnection extends EventEmitter {
  /** The reasons for which it was closed: one, if the pool does its work. */
  readonly closedFor: CloseReason[] = [];
  usable: unknown = true;

  /** @param id 1 for the first that its factory opened */
  constructor(readonly id: number) {
    super();
  }

  /** Dies as a socket does: 'error' if there is one, then 'close'. */
  die(error?: Error): void {
    if (error !== undefined) this.emit('error', error);
    this.emit('close');
  }
}

/** What a hook does when it is called. */
export type Behaviour =
  /** Does what it should. */
  | 'succeed'
  /** Never settles, and does not listen to its signal. */
  | 'hang'
  /** Rejects when its signal is aborted, and not before. */
  | 'obey'
  /** Rejects. */
  | { readonly fail: unknown }
  /** Throws before it returns a promise. */
  | { readonly throw: unknown }
  /** Connect only: yields this instead of a new connection. */
  | { readonly yield: unknown }
  /** Does the rest after so many milliseconds. */
  | { readonly after: number; readonly outcome?: Behaviour };

/** The hooks that a script can rule. */
export type ScriptedHook = 'connect' | 'keepalive' | 'reset' | 'close';

export interface ScriptedFactoryOptions {
  /** The clock of `{ after }`; without it that is real time. */
  readonly clock?: Clock;
  /** The optional hooks that the factory has. Default: none. */
  readonly hooks?: ReadonlyArray<'keepalive' | 'reset' | 'isUsable'>;
}

/**
 * A factory whose every hook does what a test says: succeed, fail, throw, hang, or any of these later.
 *
 * @example
 * const factory = new ScriptedFactory({ clock });
 * factory.always('connect', { fail: new Error('connect ECONNREFUSED') });
 * factory.next('connect', 'hang', { after: 500 });   // but first these, once each
 */
export class ScriptedFactory extends ConnectionFactory<ScriptedConnection> {
  static override poolName = 'scripted';

  /** Every connection opened, in order. */
  readonly opened: ScriptedConnection[] = [];
  /** Every close, in order. */
  readonly closed: Array<{ readonly connection: ScriptedConnection; readonly reason: CloseReason }> = [];
  /** How often each hook was called. */
  readonly calls: Record<ScriptedHook, number> = { connect: 0, keepalive: 0, reset: 0, close: 0 };
  /** The signal of each connect, in order. */
  readonly connectContexts: ConnectContext[] = [];

  private readonly usual = new Map<ScriptedHook, Behaviour>();
  private readonly coming = new Map<ScriptedHook, Behaviour[]>();
  private readonly clock: Pick<Clock, 'setTimeout'>;

  constructor(options: ScriptedFactoryOptions = {}) {
    super();
    this.clock = options.clock ?? { setTimeout: (callback, delay) => setTimeout(callback, delay) };
    const hooks = options.hooks ?? [];
    if (hooks.includes('keepalive')) this.keepalive = (_connection, context) => this.act('keepalive', context);
    if (hooks.includes('reset')) this.reset = (_connection, context) => this.act('reset', context);
    if (hooks.includes('isUsable')) this.isUsable = (connection) => usable(connection.usable);
  }

  /** What the hook does each time that nothing else was said. Default: `'succeed'`. */
  always(hook: ScriptedHook, behaviour: Behaviour): this {
    this.usual.set(hook, behaviour);
    return this;
  }

  /** What the hook does the next times, once each. */
  next(hook: ScriptedHook, ...behaviours: Behaviour[]): this {
    this.coming.set(hook, [...(this.coming.get(hook) ?? []), ...behaviours]);
    return this;
  }

  /** Opened and not closed. */
  get live(): ScriptedConnection[] {
    return this.opened.filter((connection) => connection.closedFor.length === 0);
  }

  override connect(context: ConnectContext): Promise<ScriptedConnection> {
    this.connectContexts.push(context);
    return this.act('connect', context, () => this.open());
  }

  override close(connection: ScriptedConnection, reason: CloseReason): Promise<void> {
    this.closed.push({ connection, reason });
    // What a script yields in the place of a connection keeps no book.
    if (connection instanceof ScriptedConnection) connection.closedFor.push(reason);
    return this.act('close', undefined);
  }

  private open(): ScriptedConnection {
    const connection = new ScriptedConnection(this.opened.length + 1);
    this.opened.push(connection);
    return connection;
  }

  private act(hook: ScriptedHook, context: HookContext | undefined): Promise<void>;
  private act<T>(hook: ScriptedHook, context: HookContext | undefined, succeed: () => T): Promise<T>;
  private act(
    hook: ScriptedHook,
    context: HookContext | undefined,
    succeed = (): unknown => undefined,
  ): Promise<unknown> {
    this.calls[hook]++;
    const behaviour = this.coming.get(hook)?.shift() ?? this.usual.get(hook) ?? 'succeed';
    return this.behave(behaviour, context?.signal, succeed);
  }

  private behave(behaviour: Behaviour, signal: AbortSignal | undefined, succeed: () => unknown): Promise<unknown> {
    if (behaviour === 'succeed') return Promise.resolve(succeed());
    if (behaviour === 'hang') return new Promise(() => {});
    if (behaviour === 'obey') {
      return new Promise((_, reject) => {
        const obey = (): void => reject(signal?.reason as Error);
        if (signal?.aborted === true) obey();
        else signal?.addEventListener('abort', obey);
      });
    }
    if ('throw' in behaviour) throw behaviour.throw;
    if ('fail' in behaviour) return Promise.reject(behaviour.fail);
    if ('yield' in behaviour) return Promise.resolve(behaviour.yield);
    return new Promise((resolve) => {
      this.clock.setTimeout(() => {
        // In a promise of its own, which what is thrown rejects: nobody is left to throw it at.
        resolve(new Promise((settle) => settle(this.behave(behaviour.outcome ?? 'succeed', signal, succeed))));
      }, behaviour.after);
    });
  }
}

/** Answers, or throws what it is told to. */
function usable(answer: unknown): boolean {
  if (answer instanceof Error) throw answer;
  return answer as boolean;
}
