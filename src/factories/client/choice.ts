import { oneOf, type Fault, type Reading } from '../../pool/rules.js';

/** What is wrong with an option that is to be one of some words; undefined is "not given". */
export function choiceFaults(path: string, given: unknown, choices: readonly string[]): Fault[] {
  const reading: Reading = { faults: [], fromText: false };
  if (given !== undefined) oneOf(...choices).read(given, path, reading);
  return reading.faults;
}
