/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  // No test is about how fast this machine is; what takes long in virtual time takes longer where others work too.
  testTimeout: 30_000,
  // Nothing is timed, so every core may have its own.
  maxWorkers: '100%',
  // Of tests that start programs and wait for them, some at once.
  maxConcurrency: 2,
  testMatch: ['<rootDir>/test/**/*.spec.ts'],
  // The applications that the package is tried in have specs, which they run themselves.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/package/'],
  extensionsToTreatAsEsm: ['.ts'],
  // TypeScript writes './x.js' for what is still './x.ts' here.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: { '\\.ts$': '<rootDir>/.ci/jest-transform.js' },
  // What is generated, and applications of their own: none of it is for specs to import.
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/build/', '<rootDir>/test/package/'],
  // V8's own coverage knows blocks, not branches: an `if` that never was false counts as covered. istanbul counts both
  // ways, also of `??`, `?.`-free defaults and `case`s. It instruments the TypeScript itself (see .ci/jest-transform.js).
  coverageProvider: 'babel',
  coverageDirectory: 'coverage',
  coverageReporters: ['text', 'html', 'json-summary'],
  collectCoverageFrom: ['src/{pool,retry,module,testing,factories,telemetry,dashboard}/**/*.ts'],
  coverageThreshold: { global: { branches: 100, functions: 100, lines: 100, statements: 100 } },
};
