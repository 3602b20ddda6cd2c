import { ConnectionError, isConnectionError } from '../../src/pool/connection-error.js';
import type { ConnectionPool } from '../../src/pool/connection-pool.js';
import type { Lease } from '../../src/pool/lease.js';
import { pick, type Backend } from './backend.js';
import type { Caller } from './caller.js';
import { idOf, type SimulatedConnection } from './connections.js';
import type { Ledger } from './ledger.js';
import { isLendable } from './lending.js';
import { whyNotRefused, type Refusal } from './refusal.js';
import { errorOf, verdictOf, type Ending, type Failure, type Work } from './work.js';

export interface Wait {
  readonly timeout?: number | 'Infinity' | undefined;
  readonly signal?: number | undefined;
}

/** What the callers need of their world. */
export interface CallersHost {
  readonly ledger: Ledger;
  readonly backend: Backend;
  readonly pool: ConnectionPool<SimulatedConnection>;
  /** How often hooks have called the pool in this turn. */
  readonly callsInTurn: number;
  /** Calls back after so many milliseconds. */
  later(ms: number, callback: () => void): void;
}

/** Those who borrow connections, and what they do with them. */
export class Callers {
  readonly signals = [new AbortController(), new AbortController(), new AbortController(), new AbortController()];
  /** Signals that were aborted in this turn. */
  readonly aborted: AbortSignal[] = [];
  private readonly held: Caller[] = [];
  private readonly over: Array<Lease<SimulatedConnection>> = [];
  /** Whose call of the pool is going on. */
  private whoComes: Caller | undefined;

  constructor(private readonly host: CallersHost) {
    this.signals[3]!.abort(new Error('the caller had gone before he came'));
  }

  acquire(wait: Wait): void {
    const caller = this.newCaller('acquire', wait);
    const options = { timeout: wait.timeout, signal: caller.signal };
    this.coming(caller, () => this.host.pool.acquire(options)).then(
      (lease) => {
        this.hold(caller, lease, undefined);
      },
      (error: unknown) => this.refused(caller, error),
    );
  }

  tryAcquire(): void {
    const caller = this.newCaller('try', { timeout: 0 });
    const waiting = this.waitingNow();
    const { ledger, pool } = this.host;
    try {
      const mustGet = this.mustGet();
      const lease = this.coming(caller, () => pool.tryAcquire());
      if (lease !== undefined) {
        this.hold(caller, lease, waiting);
        return;
      }
      ledger.answered(caller, 'refused');
      if (mustGet()) ledger.fault(`${String(caller)} got nothing though a connection was free`);
    } catch (error) {
      this.refused(caller, error);
    }
  }

  use(use: Work, wait: Wait): void {
    const { ledger, pool } = this.host;
    const caller = this.newCaller('use', wait);
    const waiting = this.waitingNow();
    const fails = use.work === 'throws' || use.work === 'rejects';
    const failure = fails ? errorOf(use.failure) : undefined;
    let isCall = true;
    const work = (connection: SimulatedConnection, lease: Lease<SimulatedConnection>): unknown => {
      caller.lease = lease;
      ledger.served(caller, ledger.accountOf(connection), isCall ? waiting : undefined);
      return this.work(caller, lease, use, failure);
    };
    const options = { timeout: wait.timeout, signal: caller.signal };
    const promise = this.coming(caller, () => pool.use(work, options));
    isCall = false;
    promise.then(
      (value) => {
        if (fails || value !== caller) ledger.fault(`${String(caller)} got what his work had not made`);
      },
      (error: unknown) => {
        if (caller.state !== 'served') this.refused(caller, error);
        else if (!fails || error !== failure) {
          ledger.fault(`${String(caller)} failed with what his work had not thrown: ${String(error)}`);
        } else if (caller.hasBroken && caller.account?.closedFor === 'broken' && !isConnectionError(error)) {
          ledger.fault(`nobody else is told that the error of ${String(caller)} broke his connection`);
        }
      },
    );
  }

  private work(caller: Caller, lease: Lease<SimulatedConnection>, use: Work, failure: Error | undefined): unknown {
    const { work, takes, midway } = use;
    const fails = work === 'throws' || work === 'rejects';
    const interrupt = (): void => {
      if (midway === 'die') this.host.backend.die(caller.account!, true);
      else if (midway !== undefined) this.end(caller, lease, midway, undefined);
    };
    const finish = (): Caller => {
      this.goBack(caller, fails ? 'fail' : 'release', fails ? use.failure : undefined);
      if (fails) throw failure;
      return caller;
    };
    if (work === 'value' || work === 'throws') {
      interrupt();
      return finish();
    }
    this.host.later(takes / 2, interrupt);
    if (work === 'never') return new Promise(() => {});
    const end = (resolve: (value: unknown) => void, reject: (error: unknown) => void): void =>
      this.host.later(takes, () => {
        try {
          resolve(finish());
        } catch (error) {
          reject(error);
        }
      });
    // oxlint-disable-next-line unicorn/no-thenable -- that it has a "then" is the point
    return work === 'thenable' ? { then: end } : new Promise(end);
  }

  abort(which: number): void {
    const controller = this.signals[which]!;
    this.signals[which] = new AbortController();
    this.aborted.push(controller.signal);
    controller.abort(new Error('the caller has gone'));
  }

