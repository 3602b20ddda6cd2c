import type { Lease } from '../../src/pool/lease.js';
import type { Account } from './account.js';
import type { SimulatedConnection } from './connections.js';

/** Somebody who asked for a connection. */
export class Caller {
  state: 'waiting' | 'served' | 'refused' = 'waiting';
  account: Account | undefined;
  lease: Lease<SimulatedConnection> | undefined;
  servedAt = Infinity;
  /** The caller's own lease is over, as far as the caller knows. */
  returned = false;
  returnedAt = Infinity;
  /** His work failed with an error that broke his connection. */
  hasBroken = false;
  /** He had gone before he came. */
  readonly isGone: boolean;
  /** He waited in the queue before the pool began to close. */
  isQueued = false;
  /** The pool must have reported that his lease is held for too long. */
  mustBeReported = false;

  constructor(
    readonly number: number,
    readonly how: 'acquire' | 'use' | 'try',
    readonly cameAt: number,
    readonly deadline: number,
    readonly signal: AbortSignal | undefined,
    /** In the middle of whose coming a hook brought him. */
    private readonly besides: Caller | undefined,
  ) {
    this.isGone = signal?.aborted === true;
  }

  /** Whether a hook brought him in the middle of the other's coming: of these two neither came first. */
  cameBesides(other: Caller): boolean {
    return this.besides !== undefined && (this.besides === other || this.besides.cameBesides(other));
  }

  /** May still be served; one that was aborted or whose time is up may be on the way out. */
  isAhead(now: number): boolean {
    return this.state === 'waiting' && this.signal?.aborted !== true && this.deadline > now;
  }

  toString(): string {
    return `caller ${this.number} (${this.how})`;
  }
}
