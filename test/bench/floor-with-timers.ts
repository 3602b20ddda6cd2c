/** A caller in the queue, who can leave it from any place. */
interface Caller<C> {
  readonly resolve: (connection: C) => void;
  readonly timer: NodeJS.Timeout;
  previous: Caller<C> | undefined;
  next: Caller<C> | undefined;
}

/**
 * The floor, for callers who do not wait for ever: each has a timer of his own, as everybody would write it first, and leaves
 * a doubly linked queue when it fires, so that this takes no longer where many wait.
 */
export class FloorWithTimers<C> {
  private readonly idle: C[] = [];
  private first: Caller<C> | undefined;
  private last: Caller<C> | undefined;

  constructor(
    size: number,
    private readonly connect: () => Promise<C>,
    /** Milliseconds. */
    private readonly acquireTimeout: number,
  ) {
    for (let count = 0; count < size; count++) this.open();
  }

  acquire(): Promise<C> {
    const connection = this.idle.pop();
    if (connection !== undefined) return Promise.resolve(connection);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.leave(caller);
        reject(new Error('no connection in time'));
      }, this.acquireTimeout);
      const caller: Caller<C> = { resolve, timer, previous: this.last, next: undefined };
      if (this.last === undefined) this.first = caller;
      else this.last.next = caller;
      this.last = caller;
    });
  }

  release(connection: C): void {
    const { first } = this;
    if (first === undefined) {
      this.idle.push(connection);
      return;
    }
    this.leave(first);
    clearTimeout(first.timer);
    first.resolve(connection);
  }

  /** The connection is forgotten, and another opened. */
  discard(): void {
    this.open();
  }

  private leave({ previous, next }: Caller<C>): void {
    if (previous === undefined) this.first = next;
    else previous.next = next;
    if (next === undefined) this.last = previous;
    else next.previous = previous;
  }

  private open(): void {
    void this.connect().then((connection) => this.release(connection));
  }
}
