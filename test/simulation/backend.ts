import { ConnectionError } from '../../src/pool/connection-error.js';
import {
  ConnectionFactory,
  type CloseReason,
  type ConnectContext,
  type HookContext,
} from '../../src/pool/connection-factory.js';
import { Account, TellingConnection, type Check, type Dial, type SimulatedConnection } from './account.js';
import { HOOKS, well, type Behaviour, type Call, type Hook } from './behaviour.js';
import type { Ledger } from './ledger.js';
import type { SimulatedFactoryShape } from './programme.js';

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

  private readonly usual: Record<Hook, Behaviour>;
  private readonly coming: Record<Hook, Behaviour[]> = { connect: [], keepalive: [], reset: [], close: [] };

  constructor(
    private readonly host: BackendHost,
    private readonly shape: SimulatedFactoryShape,
    behaviours: Readonly<Record<Hook, Behaviour>>,
  ) {
    super();
    this.usual = { ...behaviours };
    if (shape.keepalive) this.keepalive = (connection, context) => this.check('keepalive', connection, context);
    if (shape.reset) this.reset = (connection, context) => this.check('reset', connection, context);
    if (shape.isUsable) this.isUsable = (connection) => this.answerOf(connection);
    if (shape.tells === 'watch') this.watch = (connection, broken) => this.watchFor(connection, broken);
    if (shape.closedBy === 'hook') this.close = (connection, reason) => this.closeFor(connection, reason);
  }

  // What a script says -----------------------------------------------------------------------------------------------

  always(hook: Hook, behaviour: Behaviour): void {
    this.usual[hook] = behaviour;
  }

  next(hook: Hook, behaviour: Behaviour): void {
    this.coming[hook].push(behaviour);
  }

  answer(which: number, answer: Account['answer']): void {
    const account = pick(this.alive(), which);
    if (account !== undefined) account.answer = answer;
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
    const closed = this.host.ledger.accounts.filter(({ isOpen }) => !isOpen);
    const account = pick(closed, which);
    if (account !== undefined) this.tell(account, new ConnectionError('the last word'));
  }

  /** From now on everything is well. */
  heal(): void {
    for (const hook of HOOKS) {
      this.usual[hook] = well(0);
      this.coming[hook] = [];
    }
    for (const account of this.host.ledger.live) account.answer = 'yes';
  }

  die(account: Account, error: boolean): void {
    if (account.isDead || !account.isOpen) return;
    const isWatched = this.isWatched(account);
    this.host.ledger.died(account, isWatched);
    // Before the pool has it, an 'error' is for the factory to listen to.
    this.tell(account, error && isWatched ? new ConnectionError('the other side died') : undefined);
  }

  private tell({ connection, broken }: Account, error: Error | undefined): void {
    if (connection instanceof TellingConnection) {
      if (error !== undefined) connection.emit('error', error);
      connection.emit('close');
    } else {
      broken?.(error);
    }
  }

  private isWatched({ connection, watches }: Account): boolean {
    return connection instanceof TellingConnection ? connection.listenerCount('close') > 0 : watches > 0;
  }

  private alive(): Account[] {
    return [...this.host.ledger.live].filter(({ isDead }) => !isDead);
  }

  // The hooks ----------------------------------------------------------------------------------------------------------

  override connect(context: ConnectContext): SimulatedConnection | Promise<SimulatedConnection> {
    const { ledger } = this.host;
    const dial = ledger.dialled(context);
    if (dial === undefined) return new Promise(() => {});
    const behaviour = this.behaviourOf('connect');
    return this.behave(behaviour, context.signal, {
      succeed: () => this.open(dial, behaviour),
      failed: () => ledger.dialEnded(dial),
    }) as SimulatedConnection | Promise<SimulatedConnection>;
  }

  private open(dial: Dial, { outcome, kick }: Behaviour): SimulatedConnection | null {
    const { ledger } = this.host;
    if (outcome === 'null' || outcome === 'same') {
      ledger.dialEnded(dial);
      // One that has only just been opened may not have been taken in yet.
      const held = [...ledger.live].find(({ isLate, openedIn }) => !isLate && openedIn < ledger.turn);
      return outcome === 'same' && held !== undefined ? held.connection : null;
    }
    const id = ledger.accounts.length + 1;
    const connection = this.shape.tells === 'events' ? new TellingConnection(id) : { id };
    const account = new Account(id, connection, dial, ledger.now, ledger.turn);
    if (this.shape.closedBy === 'methods') this.equip(account);
    ledger.opened(account);
    if (kick !== undefined) this.host.later(kick, () => this.die(account, true));
    return connection;
  }

  /** Methods by which the pool can close it. */
  private equip(account: Account): void {
    Object.assign(account.connection, {
      end: () => this.closing(account, 'polite'),
      // After an end() that failed or took too long it is destroyed.
      destroy: () => (account.isOpen ? this.closing(account, 'broken') : this.host.ledger.closeEnded(account)),
    });
  }

  private check(
    hook: 'keepalive' | 'reset',
    connection: SimulatedConnection,
    { signal }: HookContext,
  ): void | Promise<void> {
    const { ledger } = this.host;
    const account = ledger.accountOf(connection);
    const check: Check = { hook, at: ledger.now, signal };
    ledger.checkBegan(account, check);
    return this.behave(this.behaviourOf(hook), signal, {
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
    const ended = (): void => ledger.closeEnded(account);
    return this.behave(this.behaviourOf('close'), undefined, { succeed: ended, failed: ended }) as void | Promise<void>;
  }

  private answerOf(connection: SimulatedConnection): boolean {
    const account = this.host.ledger.accountOf(connection);
    this.host.ledger.asked(account);
    if (account.answer === 'throws') throw new Error('isUsable() throws');
    return account.answer === 'yes';
  }

  private watchFor(connection: SimulatedConnection, broken: (error?: unknown) => void): () => void {
    const account = this.host.ledger.accountOf(connection);
    account.broken = broken;
    account.watches++;
    return () => void account.watchesStopped++;
  }

  // Behaviour ----------------------------------------------------------------------------------------------------------

  private behaviourOf(hook: Hook): Behaviour {
    return this.coming[hook].shift() ?? this.usual[hook];
  }

  /** Does what the behaviour says; `ending` is told when it comes to its end, in the same step as the pool is. */
  private behave(behaviour: Behaviour, signal: AbortSignal | undefined, ending: Ending): unknown {
    const { outcome, after, calls, whenAborted } = behaviour;
    const end = (): unknown => {
      if (outcome !== 'fail' && outcome !== 'throw') return ending.succeed();
      ending.failed();
      throw new Error(`the script says: ${outcome}`);
    };
    if (whenAborted !== undefined) signal?.addEventListener('abort', () => this.host.call(whenAborted));
    if (calls !== undefined) this.host.call(calls);
    if (outcome === 'hang' || (outcome === 'obey' && signal === undefined)) return new Promise(() => {});
    if (outcome === 'obey') return this.obey(signal!, ending);
    if (outcome === 'throw' || (after === undefined && outcome !== 'fail')) return end();
    if (after === undefined || after === 0) return Promise.resolve().then(end);
    return new Promise((resolve, reject) => {
      this.host.later(after, () => {
        try {
          resolve(end());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  private obey(signal: AbortSignal, ending: Ending): Promise<never> {
    return new Promise((_, reject) => {
      const give = (): void => {
        ending.failed();
        reject(signal.reason as Error);
      };
      if (signal.aborted) give();
      else signal.addEventListener('abort', give);
    });
  }
}

interface Ending {
  succeed(): unknown;
  failed(): void;
}

export function pick<T>(from: readonly T[], which: number): T | undefined {
  return from[which % from.length];
}
