import type { CloseReason, ConnectContext } from '../../src/pool/connection-factory.js';
import { ConnectionPool } from '../../src/pool/connection-pool.js';
import { type Behaviour, type ScriptedConnection, VirtualClock } from '../../src/testing/index.js';
import {
  CALLERS,
  CLOSES_AT,
  HOOKS,
  KEEPALIVE,
  LIMITS,
  PAUSES,
  RECYCLES_AT,
  RESTS_AT,
  SLOW,
  WORKS_FOR,
  type Account,
  type Answer,
  type Caller,
  type Cell,
  type Fate,
  type Hook,
  type Outcome,
  type Rest,
} from './outcome-plan.js';
import { LedgerFactory } from './workbench.js';

const BEHAVIOURS: Record<Outcome, Behaviour> = {
  ok: 'succeed',
  fails: { fail: new Error('the hook fails') },
  slow: { after: SLOW },
  hangs: 'hang',
};

/** Plays a cell's script, and writes down what each hook did in truth. */
class Witness extends LedgerFactory {
  readonly hooks: Record<Hook, Outcome[]> = { connect: [], keepalive: [], reset: [], close: [] };
  readonly answers: Answer[] = [];
  readonly closes: Array<{ connection: number; reason: CloseReason; at: number }> = [];
  pingedAt = NaN;

  constructor(
    private readonly virtual: VirtualClock,
    private readonly cell: Cell,
  ) {
    super(virtual, ['keepalive', 'reset', 'isUsable']);
    for (const hook of HOOKS) if (hook !== 'close') this.next(hook, BEHAVIOURS[cell[hook]]);
    const { keepalive, reset, isUsable } = this;
    this.keepalive = (...args) => {
      this.pingedAt = this.virtual.now();
      return this.witness('keepalive', keepalive!(...args) as Promise<void>);
    };
    this.reset = (...args) => this.witness('reset', reset!(...args) as Promise<void>);
    this.isUsable = (connection) => {
      if (this.answers.length === 0) this.spoil(connection);
      const answer = this.answers.push('throws') - 1;
      const usable = isUsable!(connection);
      this.answers[answer] = usable ? 'true' : 'false';
      return usable;
    };
  }

  override connect(context: ConnectContext): Promise<ScriptedConnection> {
    return this.witness('connect', super.connect(context));
  }

  override close(connection: ScriptedConnection, reason: CloseReason): Promise<void> {
    if (this.closes.every((close) => close.reason !== reason)) this.next('close', BEHAVIOURS[this.cell.close]);
    this.closes.push({ connection: connection.id, reason, at: this.virtual.now() });
    return this.witness('close', super.close(connection, reason));
  }

  /** From now on the connection answers as the cell has it. */
  spoil(connection: ScriptedConnection): void {
    const { usable } = this.cell;
    connection.usable = usable === 'throws' ? new Error('isUsable() throws') : usable === 'true';
  }

  private witness<T>(hook: Hook, call: Promise<T>): Promise<T> {
    const calls = this.hooks[hook];
    const place = calls.push('hangs') - 1;
    const begunAt = this.virtual.now();
    call.then(
      () => (calls[place] = this.virtual.now() - begunAt > LIMITS[hook] ? 'slow' : 'ok'),
      () => (calls[place] = 'fails'),
    );
    return call;
  }
}

const silent = (): void => {};

type Event = [at: number, happens: () => void];

/** Tells the story of a cell. */
class Story {
  private readonly clock: VirtualClock;
  private readonly factory: Witness;
  private readonly pool: ConnectionPool<ScriptedConnection>;
  private readonly callers: Partial<Record<Caller, Fate>> = {};
  private readonly fullAt: number[] = [];
  private readonly rests: Rest[] = [];
  private closedAt = NaN;
  private timersAtClose = NaN;

