import { EventEmitter } from 'node:events';
import { isEmitter, isStream, watchEmitter } from '../pool/capabilities.js';
import type { Clock } from '../pool/clock.js';
import { ConnectionError } from '../pool/connection-error.js';
import {
  ConnectionFactory,
  type CloseReason,
  type ConnectContext,
  type HookContext,
} from '../pool/connection-factory.js';
import { func, objectWith, oneOf, rule, type RulesFor } from '../pool/rules.js';
import { ERROR, isError, listOf, readArgument, readOptions } from './arguments.js';
import { behaviourOf, HOOKS, play, type Behaviour, type ReadBehaviour, type ScriptedHook } from './behaviour.js';

/** A connection to nothing, which dies when it is told to. */
export class ScriptedConnection extends EventEmitter {
  /** The reasons for which it was closed: one, if the pool does its work. */
  readonly closedFor: CloseReason[] = [];
  /** What the hook `isUsable` answers; an Error is thrown. */
  usable: unknown = true;

  /** @param id 1 for the first that its factory opened */
  constructor(readonly id: number) {
    super();
  }

  /**
   * Dies as a socket does: 'error' if there is one, then 'close'.
   * @throws PoolSettingsError if it is to die of what is no Error
   */
  die(error?: Error): void {
    readArgument(ERROR, error, 'error', 'ScriptedConnection.die()');
    if (error !== undefined) this.emit('error', error);
    this.emit('close');
  }
}

export interface ScriptedFactoryOptions<C = ScriptedConnection> {
  /** The clock of `{ after }`. Default: real time. */
  readonly clock?: Clock;
  /** The optional hooks that the factory has. Default: none. */
  readonly hooks?: ReadonlyArray<'keepalive' | 'reset' | 'isUsable'>;
  /**
   * Makes each connection: a fake of your own client. Default: a {@link ScriptedConnection}. May take its time: what a
   * promise resolves with is the connection, and is in `opened` from then on; if it rejects, the connect fails.
   *
   * @param id 1 for the first that is asked for, and one more for each that follows
   * @param ended aborted when the connection is over: killed, with the error that it was killed with as the reason, closed
   * by the pool, or refused because the other side went down while it was made. What is under way on the fake then should
   * fail with that reason.
   */
  readonly create?: (id: number, ended: AbortSignal) => C | Promise<C>;
}

const OPTION_RULES: RulesFor<ScriptedFactoryOptions> = {
  clock: objectWith<Pick<Clock, 'setTimeout'>>('a Clock', 'setTimeout'),
  hooks: listOf(oneOf('keepalive', 'reset', 'isUsable')),
  create: func('a function that makes a connection'),
};

/** What the factory knows of one connection that it opened. */
interface Life {
  readonly ending: AbortController;
  isOpen: boolean;
  /** Tells the pool of its death, if the connection itself cannot. */
  broken?: (error?: unknown) => void;
}

/**
 * A factory whose every hook does what a test says: succeed, fail, throw, hang, or any of these later; and whose
 * connections die when the test says so. It opens connections to nothing, or fakes of your own client.
 *
 * @example
 * const factory = new ScriptedFactory({ clock, create: (id, ended) => new FakeMailClient(clock, ended) });
 * factory.next('connect', 'hang', { after: 500 });   // the next two connects
 * factory.kill(factory.opened[0]);                   // as the other side would
 * factory.down();                                    // everything fails, until up()
 */
export class ScriptedFactory<C = ScriptedConnection> extends ConnectionFactory<C> {
  static override poolName = 'scripted';

  /** Every connection opened, in order. */
  readonly opened: C[] = [];
  /** Every close, in order. */
  readonly closed: Array<{ readonly connection: C; readonly reason: CloseReason }> = [];
  /** How often each hook was called. */
  readonly calls: Record<ScriptedHook, number> = { connect: 0, keepalive: 0, reset: 0, close: 0 };
  /** What each connect was told, in order. */
  readonly connectContexts: ConnectContext[] = [];

