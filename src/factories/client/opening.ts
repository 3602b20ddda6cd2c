/**
 * Waits for a connection to be opened, unless it is given up.
 *
 * @param open begins to open it; called at once, unless the signal is aborted already
 * @param cut closes whatever there is of it so far, at once. Called when the signal is aborted, when opening fails, and when it
 * succeeds though it was given up; so more than once, perhaps
 * @returns rejects with the signal's reason as soon as that is aborted: some clients never settle what is cut off
 */
export function opening<T>(signal: AbortSignal, open: () => Promise<T>, cut: (reason: Error) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    const giveUp = (reason: unknown): void => {
      signal.removeEventListener('abort', onAbort);
      reject(reason);
      try {
        cut(reason instanceof Error ? reason : new Error(String(reason)));
      } catch {
        // What cannot be cut off was hardly open.
      }
    };
    const onAbort = (): void => giveUp(signal.reason);
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    const opened = async (): Promise<T> => open();
    opened().then((connection) => {
      signal.removeEventListener('abort', onAbort);
      if (signal.aborted) giveUp(signal.reason);
      else resolve(connection);
    }, giveUp);
  });
}
