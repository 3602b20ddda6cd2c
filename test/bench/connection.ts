/** What is pooled: an object of the benchmark's own, so that to open one costs next to nothing. */
export class Connection {
  /** Whether somebody has it; for the check. */
  isLent = false;
  /** Whether it is to be closed instead of being lent again; for pools that ask instead of being told. */
  isDoomed = false;
}
