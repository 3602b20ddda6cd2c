/** Prints the totals of a jest run from its JSON result, as the last line of CI; fails if any test failed or was skipped. */
import { readFileSync } from 'node:fs';
import process from 'node:process';

let result;
try {
  result = JSON.parse(readFileSync(process.argv[2], 'utf8'));
} catch {
  console.error('jest left no result');
  result = { numPassedTests: 0, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, numRuntimeErrorTestSuites: 1 };
}

const { numPassedTests: passed, numFailedTests, numRuntimeErrorTestSuites: broken } = result;
// A file that could not even be run has no tests to count, and must not vanish for it.
const failed = numFailedTests + broken;
const skipped = result.numPendingTests + result.numTodoTests;

if (skipped > 0) console.error(`${skipped} tests are skipped, which CI does not take`);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed + skipped > 0 || passed === 0 ? 1 : 0;
