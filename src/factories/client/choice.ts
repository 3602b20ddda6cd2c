import { PoolSettingsError } from '../../pool/errors.js';
import { oneOf, type Reading } from '../../pool/rules.js';

/**
 * Checks an option of a factory that is one of some words; undefined is "not given".
 * @throws PoolSettingsError which says what was received, and what is allowed
 */
export function checkChoice(factory: string, path: string, given: unknown, choices: readonly string[]): void {
  if (given === undefined) return;
  const reading: Reading = { faults: [], fromText: false };
  oneOf(...choices).read(given, path, reading);
  if (reading.faults.length > 0) throw new PoolSettingsError(factory, reading.faults);
}
