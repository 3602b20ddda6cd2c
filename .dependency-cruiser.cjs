/**
 * Who may import whom. Three rings: an engine that knows only Node (pool, retry), a Nest module around it, and outbuildings
 * (factories, telemetry, dashboard, testing), each behind its own door, which nothing imports back.
 *
 * A type that is imported counts like any other import: what a file knows of is what it depends on.
 */

// Leaves of pool/ that know nothing of pools: how errors are told apart, how a setting is read, and the time, durations
// and pauses that both deal in. retry/ needs them too, and each of them stands once.
const LEAVES = '^src/pool/(connection-error|rules|errors|clock|duration|backoff|settings)\\.ts$';

const NODE = ['core'];
const INSIDE = ['local'];

/** A rule that lets the files of `from` import nothing but `allowed`: paths of files, or names of packages. */
function only(name, from, comment, allowed, { node = true } = {}) {
  const path = allowed.map((each) => (each.startsWith('^') ? each : `(^|/)node_modules/(@types/)?${each}(/|$)`));
  return {
    name,
    severity: 'error',
    comment,
    from,
    to: { pathNot: path, ...(node ? { dependencyTypesNot: NODE } : {}) },
  };
}

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    only(
      'engine-knows-only-node',
      { path: '^src/pool/' },
      'pool/ imports node:* and ms alone: no framework, and not retry/.',
      ['^src/pool/', 'ms'],
    ),
    only(
      'retry-knows-only-node',
      { path: '^src/retry/', pathNot: '^src/retry/retryable\\.decorator\\.ts$' },
      'retry/ imports node:*, ms and the leaves of pool/ alone.',
      ['^src/retry/', LEAVES, 'ms'],
    ),
    only(
      'decorator-knows-nest',
      { path: '^src/retry/retryable\\.decorator\\.ts$' },
      'Only the decorator of retry/ may know Nest, and of Nest only @nestjs/common.',
      ['^src/retry/', LEAVES, 'ms', '@nestjs/common', 'reflect-metadata'],
    ),
    only('module-knows-nest', { path: '^src/module/' }, 'module/ imports pool/, retry/ and Nest.', [
      '^src/(module|pool|retry)/',
      '@nestjs/(common|core)',
      'class-validator',
      'reflect-metadata',
      'rxjs',
    ]),
    only('the-face', { path: '^src/index\\.ts$' }, 'The face is pool, retry and module, nothing else.', [
      '^src/(pool|retry|module)/',
    ]),
    {
      name: 'testing-knows-the-pool',
      severity: 'error',
      comment: 'testing/ imports pool/ and node:* alone, so that it serves those who test without Nest.',
      from: { path: '^src/testing/' },
      to: { pathNot: '^src/(testing|pool)/', dependencyTypesNot: NODE },
    },
    {
      name: 'factories-know-pool-and-client',
      severity: 'error',
      comment: 'A factory imports pool/ and its own client.',
      from: { path: '^src/factories/' },
      to: { path: '^src/', pathNot: '^src/(pool|factories)/' },
    },
    {
      name: 'factories-have-no-siblings',
      severity: 'error',
      comment: 'A factory that imports another drags in the client of that one. What all need is in factories/client/.',
      from: { path: '^src/factories/([^/.]+)' },
      to: { path: '^src/factories/', pathNot: '^src/factories/($1(\\.|/)|client/)' },
    },
    {
      name: 'factories-know-no-nest',
      severity: 'error',
      comment: 'A factory serves those who pool without Nest too.',
      from: { path: '^src/factories/' },
      to: { path: '(^|/)node_modules/@nestjs/' },
    },
    {
      name: 'telemetry-knows-pool-and-module',
      severity: 'error',
      comment: 'telemetry/ and dashboard/ import pool/, module/ and their own peer, and not each other.',
      from: { path: '^src/(telemetry|dashboard)/' },
      to: { path: '^src/', pathNot: '^src/(pool|module|$1)/' },
    },
    {
      name: 'outbuildings-are-not-imported-back',
      severity: 'error',
      comment: 'What is behind a subpath is loaded by those who import that subpath, and by nobody else.',
      from: { path: '^src/', pathNot: '^src/(factories|telemetry|dashboard|testing)/' },
      to: { path: '^src/(factories|telemetry|dashboard|testing)/' },
    },
    {
      name: 'sources-stay-inside',
      severity: 'error',
      comment: 'What is not under src/ is not in the package.',
      from: { path: '^src/' },
      to: { pathNot: '^src/', dependencyTypes: INSIDE },
    },
    {
      name: 'no-cycle',
      severity: 'error',
      comment: 'Of two files that import each other neither can be read alone.',
      from: { path: '^src/' },
      to: { circular: true },
    },
    {
      name: 'no-rag-bag',
      severity: 'error',
      comment: 'A folder is named after what it does; these names say that nobody knew.',
      from: {},
      to: { path: '^src.*/(utils?|helpers?|common|misc|shared|lib)(/|\\.ts$)' },
    },
    {
      name: 'no-rag-bag-either',
      severity: 'error',
      comment: 'As no-rag-bag, for a file that nothing imports.',
      from: { path: '^src.*/(utils?|helpers?|common|misc|shared|lib)(/|\\.ts$)' },
      to: {},
    },
    {
      name: 'no-dev-dependency',
      severity: 'error',
      comment: 'A user does not have it.',
      from: { path: '^src/' },
      // A package that is a peer too is one which the user has.
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['npm', 'npm-peer', 'npm-optional', 'type-only'] },
    },
    {
      name: 'no-undeclared-dependency',
      severity: 'error',
      comment: 'It is there by luck: a dependency of a dependency.',
      from: { path: '^src/' },
      // A peer whose types are a package of their own counts as undeclared besides.
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'undetermined'], dependencyTypesNot: ['npm-peer'] },
    },
    {
      name: 'no-unresolvable',
      severity: 'error',
      comment: 'Nothing is there under this name.',
      from: { path: '^src/' },
      to: { couldNotResolve: true },
    },
    {
      name: 'no-deprecated-core',
      severity: 'error',
      comment: 'Node will drop it.',
      from: { path: '^src/' },
      to: { dependencyTypes: ['core'], path: '^(punycode|domain|constants|sys|_.*)$' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      conditionNames: ['module-sync', 'import', 'node', 'default'],
      exportsFields: ['exports'],
      mainFields: ['module', 'main', 'types'],
    },
  },
};
