/** What the benchmark notes on whatever is pooled: an object of its own, a socket, a client. */
export interface Pooled {
  /** Whether somebody has it; for the check. */
  isLent: boolean;
  /** Whether it is to be closed instead of being lent again; for pools that ask instead of being told. */
  isDoomed: boolean;
}

/** What is pooled where only the pool is measured: an object of the benchmark's own, so that to open one costs next to nothing. */
export class Connection implements Pooled {
  isLent = false;
  isDoomed = false;
}
