import type { Lease } from '../../src/pool/lease.js';
import type { Account, SimulatedConnection } from './account.js';

/** Somebody who asked for a connection. */
export class Caller {
  state: 'waiting' | 'served' | 'refused' = 'waiting';
  account: Account | undefined;
  lease: Lease<SimulatedConnection> | undefined;
  /** The caller's own lease is over, as far as the caller knows. */
  returned = false;

  constructor(
    readonly number: number,
    readonly how: 'acquire' | 'use' | 'try',
    readonly cameAt: number,
    readonly deadline: number,
    readonly signal: AbortSignal | undefined,
    /** In the middle of whose coming a hook brought him: of these two neither came first. */
    readonly besides: Caller | undefined,
  ) {}

  /** May still be served; one that was aborted or whose time is up may be on the way out. */
  isAhead(now: number): boolean {
    return this.state === 'waiting' && this.signal?.aborted !== true && this.deadline > now;
  }

  toString(): string {
    return `caller ${this.number} (${this.how})`;
  }
}
