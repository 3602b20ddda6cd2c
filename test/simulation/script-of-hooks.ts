import { HOOKS, well, type Behaviour, type Call, type Hook } from './behaviour.js';

/** How a hook comes to its end; told in the same step as the pool is. */
export interface Ending {
  succeed(): unknown;
  failed(): void;
}

/** What each hook is to do, from now on and the next time; and does it. */
export class ScriptOfHooks {
  private readonly usual: Record<Hook, Behaviour>;
  private readonly coming: Record<Hook, Behaviour[]> = { connect: [], keepalive: [], reset: [], close: [] };
  /** How to end what hangs. */
  private readonly hanging: Record<Hook, Array<() => void>> = { connect: [], keepalive: [], reset: [], close: [] };

  /**
   * @param call does something to the pool
   * @param later calls back after so many milliseconds
   */
  constructor(
    behaviours: Readonly<Record<Hook, Behaviour>>,
    private readonly call: (call: Call) => void,
    private readonly later: (ms: number, callback: () => void) => void,
  ) {
    this.usual = { ...behaviours };
  }

  always(hook: Hook, behaviour: Behaviour): void {
    this.usual[hook] = behaviour;
  }

  next(hook: Hook, behaviour: Behaviour): void {
    this.coming[hook].push(behaviour);
  }

  /** From now on everything is well. @param isEndless whether the pool gives this hook all the time in the world */
  heal(isEndless: (hook: Hook) => boolean): void {
    for (const hook of HOOKS) {
      this.usual[hook] = well(0);
      this.coming[hook] = [];
      // Nothing but the other side can end what hangs then.
      if (isEndless(hook)) for (const end of this.hanging[hook].splice(0)) end();
    }
  }

  behaviourOf(hook: Hook): Behaviour {
    return this.coming[hook].shift() ?? this.usual[hook];
  }

  /** Does what the behaviour says; `ending` is told when it comes to its end, in the same step as the pool is. */
  perform(behaviour: Behaviour, hook: Hook, signal: AbortSignal | undefined, ending: Ending): unknown {
    const { outcome, after, calls, whenAborted } = behaviour;
    const end = (): unknown => {
      if (outcome !== 'fail' && outcome !== 'throw') return ending.succeed();
      ending.failed();
      throw new Error(`the script says: ${outcome}`);
    };
    if (whenAborted !== undefined) signal?.addEventListener('abort', () => this.call(whenAborted));
    if (calls !== undefined) this.call(calls);
    if (outcome === 'hang') return this.hang(hook, undefined, ending);
    if (outcome === 'obey') return this.hang(hook, signal, ending);
    if (outcome === 'throw' || (after === undefined && outcome !== 'fail')) return end();
    if (after === undefined || after === 0) return Promise.resolve().then(end);
    return new Promise((resolve, reject) => {
      this.later(after, () => {
        try {
          resolve(end());
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  /** Until the signal that it obeys is aborted, if any, or the backend is well again and nothing else would end it. */
  private hang(hook: Hook, signal: AbortSignal | undefined, ending: Ending): Promise<never> {
    return new Promise((_, reject) => {
      let isOver = false;
      const end = (reason: unknown): void => {
        if (isOver) return;
        isOver = true;
        ending.failed();
        reject(reason);
      };
      if (signal?.aborted === true) end(signal.reason);
      else signal?.addEventListener('abort', () => end(signal.reason));
      this.hanging[hook].push(() => end(new Error('what hung has ended')));
    });
  }
}