  private readonly usual = new Map<ScriptedHook, ReadBehaviour>();
  private readonly coming = new Map<ScriptedHook, ReadBehaviour[]>();
  private readonly clock: Pick<Clock, 'setTimeout'>;
  private readonly create: (id: number, ended: AbortSignal) => C | Promise<C>;
  /** How many connections were asked for. */
  private asked = 0;
  private readonly lives = new Map<unknown, Life>();
  private readonly known = rule('a connection that this factory has opened', (value) => this.lives.get(value));
  /** What each connect fails with while the other side is down. */
  private refusal: { readonly error: unknown } | undefined;

  /** @throws PoolSettingsError which lists every fault of the options */
  constructor(options: ScriptedFactoryOptions<C> = {}) {
    super();
    const read = readOptions<ScriptedFactoryOptions<C>>(OPTION_RULES, options, 'ScriptedFactory');
    const { clock, hooks = [], create } = read;
    this.clock = clock ?? { setTimeout: (callback, delay) => setTimeout(callback, delay) };
    // Where nothing is said of C, it is a ScriptedConnection.
    this.create = create ?? ((id) => new ScriptedConnection(id) as C);
    // A ScriptedConnection tells the pool of its death by its events; of a fake nobody knows.
    if (create !== undefined) this.watch = (connection, broken) => this.watchFake(connection, broken);
    if (hooks.includes('keepalive')) this.keepalive = (_connection, context) => this.act('keepalive', context);
    if (hooks.includes('reset')) this.reset = (_connection, context) => this.act('reset', context);
    if (hooks.includes('isUsable')) this.isUsable = (connection) => this.answer(connection);
  }

  /**
   * What the hook does each time that nothing else was said. Default: `'succeed'`.
   * @throws PoolSettingsError if there is no such hook, or it cannot behave so
   */
  always(hook: ScriptedHook, behaviour: Behaviour): this {
    this.readHook(hook, 'always');
    this.usual.set(hook, readArgument(behaviourOf(hook), behaviour, 'behaviour', subjectOf('always', hook)));
    return this;
  }

  /**
   * What the hook does the next times, once each.
   * @throws PoolSettingsError if there is no such hook, it cannot behave so, or nothing is said
   */
  next(hook: ScriptedHook, ...behaviours: Behaviour[]): this {
    this.readHook(hook, 'next');
    const some = listOf(behaviourOf(hook), { least: 1 });
    const read = readArgument(some, behaviours, 'behaviours', subjectOf('next', hook));
    this.coming.set(hook, [...(this.coming.get(hook) ?? []), ...read]);
    return this;
  }

  /** Opened and not closed; also what is dead, until the pool has closed it. */
  get live(): C[] {
    return this.opened.filter((connection) => this.lives.get(connection)!.isOpen);
  }

  /**
   * Ends a connection as the other side would: the pool is told, and what is under way on it fails. A stream is
   * destroyed, another EventEmitter emits 'error' (if there is one) and 'close'. One that is closed already may die too.
   *
   * @param error what it dies of. Default: none; the other side just closed it.
   * @throws PoolSettingsError if this factory has not opened it, or it is to die of what is no Error
   */
  kill(connection: C, error?: Error): void {
    const life = readArgument(this.known, connection, 'connection', 'ScriptedFactory.kill()');
    readArgument(ERROR, error, 'error', 'ScriptedFactory.kill()');
    life.ending.abort(error ?? new ConnectionError('The other side closed the connection'));
    if (isStream(connection)) {
      (connection as { destroy(error?: Error): unknown }).destroy(error);
    } else if (isEmitter(connection)) {
      const emitter = connection as unknown as EventEmitter;
      if (error !== undefined) emitter.emit('error', error);
      emitter.emit('close');
    } else {
      life.broken?.(error);
    }
  }

