/** A bug, as somebody might write it: what stands in a file of the engine, and what would stand there instead. */
export interface Bug {
  readonly name: string;
  /** Relative to src/pool. */
  readonly file: string;
  /** Stands there once. */
  readonly from: string;
  readonly to: string;
}
