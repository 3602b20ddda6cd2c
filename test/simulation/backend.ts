import { ConnectionError } from '../../src/pool/connection-error.js';
import {
  ConnectionFactory,
  type CloseReason,
  type ConnectContext,
  type HookContext,
} from '../../src/pool/connection-factory.js';
import { Account, type Check, type Dial } from './account.js';
import type { Behaviour, Call, Hook } from './behaviour.js';
import { StreamConnection, TellingConnection, type SimulatedConnection } from './connections.js';
import type { Ledger } from './ledger.js';
import type { SimulatedFactoryShape } from './programme.js';
import { ScriptOfHooks } from './script-of-hooks.js';
import { gone, make, taken } from './supply.js';
import { SessionError } from './work.js';

/** What the backend needs of its world. */
export interface BackendHost {
  readonly ledger: Ledger;
  /** Calls back after so many milliseconds. */
  later(ms: number, callback: () => void): void;
  /** Does something to the pool. */
  call(call: Call): void;
}

/** The other side, and the factory that connects to it. Every hook does what the script says. */
export class Backend extends ConnectionFactory<SimulatedConnection> {
  static override poolName = 'simulated';

  private readonly script: ScriptOfHooks;

  constructor(
    private readonly host: BackendHost,
    private readonly shape: SimulatedFactoryShape,
    behaviours: Readonly<Record<Hook, Behaviour>>,
  ) {
    super();
    this.script = new ScriptOfHooks(
      behaviours,
      (call) => host.call(call),
      (ms, callback) => host.later(ms, callback),
    );
    if (shape.keepalive) this.keepalive = (connection, context) => this.check('keepalive', connection, context);
    if (shape.reset) this.reset = (connection, context) => this.check('reset', connection, context);
    if (shape.isUsable) this.isUsable = (connection) => this.answerOf(connection);
    if (shape.tells === 'watch') this.watch = (connection, broken) => this.watchFor(connection, broken);
    const { knowsErrors } = shape;
    if (knowsErrors !== undefined) {
      this.isConnectionError = (error) => {
        if (knowsErrors === 'throws') throw new Error('isConnectionError() throws');
        if (knowsErrors === 'rejects') {
          return reject('isConnectionError()');
        }
        return knowsErrors && error instanceof SessionError;
      };
    }
    if (shape.closedBy === 'hook') this.close = (connection, reason) => this.closeFor(connection, reason);
  }

  // What a script says -----------------------------------------------------------------------------------------------

  always(hook: Hook, behaviour: Behaviour): void {
    this.script.always(hook, behaviour);
  }

  next(hook: Hook, behaviour: Behaviour): void {
    this.script.next(hook, behaviour);
  }

  answer(which: number, answer: Account['answer'], calls: Call | undefined): void {
    if (this.shape.kind === 'stream' && !this.shape.isUsable) {
      this.spoil(which, answer);
      return;
    }
    const account = pick(this.alive(), which);
    if (account === undefined) return;
    account.answer = answer;
    account.answerIn = this.host.ledger.turn;
    account.answerCalls = calls;
  }

  /** A stream says by what it is that it cannot be lent. */
  private spoil(which: number, answer: Account['answer']): void {
    const { turn } = this.host.ledger;
    if (answer === 'yes' || answer === 'rejects') return;
    // Bytes that come while somebody works with it are his; those that come during a check may be its reply.
    const isIdle = (each: Account): boolean => answer === 'no' || (each.isFree && each.movedIn < turn);
    const account = pick(this.alive().filter(isIdle), which);
    if (account === undefined || account.isUnusable) return;
    const stream = account.connection as StreamConnection;
    if (answer === 'no') stream.writable = false;
    else stream.receive();
    account.wounds.add('the stream said so');
    account.answer = answer;
    account.answerIn = turn;
  }

  kill(which: number, error: boolean): void {
    const account = pick(this.alive(), which);
    if (account !== undefined) this.die(account, error);
  }

  restart(error: boolean): void {
    for (const account of this.alive()) this.die(account, error);
  }

  /** Of a connection that is closed: an 'error' that nobody may trip over, and a death that is no news. */
  lastWord(which: number): void {
    const { ledger } = this.host;
    // The connection of one that has come back is no longer its own.
    const closed = ledger.accounts.filter((each) => !each.isOpen && ledger.accountOf(each.connection) === each);
    const account = pick(closed, which);
    if (account === undefined) return;
    // A stream that is asked to end has ended when it says so.
    if (this.awaitsClose(account)) this.ended(account);
    this.tell(account, new ConnectionError('the last word'));
  }

  /** From now on everything is well. */
  heal(): void {
    const { ledger } = this.host;
    this.script.heal((hook) => ledger.limits[`${hook}Timeout`] === Infinity);
    for (const account of ledger.live) {
      account.answerCalls = undefined;
      const { connection } = account;
      if (!this.shape.isUsable && connection instanceof StreamConnection) {
        // The bytes that it got are there still.
        if (account.answer === 'throws') continue;
        connection.writable = true;
      }
      account.answer = 'yes';
    }
  }

  die(account: Account, error: boolean): void {
    if (account.isDead || !account.isOpen) return;
    const isWatched = this.isWatched(account);
    this.host.ledger.died(account, isWatched);
    // Before the pool has it, an 'error' is for the factory to listen to.
    this.tell(account, error && isWatched ? new ConnectionError('the other side died') : undefined);
  }

  private tell({ connection, broken }: Account, error: Error | undefined): void {
    if (this.shape.tells !== 'watch' && connection instanceof TellingConnection) {
      if (error !== undefined) connection.emit('error', error);
      connection.emit('close');
    } else {
      broken?.(error);
    }
  }