  /**
   * The other side goes down, until {@link up}: every connection dies of an ECONNRESET in this instant, and connects
   * fail, those included that are under way and would have succeeded. What was said with {@link next} is kept for later.
   *
   * @param error what each connect fails with. Default: an ECONNREFUSED.
   */
  down(error: unknown = failure('connect ECONNREFUSED', 'ECONNREFUSED')): void {
    this.refusal = { error };
    for (const connection of this.live) this.kill(connection, failure('read ECONNRESET', 'ECONNRESET'));
  }

  /** The other side is there again: connects do what was said of them. Directly after {@link down}, a restart. */
  up(): void {
    this.refusal = undefined;
  }

  override connect(context: ConnectContext): Promise<C> {
    this.connectContexts.push(context);
    return this.act('connect', context, () => this.open());
  }

  override close(connection: C, reason: CloseReason): Promise<void> {
    this.closed.push({ connection, reason });
    const life = this.lives.get(connection);
    // What a script yields in the place of a connection keeps no book.
    if (connection instanceof ScriptedConnection) connection.closedFor.push(reason);
    if (life !== undefined) {
      life.isOpen = false;
      life.ending.abort(new ConnectionError(`The pool closed the connection (${reason})`));
    }
    return this.act('close', undefined);
  }

  /** A script for a hook that the factory does not have would never be played. */
  private readHook(hook: ScriptedHook, method: string): void {
    const there = HOOKS.filter((each) => this[each] !== undefined);
    const names = there.map((each) => `'${each}'`).join(', ');
    const allowed = `one of ${names}, which this factory has; the option "hooks" gives it more`;
    const isThere = (value: unknown): ScriptedHook | undefined => there.find((each) => each === value);
    readArgument(rule(allowed, isThere), hook, 'hook', `ScriptedFactory.${method}()`);
  }

  private open(): C | Promise<C> {
    this.refuseIfDown();
    const ending = new AbortController();
    const made = this.create(++this.asked, ending.signal);
    return isThenable(made) ? made.then((connection) => this.enter(connection, ending)) : this.enter(made, ending);
  }

  private enter(connection: C, ending: AbortController): C {
    // While it was made the other side may have gone down.
    this.refuseIfDown(ending);
    this.opened.push(connection);
    this.lives.set(connection, { ending, isOpen: true });
    return connection;
  }

  private refuseIfDown(ending?: AbortController): void {
    if (this.refusal === undefined) return;
    ending?.abort(this.refusal.error);
    throw this.refusal.error;
  }

  private watchFake(connection: C, broken: (error?: unknown) => void): () => void {
    const stop = watchEmitter(connection, broken);
    if (stop !== undefined) return stop;
    const life = this.lives.get(connection);
    if (life === undefined) return () => {};
    life.broken = broken;
    return () => {
      delete life.broken;
    };
  }

  /** For the hook `isUsable`. */
  private answer(connection: C): boolean {
    if (!(connection instanceof ScriptedConnection)) return this.lives.get(connection)?.ending.signal.aborted !== true;
    if (isError(connection.usable)) throw connection.usable;
    return connection.usable as boolean;
  }

  private act(hook: ScriptedHook, context: HookContext | undefined): Promise<void>;
  private act<T>(hook: ScriptedHook, context: HookContext | undefined, succeed: () => T | Promise<T>): Promise<T>;
  private act(
    hook: ScriptedHook,
    context: HookContext | undefined,
    succeed = (): unknown => undefined,
  ): Promise<unknown> {
    this.calls[hook]++;
    if (hook === 'connect' && this.refusal !== undefined) return Promise.reject(this.refusal.error);
    const behaviour = this.coming.get(hook)?.shift() ?? this.usual.get(hook) ?? 'succeed';
    return play(behaviour, { clock: this.clock, signal: context?.signal, succeed });
  }
}

function subjectOf(method: string, hook: ScriptedHook): string {
  return `ScriptedFactory.${method}('${hook}')`;
}

/** No connection has a then(): whoever awaits a connect would wait for that. */
function isThenable<C>(made: C | Promise<C>): made is Promise<C> {
  return typeof (made as Partial<Promise<C>> | null | undefined)?.then === 'function';
}

function failure(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
