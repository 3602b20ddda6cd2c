/**
 * A server that answers line by line, in the order of the requests: node line-server.js PORT [tls|starttls]. With TLS it
 * reads key.pem and cert.pem in its folder. On SIGUSR2 it ends all sessions.
 *
 *     (on connecting)    ← HELLO
 *     STARTTLS           ← OK, and then TLS
 *     LOGIN ann secret   ← OK          or ERR who are you?
 *     ECHO text          ← OK text
 *     SET text           ← OK          the session remembers it
 *     GET                ← OK text
 *     SLOW 50            ← OK          50 ms later; what comes after it waits
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { createSecureContext, TLSSocket } from 'node:tls';

const [port, mode] = process.argv.slice(2);
const secureContext =
  mode === undefined
    ? undefined
    : createSecureContext({ key: readFileSync('key.pem'), cert: readFileSync('cert.pem') });
const sockets = new Set();

function secure(plain) {
  return new TLSSocket(plain, { isServer: true, secureContext });
}

function serve(accepted) {
  let socket = accepted;
  let buffered = '';
  let state = '';
  let isIn = false;
  let answered = Promise.resolve();
  const say = (text) => void (socket.writable && socket.write(`${text}\r\n`));

  const answer = async (line) => {
    const [verb, ...words] = line.split(' ');
    const text = words.join(' ');
    if (verb === 'LOGIN') isIn = text === 'ann secret';
    if (!isIn) return say('ERR who are you?');
    if (verb === 'SLOW') await pause(Number(text));
    if (verb === 'SET') state = text;
    if (verb === 'ECHO') return say(`OK ${text}`);
    if (verb === 'GET') return say(`OK ${state}`);
    return say(['LOGIN', 'SET', 'SLOW'].includes(verb) ? 'OK' : `ERR no such request: ${verb}`);
  };

  const onData = (data) => {
    buffered += data;
    const lines = buffered.split('\r\n');
    buffered = lines.pop();
    for (const line of lines) {
      if (line === 'STARTTLS' && mode === 'starttls') {
        socket.removeListener('data', onData);
        say('OK');
        socket = listen(secure(socket));
        return;
      }
      answered = answered.then(() => answer(line));
    }
  };

  const listen = (each) => {
    each.on('error', () => {});
    each.on('data', onData);
    return each;
  };

  listen(socket);
  if (!(socket instanceof TLSSocket)) say('HELLO');
  else socket.once('secure', () => say('HELLO'));
}

createServer({ noDelay: true }, (plain) => {
  sockets.add(plain);
  plain.on('error', () => {});
  plain.once('close', () => sockets.delete(plain));
  serve(mode === 'tls' ? secure(plain) : plain);
}).listen(Number(port), '127.0.0.1');

process.on('SIGUSR2', () => {
  for (const socket of sockets) socket.end();
});
process.on('SIGTERM', () => process.exit());
