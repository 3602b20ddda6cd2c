import type { CloseReason } from '../../pool/connection-factory.js';

/** What a factory can do with a connection that several share. */
export interface ConnectionWays<M> {
  isUsable(connection: M): boolean;
  close(connection: M, reason: CloseReason): void | Promise<void>;
  destroy(connection: M): void;
}

/**
 * Connections that several share: each is opened for the first that takes a seat, and closed when the last has left.
 *
 * One that owes an answer (what it carried was given up, and it has not yet said that it is gone) gets nobody new: it may be
 * dead. As soon as it answers it is trusted again.
 */
export class SharedConnections<M> {
  private readonly connections = new Set<SharedConnection<M>>();

  constructor(private readonly ways: ConnectionWays<M>) {}

  /**
   * A seat on a connection with room, else on a new one.
   *
   * @param capacity how many a connection carries
   * @param open opens another
   */
  takeSeat(capacity: number, open: (signal: AbortSignal) => Promise<M>): Seat<M> {
    for (const connection of this.connections) if (connection.hasRoom(capacity)) return new Seat(connection);
    const connection: SharedConnection<M> = new SharedConnection(open, this.ways, () =>
      this.connections.delete(connection),
    );
    this.connections.add(connection);
    return new Seat(connection);
  }
}

/** What one of those that share a connection has of it. */
export class Seat<M> {
  private state: 'taken' | 'given up' | 'left' = 'taken';
  /** Resolves when the connection is closed, if this was the last to leave. */
  private farewell: Promise<void> | undefined;

  constructor(private readonly shared: SharedConnection<M>) {
    shared.enter();
  }

  get connection(): Promise<M> {
    return this.shared.opened;
  }

  get isTaken(): boolean {
    return this.state === 'taken';
  }

  /** What it was for is gone. */
  leave(): Promise<void> | undefined {
    const { state } = this;
    this.state = 'left';
    if (state === 'taken') this.farewell = this.shared.leave();
    if (state === 'given up') this.shared.answered();
    return this.farewell;
  }

  /** What it was for is of no use any more, though it may not be gone. A connection that nobody else uses is cut off. */
  giveUp(): void {
    if (this.state === 'taken') {
      this.state = 'given up';
      this.shared.owe();
    }
    this.shared.cutIfUnused();
  }
}

class SharedConnection<M> {
  readonly opened: Promise<M>;
  private connection: M | undefined;
  private readonly opening = new AbortController();
  private users = 0;
  private owed = 0;

  /** @param over called when it is to get nobody new */
  constructor(
    open: (signal: AbortSignal) => Promise<M>,
    private readonly ways: ConnectionWays<M>,
    private readonly over: () => void,
  ) {
    this.opened = open(this.opening.signal).then((connection) => (this.connection = connection));
    // Nobody may be left who waits for it.
    this.opened.catch(over);
  }

  hasRoom(capacity: number): boolean {
    if (this.owed > 0 || this.users >= capacity) return false;
    return this.connection === undefined || this.ways.isUsable(this.connection);
  }

  enter(): void {
    this.users++;
  }

  leave(): Promise<void> | undefined {
    this.users--;
    if (this.users > 0) return undefined;
    this.over();
    return this.part();
  }

  owe(): void {
    this.users--;
    this.owed++;
  }

  answered(): void {
    this.owed--;
  }

  cutIfUnused(): void {
    if (this.users > 0) return;
    this.over();
    this.opening.abort();
    if (this.connection !== undefined) this.ways.destroy(this.connection);
  }

  private async part(): Promise<void> {
    // The last may have left because the connection is dying, which it says only when all have left.
    await Promise.resolve();
    const { connection } = this;
    if (connection === undefined || !this.ways.isUsable(connection)) this.cutIfUnused();
    else await this.ways.close(connection, 'surplus');
  }
}
