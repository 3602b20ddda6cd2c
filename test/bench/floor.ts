/** A caller in the queue. */
interface Caller<C> {
  readonly resolve: (connection: C) => void;
  next: Caller<C> | undefined;
}

/**
 * The simplest correct asynchronous pool: an array of idle connections, a queue of callers, nothing else. It never waits
 * for longer than somebody else holds a connection, and knows neither time-outs nor dead connections.
 */
export class Floor<C> {
  private readonly idle: C[] = [];
  private first: Caller<C> | undefined;
  private last: Caller<C> | undefined;

  constructor(
    size: number,
    private readonly connect: () => Promise<C>,
  ) {
    for (let count = 0; count < size; count++) this.open();
  }

  acquire(): Promise<C> {
    const connection = this.idle.pop();
    if (connection !== undefined) return Promise.resolve(connection);
    return new Promise((resolve) => {
      const caller: Caller<C> = { resolve, next: undefined };
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
    this.first = first.next;
    if (this.first === undefined) this.last = undefined;
    first.resolve(connection);
  }

  /** The connection is forgotten, and another opened. */
  discard(): void {
    this.open();
  }

  private open(): void {
    void this.connect().then((connection) => this.release(connection));
  }
}
