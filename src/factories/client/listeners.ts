import type { EventEmitter } from 'node:events';
import type { Emitter } from './death.js';

/** Of each client that is lent, until it is watched no more. */
const guards = new WeakMap<object, Guard>();

/**
 * The listeners that a client has now stay on it; those that borrowers add {@link takeOffListeners} takes off again. To be called
 * when a client is all ready to be lent, which it is when it is watched.
 *
 * @param stopWatching what stops the watch
 * @param except events to which the client itself listens when it likes, and not for good before it is lent
 * @returns stops the watch, and this
 */
export function guardListeners(client: Emitter, stopWatching: () => void, except: readonly string[] = []): () => void {
  const guard = new Guard(client as EventEmitter, except);
  guards.set(client, guard);
  return () => {
    guards.delete(client);
    guard.stop();
    stopWatching();
  };
}

/** Takes off what borrowers have forgotten, so that they hear nothing of what the next one does; and puts back what they took off. */
export function takeOffListeners(client: Emitter): void {
  guards.get(client)?.restore();
}

class Guard {
  /** Whether any has come or gone; all that is asked where none has. */
  private isTouched = false;
  private readonly present = new Map<string | symbol, readonly Listener[]>();
  private readonly touch = (): void => {
    this.isTouched = true;
  };

  constructor(
    private readonly emitter: EventEmitter,
    private readonly except: ReadonlyArray<string | symbol>,
  ) {
    for (const event of TOUCHES) emitter.on(event, this.touch);
    for (const event of emitter.eventNames()) this.present.set(event, listenersTo(emitter, event));
  }

  restore(): void {
    if (!this.isTouched) return;
    for (const event of this.emitter.eventNames()) if (!this.except.includes(event)) this.takeOff(event);
    for (const [event, listeners] of this.present) this.putBack(event, listeners);
    // Not sooner, for all this touches them too.
    this.isTouched = false;
  }

  stop(): void {
    for (const event of TOUCHES) this.emitter.removeListener(event, this.touch);
  }

  private takeOff(event: string | symbol): void {
    const present = this.present.get(event) ?? [];
    for (const listener of listenersTo(this.emitter, event)) {
      if (!present.includes(listener)) this.emitter.removeListener(event, listener);
    }
  }

  private putBack(event: string | symbol, listeners: readonly Listener[]): void {
    const left = listenersTo(this.emitter, event);
    for (const listener of listeners) {
      // One that was to hear once, which Node wraps, has heard.
      const isForOnce = 'listener' in listener;
      if (!left.includes(listener) && !isForOnce) this.emitter.on(event, listener);
    }
  }
}

type Listener = (...args: unknown[]) => void;

/** The emitter's own. Whoever takes all listeners off takes these last, so that they hear it. */
const TOUCHES = ['newListener', 'removeListener'];

function listenersTo(emitter: EventEmitter, event: string | symbol): Listener[] {
  return emitter.rawListeners(event) as Listener[];
}