  release(which: number, failure: Failure | undefined): void {
    // Who gives back a connection with undefined as the error gives it back without one.
    const told = failure === 'nothing' ? undefined : failure;
    this.endHeld(which, told === undefined ? 'release' : 'fail', told);
  }

  dispose(which: number): void {
    this.endHeld(which, 'dispose', undefined);
  }

  discard(which: number, failure: Failure | undefined): void {
    this.endHeld(which, 'discard', failure);
  }

  /** Whoever holds a connection gives it back, and all is well with it. */
  releaseAll(): void {
    while (this.held.length > 0) this.release(0, undefined);
  }

  again(which: number): void {
    const { ledger } = this.host;
    const lease = pick(this.over, which);
    if (lease === undefined) return;
    lease.release();
    lease.discard(new ConnectionError('too late'));
    lease[Symbol.dispose]();
    try {
      ledger.fault(`connection ${idOf(lease.connection)} could be used after its release`);
    } catch (error) {
      const { code } = error as Refusal;
      if (code !== 'ERR_POOL_LEASE_RELEASED') ledger.fault(`a lease that is over says: ${String(error)}`);
    }
  }

  private endHeld(which: number, how: Ending, failure: Failure | undefined): void {
    if (this.held.length === 0) return;
    const [caller] = this.held.splice(which % this.held.length, 1);
    this.end(caller!, caller!.lease!, how, failure);
  }

  private end(caller: Caller, lease: Lease<SimulatedConnection>, how: Ending, failure: Failure | undefined): void {
    this.goBack(caller, how, failure);
    const error = failure === undefined ? undefined : errorOf(failure);
    if (how === 'discard') lease.discard(error);
    else if (how !== 'dispose') lease.release(error);
    else if (caller.number % 2 === 0) lease[Symbol.dispose]();
    else void lease[Symbol.asyncDispose]();
  }

  /** The ledger learns first that the lease is over: the pool may lend the connection again at once. */
  private goBack(caller: Caller, how: Ending, failure: Failure | undefined): void {
    const { ledger } = this.host;
    if (!caller.returned) this.over.push(caller.lease!);
    const verdict = verdictOf(how, failure, caller.signal, ledger.limits.knowsSessions);
    caller.hasBroken ||= verdict === 'broken' && !caller.returned && caller.account!.isOpen;
    ledger.returned(caller, verdict, `its work ended with ${how} ${failure ?? ''}`);
  }

  private hold(caller: Caller, lease: Lease<SimulatedConnection>, waitingBefore: number | undefined): void {
    caller.lease = lease;
    const { ledger } = this.host;
    ledger.served(caller, ledger.accountOf(lease.connection), waitingBefore);
    this.held.push(caller);
  }

  private newCaller(how: Caller['how'], { timeout, signal }: Wait): Caller {
    return this.host.ledger.came(
      how,
      timeout === 'Infinity' ? Infinity : timeout,
      signal === undefined ? undefined : this.signals[signal]!.signal,
      this.whoComes,
    );
  }

  /** Calls the pool for a caller, who must not wait where a connection is free. */
  private coming<T>(caller: Caller, call: () => T): T {
    const { whoComes } = this;
    const { ledger, pool } = this.host;
    const mustGet = this.mustGet();
    const { waiting } = pool.stats();
    const { pings } = ledger;
    this.whoComes = caller;
    try {
      return call();
    } finally {
      this.whoComes = whoComes;
      caller.isQueued = !ledger.closing;
      // Others may have come from inside a hook.
      const after = pool.stats();
      const isWaiting = ledger.callers.at(-1) === caller && after.waiting > waiting;
      if (isWaiting && caller.deadline === caller.cameAt) ledger.fault(`${String(caller)} waits, and would not`);
      if (isWaiting && after.idle > 0 && ledger.pings === pings) {
        ledger.fault(`${String(caller)} waits, and of ${after.idle} idle connections none is looked at for him`);
      }
      if (mustGet() && after.waiting > 0) {
        ledger.fault(`${String(caller)} must wait though a connection is free`);
      }
    }
  }

  /** Whether who comes now must get a connection at once; to be asked again after he came. */
  private mustGet(): () => boolean {
    const { ledger, pool, callsInTurn } = this.host;
    if (ledger.closing || ledger.isInHook || ledger.live.size === 0) return () => false;
    const { idle, waiting } = pool.stats();
    let [free, lendable] = [0, 0];
    for (const account of ledger.live) {
      // Asked whether it is usable it does something to the pool, and so to all others.
      if (account.answerCalls !== undefined) return () => false;
      if (account.isFree && !account.isLate) free++;
      if (isLendable(ledger, account)) lendable++;
    }
    // Some may be lent already, and their borrowers do not know yet.
    const isFree = waiting === 0 && lendable > free - idle;
    return () => isFree && this.host.callsInTurn === callsInTurn;
  }

  private waitingNow(): number {
    return this.host.pool.stats().waiting;
  }

  private refused(caller: Caller, error: unknown): void {
    const { ledger } = this.host;
    if (caller.state !== 'waiting') ledger.fault(`${String(caller)} was refused after having been ${caller.state}`);
    ledger.answered(caller, 'refused');
    const why = whyNotRefused(ledger, caller, error);
    if (why !== undefined) ledger.fault(`${String(caller)} was refused with ${String(error)}, but ${why}`);
  }
}
