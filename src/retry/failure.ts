/** How an attempt failed: with an error, or with a result that counts as a failure. */
export type Failure = { readonly error: unknown } | { readonly result: unknown };

/** The error, if that is what it failed with. */
export function errorOf(failure: Failure): unknown {
  return 'error' in failure ? failure.error : undefined;
}
