import type { Pooled } from './connection.js';

/**
 * Looks, while time is taken, whether the pool keeps the two promises that are dearest to keep: nobody is overtaken, and no
 * connection is lent twice. It costs every pool the same handful of machine instructions.
 */
export class Check {
  private came = 0;
  private served = 0;
  private overtaken = 0;
  private lentTwice = 0;

  /** A caller comes; what he gets is his place. */
  arrive(): number {
    return this.came++;
  }

  serve(place: number, connection: Pooled): void {
    if (place !== this.served++) this.overtaken++;
    this.lend(connection);
  }

  lend(connection: Pooled): void {
    if (connection.isLent) this.lentTwice++;
    connection.isLent = true;
  }

  giveBack(connection: Pooled): void {
    connection.isLent = false;
  }

  /** What a row is void for, if it is. */
  get verdict(): string | undefined {
    const faults: string[] = [];
    if (this.lentTwice > 0) faults.push(`a connection was lent twice (${this.lentTwice} times)`);
    if (this.overtaken > 0) faults.push(`callers were overtaken (${this.overtaken} of ${this.served})`);
    if (this.served < this.came) faults.push(`callers were forgotten (${this.came - this.served})`);
    return faults.length === 0 ? undefined : faults.join(', ');
  }
}
