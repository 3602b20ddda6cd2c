/** How swc compiles TypeScript here, for jest and for the tools of test/ alike. */
export function swcOptions({ decoratorMetadata }) {
  return {
    swcrc: false,
    sourceMaps: 'inline',
    jsc: {
      // What Node 20 runs as it is. `using` is newer, and has to be compiled away.
      target: 'es2022',
      parser: { syntax: 'typescript', decorators: true },
      transform: { legacyDecorator: true, decoratorMetadata, useDefineForClassFields: true },
      keepClassNames: true,
    },
  };
}
