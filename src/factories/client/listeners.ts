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

/** Takes off what borrowers have forgotten, so that they hear nothing of what the next one does. */
export function takeOffListeners(client: Emitter): void {
  guards.get(client)?.takeOff();
}

class Guard {
  /** Whether any has been added; all that is asked where none was. */
  private isTouched = false;
  private readonly present = new Map<string | symbol, readonly unknown[]>();
  private readonly touch = (): void => {
    this.isTouched = true;
  };

  constructor(
    private readonly emitter: EventEmitter,
    private readonly except: ReadonlyArray<string | symbol>,
  ) {
    emitter.on('newListener', this.touch);
    for (const event of emitter.eventNames()) this.present.set(event, emitter.rawListeners(event));
  }

  takeOff(): void {
    if (!this.isTouched) return;
    this.isTouched = false;
    for (const event of this.emitter.eventNames()) if (!this.except.includes(event)) this.takeOffOf(event);
  }

  stop(): void {
    this.emitter.removeListener('newListener', this.touch);
  }

  private takeOffOf(event: string | symbol): void {
    const present = this.present.get(event) ?? [];
    for (const listener of this.emitter.rawListeners(event)) {
      if (!present.includes(listener)) this.emitter.removeListener(event, listener as () => void);
    }
  }
}