  private isWatched({ connection, watches }: Account): boolean {
    const byEvents = this.shape.tells !== 'watch' && connection instanceof TellingConnection;
    return byEvents ? connection.listenerCount('close') > 0 : watches > 0;
  }

  private alive(): Account[] {
    return [...this.host.ledger.live].filter(({ isDead }) => !isDead);
  }

  // The hooks ----------------------------------------------------------------------------------------------------------

  override connect(context: ConnectContext): SimulatedConnection | Promise<SimulatedConnection> {
    const { ledger } = this.host;
    const dial = ledger.dialled(context);
    if (dial === undefined) return new Promise(() => {});
    const behaviour = this.script.behaviourOf('connect');
    return this.script.perform(behaviour, 'connect', context.signal, {
      succeed: () => this.open(dial, behaviour),
      failed: () => ledger.dialEnded(dial, true),
    }) as SimulatedConnection | Promise<SimulatedConnection>;
  }

  private open(dial: Dial, behaviour: Behaviour): SimulatedConnection | null {
    const { ledger } = this.host;
    const { outcome, kick } = behaviour;
    const id = ledger.accounts.length + 1;
    let connection: SimulatedConnection;
    if (outcome === 'null' || outcome === 'same') {
      ledger.dialEnded(dial, true);
      return outcome === 'same' ? taken(ledger) : null;
    } else if (outcome === 'back') {
      connection = gone(ledger) ?? make(id, this.shape);
      if (connection instanceof StreamConnection) connection.revive();
    } else {
      connection = make(id, this.shape);
    }
    const account = new Account(id, connection, dial, ledger.now, ledger.turn);
    account.watch = behaviour.watch;
    if (this.shape.closedBy === 'methods') this.equip(account);
    ledger.opened(account);
    if (kick !== undefined) this.host.later(kick, () => this.die(account, true));
    return connection;
  }

  /** Methods by which the pool can close it. */
  private equip(account: Account): void {
    const { ledger } = this.host;
    Object.assign(account.connection, {
      end: () => this.closing(account, 'polite'),
      // After an end() that failed or took too long it is destroyed.
      destroy: () => {
        if (account.isOpen) return this.closing(account, 'broken');
        ledger.destroyed(account);
        this.ended(account);
      },
    });
  }

  private ended(account: Account): void {
    if (account.closeSettledIn < Infinity) return;
    const isAwaited = this.awaitsClose(account);
    this.host.ledger.closeEnded(account);
    if (isAwaited) (account.connection as StreamConnection).emit('close');
  }

  /** It is a stream that was asked to end: that is over when it says so. */
  private awaitsClose({ connection, closedFor, closeSettledIn }: Account): boolean {
    return connection instanceof StreamConnection && closedFor === 'polite' && closeSettledIn === Infinity;
  }

  private check(
    hook: 'keepalive' | 'reset',
    connection: SimulatedConnection,
    { signal }: HookContext,
  ): void | Promise<void> {
    const { ledger } = this.host;
    const account = ledger.accountOf(connection);
    const check: Check = { hook, at: ledger.now, signal, ended: false };
    ledger.checkBegan(account, check);
    return this.script.perform(this.script.behaviourOf(hook), hook, signal, {
      succeed: () => ledger.checkEnded(account, check, undefined),
      failed: () => ledger.checkEnded(account, check, `its ${hook} failed`),
    }) as void | Promise<void>;
  }

  private closeFor(connection: SimulatedConnection, reason: CloseReason): void | Promise<void> {
    return this.closing(this.host.ledger.accountOf(connection), reason);
  }

  private closing(account: Account, reason: CloseReason | 'polite'): void | Promise<void> {
    const { ledger } = this.host;
    ledger.closeBegan(account, reason);
    const isAwaited = this.awaitsClose(account);
    const ended = (): void => this.ended(account);
    // A stream whose end fails says nothing, unless nothing else would ever end it.
    const failed = isAwaited && ledger.limits.closeTimeout < Infinity ? (): void => {} : ended;
    return this.script.perform(this.script.behaviourOf('close'), 'close', undefined, {
      succeed: ended,
      failed,
    }) as void | Promise<void>;
  }

  private answerOf(connection: SimulatedConnection): boolean {
    const account = this.host.ledger.accountOf(connection);
    this.host.ledger.asked(account);
    const { answerCalls } = account;
    account.answerCalls = undefined;
    // Of all connections it is the one that is asked which dies then.
    if (answerCalls === 'die') this.die(account, true);
    else if (answerCalls !== undefined) this.host.call(answerCalls);
    if (account.answer === 'rejects') return reject('isUsable()');
    if (account.answer === 'throws') throw new Error('isUsable() throws');
    return account.answer === 'yes';
  }

  private watchFor(connection: SimulatedConnection, broken: (error?: unknown) => void): () => void {
    const account = this.host.ledger.accountOf(connection);
    const { watch } = account;
    if (watch === 'throws') {
      // What cannot be watched is as good as dead.
      this.host.ledger.died(account, true);
      throw new Error('watch() throws');
    }
    account.broken = broken;
    account.watches++;
    if (watch === 'dies') this.die(account, true);
    else if (watch !== undefined && watch !== 'stopThrows' && watch !== 'stopRejects') this.host.call(watch);
    return () => {
      account.watchesStopped++;
      if (watch === 'stopThrows') throw new Error('the end of watch() throws');
      if (watch === 'stopRejects') return reject('the end of watch()');
    };
  }
}

/** What a hook returns that was made async by mistake, and fails. */
function reject(what: string): never {
  return Promise.reject(new Error(`${what} rejects`)) as never;
}

export function pick<T>(from: readonly T[], which: number): T | undefined {
  return from[which % from.length];
}
