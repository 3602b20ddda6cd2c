import type { Socket } from 'node:net';
import { generate } from 'selfsigned';
import { ConnectionError } from '../../src/index.js';
import { accepted, greeted } from '../servers/greeting.js';
import { nodeProgram } from '../servers/node-program.js';
import { withPem } from '../servers/pem.js';
import { send } from '../servers/processes.js';
import type { ServerKind } from '../servers/server-kind.js';
import type { Subject } from './conformance.js';

/** A certificate for localhost, and its key. */
export const pem = await generate([{ name: 'commonName', value: 'localhost' }], {
  keyType: 'ec',
  // Its default, SHA-1, Erlang takes for none.
  algorithm: 'sha256',
  extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] }],
});

/** The line server of test/servers/programs. */
export function lineService(mode?: 'tls' | 'starttls'): ServerKind {
  const name = mode === undefined ? 'a line server' : `a line server with ${mode}`;
  const ping = mode === 'tls' ? accepted : (port: number) => greeted(port, /^HELLO/);
  return withPem(nodeProgram(name, 'line-server.js', ping, mode === undefined ? [] : [mode]), pem);
}

/** The next line that the other side says, after this has been said to it. */
export function ask(socket: Socket, line?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let heard = '';
    const over = (settle: () => void): void => {
      socket.removeListener('data', onData);
      socket.removeListener('close', onClose);
      settle();
    };
    const onData = (data: Buffer): void => {
      heard += data.toString();
      if (heard.endsWith('\r\n')) over(() => resolve(heard.trimEnd()));
    };
    const onClose = (): void => over(() => reject(new ConnectionError('closed before it answered')));
    socket.on('data', onData);
    socket.on('close', onClose);
    if (line !== undefined) socket.write(`${line}\r\n`);
  });
}

/** @throws what the server says, unless it is OK */
export async function demand(socket: Socket, line: string): Promise<string> {
  const answer = await ask(socket, line);
  if (!answer.startsWith('OK')) throw new Error(answer);
  return answer;
}

/** What is done with connections to a line server, whatever they are made of. */
export const LINE_WORK = {
  serve: (socket) => demand(socket, 'ECHO 7'),
  dawdle: (socket) => demand(socket, 'SLOW 20000'),
  mistakes: { 'a request that is none': (socket) => demand(socket, 'NONSENSE') },
  dirt: [
    {
      left: 'a state',
      leave: (socket) => demand(socket, 'SET left behind'),
      isGone: async (socket) => (await demand(socket, 'GET')) === 'OK',
    },
  ],
  endSessions: (server) => Promise.resolve(send(server.pid!, 'SIGUSR2')),
} satisfies Partial<Subject<Socket>>;