  constructor(cell: Cell) {
    // The least random number: no ping comes early.
    this.clock = new VirtualClock({ random: () => 0 });
    this.factory = new Witness(this.clock, cell);
    const [delay, next] = PAUSES;
    this.pool = new ConnectionPool(this.factory, {
      size: 1,
      clock: this.clock,
      logger: { log: silent, warn: silent, error: silent },
      connectTimeout: LIMITS.connect,
      keepaliveTimeout: LIMITS.keepalive,
      resetTimeout: LIMITS.reset,
      closeTimeout: LIMITS.close,
      acquireTimeout: Infinity,
      keepalive: KEEPALIVE,
      reconnect: { delay, multiplier: next / delay, jitter: 'none' },
    });
    this.factory.pool = this.pool;
    this.factory.limit = 1;
  }

  async tell(): Promise<Account> {
    const { clock, factory, pool, callers, fullAt } = this;
    for (const [at, happens] of this.events()) {
      await clock.advance(at - clock.now());
      happens();
    }
    // Whatever comes after the end.
    await clock.advance(KEEPALIVE);
    const { hooks, answers, closes, pingedAt, faults } = factory;
    const connects = factory.connectTimes.map((at, i) => ({ at, attempt: factory.connectContexts[i]!.attempt }));
    const left = this.lookAtTheEnd();
    const { rests, closedAt } = this;
    const { totals } = pool.stats();
    return { hooks, answers, connects, closes, pingedAt, callers, fullAt, rests, closedAt, totals, left, faults };
  }

  private events(): Event[] {
    const callers = Object.entries(CALLERS).map(([caller, { at }]): Event => [
      at,
      () => void this.call(caller as Caller),
    ]);
    const rests = RESTS_AT.map((at): Event => [at, () => this.rests.push(this.lookAtTheRest())]);
    const events: Event[] = [
      [0, () => void this.fill()],
      [RECYCLES_AT, () => this.recycle()],
      [CLOSES_AT, () => void this.close()],
      ...callers,
      ...rests,
    ];
    return events.toSorted(([one], [other]) => one - other);
  }

  private async call(caller: Caller): Promise<void> {
    const { clock, pool, factory, callers } = this;
    const { patience: timeout } = CALLERS[caller];
    const work = async (connection: ScriptedConnection): Promise<void> => {
      callers[caller] = { by: connection.id, from: clock.now() };
      await clock.sleep(WORKS_FOR);
      if (caller === 'spoiler') factory.spoil(connection);
    };
    try {
      await pool.use(work, { timeout });
      callers[caller] = { ...(callers[caller] as Fate & { by: number }), until: clock.now() };
    } catch (error) {
      const { code, cause } = error as { code: string; cause?: object };
      callers[caller] = { error: code, at: clock.now(), cause: cause?.constructor.name };
    }
  }

  private async fill(): Promise<void> {
    const place = this.fullAt.push(NaN) - 1;
    await this.pool.ready();
    this.fullAt[place] = this.clock.now();
  }

  private recycle(): void {
    this.pool.recycle();
    void this.fill();
  }

  private async close(): Promise<void> {
    await this.pool.close();
    this.closedAt = this.clock.now();
    this.timersAtClose = this.clock.pending;
  }

  private lookAtTheRest(): Rest {
    const { idle, open, connecting, closing, waiting, downSince } = this.factory.audit('at rest');
    return { at: this.clock.now(), idle, open, connecting, closing, waiting, downSince };
  }

  private lookAtTheEnd(): Account['left'] {
    const { open, connecting, closing, waiting } = this.factory.audit('at the end');
    const listeners = this.factory.opened.map((connection) =>
      connection.eventNames().flatMap((event) => connection.listeners(event).map(() => String(event))),
    );
    const { timersAtClose, clock } = this;
    return { open, connecting, closing, waiting, timersAtClose, timers: clock.pending, listeners };
  }
}

/** What the story of this cell came to. */
export function told(cell: Cell): Promise<Account> {
  return new Story(cell).tell();
}
