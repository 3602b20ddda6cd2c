import { EventEmitter } from 'node:events';
import type { Clock } from '../../../src/pool/clock.js';

/** How much a {@link LoginServer} can take. */
export interface LoginServerOptions {
  /** How many logins it works on at a time; the others wait in the order in which they came. */
  readonly desks: number;
  /** How long one login takes once it is worked on, in milliseconds. */
  readonly loginTime: number;
  /** How long a refusal takes while the server is down, in milliseconds. */
  readonly refusalTime: number;
}

/** A connection to a {@link LoginServer}; emits 'close' when the server dies. */
export class Session extends EventEmitter {}

/** One client that wants in. */
interface Login {
  admit(): void;
  fail(error: unknown): void;
}

/**
 * A backend whose logins are dear: it works on as many at a time as it has desks, and the others wait. So does a database
 * look to whoever connects along with two thousand others.
 */
export class LoginServer {
  private up = true;
  private busy = 0;
  private readonly queue = new Set<Login>();
  private readonly atDesks = new Set<Login>();
  private readonly sessions = new Set<Session>();

  constructor(
    private readonly clock: Clock,
    private readonly options: LoginServerOptions,
  ) {}

  /** How many sessions there are. */
  get open(): number {
    return this.sessions.size;
  }

  /** Resolves with a session; rejects while the server is down, if it dies meanwhile, and once the signal is aborted. */
  connect(signal: AbortSignal): Promise<Session> {
    return this.up ? this.queueUp(signal) : this.refuse();
  }

  /** Dies: in this instant every session ends, and from now on nobody gets in. */
  die(): void {
    this.up = false;
    const [dead, rejected] = [[...this.sessions], [...this.atDesks, ...this.queue]];
    for (const set of [this.sessions, this.queue, this.atDesks]) set.clear();
    for (const login of rejected) login.fail(failure('read ECONNRESET', 'ECONNRESET'));
    for (const session of dead) session.emit('close');
  }

  /** Is there again. */
  rise(): void {
    this.up = true;
  }

  logOut(session: Session): void {
    this.sessions.delete(session);
  }

  private refuse(): Promise<never> {
    const error = failure('connect ECONNREFUSED', 'ECONNREFUSED');
    return new Promise((_, reject) => this.clock.setTimeout(() => reject(error), this.options.refusalTime));
  }

  private queueUp(signal: AbortSignal): Promise<Session> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.queue.delete(login);
        this.atDesks.delete(login);
        reject(signal.reason as Error);
      };
      const login: Login = {
        admit: () => {
          signal.removeEventListener('abort', leave);
          const session = new Session();
          this.sessions.add(session);
          resolve(session);
        },
        fail: reject,
      };
      signal.addEventListener('abort', leave);
      this.queue.add(login);
      this.callNext();
    });
  }

  private callNext(): void {
    const [login] = this.queue;
    if (login === undefined || this.busy === this.options.desks) return;
    this.queue.delete(login);
    this.atDesks.add(login);
    this.busy++;
    this.clock.setTimeout(() => {
      // Whoever has left meanwhile has cost the server the whole login all the same.
      this.busy--;
      if (this.atDesks.delete(login)) login.admit();
      this.callNext();
    }, this.options.loginTime);
  }
}

function failure(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
