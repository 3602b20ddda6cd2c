import { PoolSettingsError } from '../../src/pool/errors.js';
import type { Fault } from '../../src/pool/rules.js';

/** The faults that are told of what was called, whether it throws or rejects. */
export async function faultsOf(work: () => unknown): Promise<readonly Fault[]> {
  try {
    await work();
  } catch (error) {
    if (error instanceof PoolSettingsError) return error.faults;
    throw error;
  }
  throw new Error('nothing was thrown');
}
