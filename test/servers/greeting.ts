import { once } from 'node:events';
import { connect } from 'node:net';

/** Resolves if somebody accepts connections at this port. */
export async function accepted(port: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
  } finally {
    socket.destroy();
  }
}

/** Resolves if the server at this port says first, or in answer to `hello`, what matches the pattern; rejects soon if not. */
export function greeted(port: number, pattern: RegExp, hello?: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(2_000, () => fail(new Error('no greeting')));
    socket.once('error', fail);
    socket.once('close', () => reject(new Error('closed without a greeting')));
    socket.once('data', (data) => {
      const text = data.toString('latin1');
      if (!pattern.test(text)) return fail(new Error(`unexpected greeting: ${text}`));
      socket.destroy();
      resolve();
    });
    if (hello !== undefined) socket.write(hello);
  });
}
