import type { Socket } from 'node:net';

/**
 * Reads one line, and leaves what follows it on the socket, where the TLS handshake may need it.
 * Fails when the socket ends, or when the signal is aborted.
 */
export function readLine(socket: Socket, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const onReadable = (): void => {
      for (let byte: Buffer | null; (byte = socket.read(1) as Buffer | null) !== null;) {
        text += byte.toString('latin1');
        if (text.endsWith('\r\n')) {
          finish();
          resolve(text.trimEnd());
          return;
        }
      }
    };
    const onEnd = (): void => fail(new Error('the server closed the connection'));
    const onAbort = (): void => fail(signal.reason as Error);
    const fail = (error: Error): void => {
      finish();
      reject(error);
    };
    const finish = (): void => {
      socket.off('readable', onReadable);
      socket.off('error', fail);
      socket.off('end', onEnd);
      socket.off('close', onEnd);
      signal.removeEventListener('abort', onAbort);
    };
    socket.on('readable', onReadable);
    socket.on('error', fail);
    socket.on('end', onEnd);
    socket.on('close', onEnd);
    signal.addEventListener('abort', onAbort);
    onReadable();
  });
}
