import { isStream, isUsableStream, watchEmitter, type StreamLike } from './capabilities.js';
import type { ConnectionFactory } from './connection-factory.js';
import { silence } from './hook-call.js';
import { isGone, type PooledConnection } from './pooled-connection.js';

/** Knows whether connections are alive: by their factory's hooks, or by what they are. */
export class Watcher<C> {
  /** As long as the pool lives: what has the hook is known from the start. */
  readonly asksFactory: boolean;

  /** @param told called with a connection that has died */
  constructor(
    private readonly factory: ConnectionFactory<C>,
    private readonly told: (entry: PooledConnection<C>, error: unknown) => void,
  ) {
    this.asksFactory = factory.isUsable !== undefined;
  }

  /** Whether the connection can be lent; its factory or, of a stream, its state says so. */
  isUsable(entry: PooledConnection<C>): boolean {
    if (this.asksFactory) return this.isUsableToFactory(entry);
    return !entry.isStream || isUsableStream(entry.connection as StreamLike, entry.reception);
  }

  watch(entry: PooledConnection<C>): void {
    const broken = (error?: unknown): void => this.told(entry, error);
    try {
      entry.isStream = isStream(entry.connection);
      entry.stopWatching =
        this.factory.watch === undefined
          ? watchEmitter(entry.connection, broken)
          : this.factory.watch(entry.connection, broken);
      entry.watched = entry.stopWatching !== undefined;
      silence(entry.stopWatching);
    } catch (error) {
      // What cannot be watched cannot be trusted.
      this.told(entry, error);
    }
  }

  private isUsableToFactory(entry: PooledConnection<C>): boolean {
    try {
      const usable = this.factory.isUsable!(entry.connection);
      silence(usable);
      return usable && !isGone(entry) && entry.doom !== 'broken';
    } catch {
      return false;
    }
  }

  stop(entry: PooledConnection<C>): void {
    const { stopWatching } = entry;
    entry.stopWatching = undefined;
    try {
      silence(stopWatching?.());
    } catch {
      // The watch is over for us; a late word from it finds the connection closing and is ignored.
    }
  }
}
